"""Where a request comes from: its address, and whether it was sent on this very computer.

Knows sockets and headers. Whether that is enough to be let in is for `bot.gateway.access` to say.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from aiohttp import hdrs, web

# A proxy announces itself by one of these, and then the peer is the proxy and not who asks.
# Via and X-Real-IP are not in the architecture's list; a program on this computer sends neither.
PROXIED = ("forwarded", "via", "x-real-ip")


def is_local(request: web.Request) -> bool:
    """Whether the request was sent on this computer, by a program or by one of our own pages.

    All of it must hold: the peer is a loopback address, no proxy passed it on, Host is a loopback name (else a
    foreign page could reach us through a name that it points at 127.0.0.1), and Origin is absent or our own.
    """
    hosts = request.headers.getall(hdrs.HOST, [])
    return (
        _is_loopback(_peer(request))
        and not any(_is_proxied(name) for name in request.headers)
        and len(hosts) == 1
        and _is_loopback_name(hosts[0])
        and all(
            origin == f"{request.scheme}://{hosts[0]}" for origin in request.headers.getall(hdrs.ORIGIN, [])
        )
    )


def is_own_address(url: str) -> bool:
    """Whether an http address, or none at all, leads to this computer only."""
    return not url or _is_loopback_name(urlsplit(url).netloc)


def address(request: web.Request, *, trusted_proxies: int) -> str:
    """Who asks, for limits by address: the peer, or what the outermost trusted proxy saw; IPv6 by its /64.

    A header with fewer hops than there are proxies, or with no address where it should stand, is nobody's word.
    """
    peer = _peer(request)
    lines = request.headers.getall(hdrs.X_FORWARDED_FOR, []) if trusted_proxies else []
    seen = [part.strip() for line in lines for part in line.split(",") if part.strip()]
    told = seen[-trusted_proxies] if 0 < trusted_proxies <= len(seen) else peer
    return _network(told) or _network(peer) or peer


def _peer(request: web.Request) -> str:
    """The other end's address; empty for a Unix socket, whose other end is a proxy as a rule."""
    name = request.transport.get_extra_info("peername") if request.transport else None
    return str(name[0]) if isinstance(name, tuple) and name else ""


def _network(text: str) -> str:
    """One household or server has a whole /64 of IPv6 addresses to ask from. Empty for what is no address."""
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
    return str(found)


def _is_proxied(header: str) -> bool:
    name = header.lower()
    return name in PROXIED or name.startswith("x-forwarded")


def _is_loopback(text: str) -> bool:
    try:
        found = ip_address(text)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped.is_loopback
    return found.is_loopback


def _is_loopback_name(host: str) -> bool:
    """localhost, 127.x.x.x or [::1], with any port or none."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        return bool(bracket) and _is_port(port) and _is_loopback(name)
    name, colon, port = host.partition(":")
    return _is_port(colon + port) and (name.lower() == "localhost" or _is_loopback(name))


def _is_port(text: str) -> bool:
    return not text or (text.startswith(":") and text[1:].isascii() and text[1:].isdigit())
