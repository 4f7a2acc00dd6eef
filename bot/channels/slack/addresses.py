"""Which addresses are Slack's own: files, uploads and replies go there and nowhere else, a token least of all.

Knows the address of the Web API that the operator set. Asks nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Addresses:
    """Slack's: https on the Web API's host and all below it; and whatever the Web API itself is reached by."""

    api_url: str

    def own(self, url: str) -> bool:
        """Whether an address that came in an event is Slack's."""
        try:
            asked, api = urlsplit(url), urlsplit(self.api_url)
            host, port = asked.hostname or "", asked.port
        except ValueError:
            return False
        if asked.username or asked.password:
            return False
        if (asked.scheme, asked.netloc) == (api.scheme, api.netloc):
            return True
        ours = (api.hostname or "").removeprefix("www.")
        return asked.scheme == "https" and port in (None, 443) and (host == ours or host.endswith(f".{ours}"))
