"""What every answer says to browsers, whichever part it comes from: what it is not, and what may not be done with it.

Knows headers. A part that wants another one says so itself, and that stays: the frame may stand in its sites' pages.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs, web

# JSON, metrics, event streams and errors are no pages: nothing is loaded by them, and nobody frames them.
EVERYWHERE: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Permitted-Cross-Domain-Policies": "none",
}


async def guard(request: web.Request, response: web.StreamResponse) -> None:
    """Called just before an answer's headers are written, also for the 404 and 405 of the router."""
    for name, value in EVERYWHERE.items():
        response.headers.setdefault(name, value)
    response.headers.pop(hdrs.SERVER, None)  # which release of which server this is, is nobody's business
