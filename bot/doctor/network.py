"""How the house is reached: its port, the keys of its API, the proxy in front.

Knows this computer's side alone. Whether the world gets through to it cannot be seen from here.
"""

from __future__ import annotations

from bot.finding import Finding
from bot.settings import Settings
from bot.up import NotStarted, port_is_free


def check_port(settings: Settings) -> Finding:
    try:
        port_is_free(settings)
    except NotStarted as error:
        return Finding(
            "warn" if _is_frontdesk(settings) else "fail", "port", str(error), _port_todo(settings)
        )
    return Finding("ok", "port", f"{settings.port} is free")


def _port_todo(settings: Settings) -> str:
    if _is_frontdesk(settings):
        return "nothing, if it is this Frontdesk that runs there"
    return "set FRONTDESK_PORT to another"


def _is_frontdesk(settings: Settings) -> bool:
    """Whether a Frontdesk answers there already."""
    import http.client

    host = settings.reachable_host()
    connection = http.client.HTTPConnection(host, settings.port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().read(64).replace(b" ", b"") == b'{"status":"ok"}'
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def check_keys(settings: Settings) -> Finding:
    if settings.api_keys:
        return Finding("ok", "FRONTDESK_API_KEYS", f"{len(settings.api_keys)} set")
    said = "not set: /v1 answers requests from this computer only, and keys made with frontdesk keys"
    if settings.public_url:
        said = "not set: /v1 answers keys made with frontdesk keys"
    if settings.host in ("127.0.0.1", "localhost", "::1"):
        return Finding("ok", "FRONTDESK_API_KEYS", said)
    return Finding(
        "warn", "FRONTDESK_API_KEYS", said, "set one, if you run health checks or metrics from outside"
    )


def check_proxy(settings: Settings) -> Finding:
    """We speak no https ourselves: whoever is reached by it has a proxy in front."""
    if settings.public_url.startswith("https://") and not settings.trusted_proxies:
        said = "not set: behind a proxy all visitors share the limits of one address"
        todo = "set it to 1, and let the proxy send X-Forwarded-For"
        return Finding("warn", "FRONTDESK_TRUSTED_PROXIES", said, todo)
    return Finding("ok", "FRONTDESK_TRUSTED_PROXIES", str(settings.trusted_proxies))
