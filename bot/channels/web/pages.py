"""The files that browsers fetch: the loader, the frame and its script, the demo page. Read once, packed once.

Knows caching, compression and what each page is allowed to load. What the files do is theirs.
"""

from __future__ import annotations

import gzip
import hashlib
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from bot.channels.base import Desk
from bot.channels.web.errors import Handler, spoken_language
from bot.notices import notice

WIDGET = Path(__file__).parents[2] / "widget"
BUILT = WIDGET / "dist"
DEMO_SITE = "demo"

TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
COMMON = {
    "Cache-Control": "no-cache",  # the names never change: kept by browsers, asked for each time, answered with 304
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'"
OWN = f"{CLOSED}; script-src 'self'; style-src 'self'; img-src 'self' data:"
FRAME_CSP = f"{OWN}; connect-src 'self'"
DEMO_CSP = f"{OWN}; frame-src 'self'; frame-ancestors 'none'"
ANYWHERE = {"Cross-Origin-Resource-Policy": "cross-origin"}  # for sites that isolate themselves, too
SMALL = 512  # bytes; packing less saves nothing


class WidgetNotBuilt(Exception):
    """A built file of the widget is missing; the message says how to make it."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent, plain and packed, each with an ETag of its content and headers."""

    plain: bytes
    packed: bytes
    tag: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, data: bytes, *, suffix: str, headers: Mapping[str, str] | None = None) -> Asset:
        """An asset of some bytes; `suffix` (".js") says what they are."""
        sent = {**COMMON, "Content-Type": f"{TYPES[suffix]}; charset=utf-8", **(headers or {})}
        # Headers count too: a browser that is told 304 keeps the policy it has, and with it the sites of yesterday.
        seen = hashlib.sha256(repr(sorted(sent.items())).encode() + data)
        return cls(
            plain=data,
            packed=gzip.compress(data, 9, mtime=0) if len(data) >= SMALL else b"",
            tag=seen.hexdigest()[:32],
            headers=sent,
        )

    def response(self, request: web.Request, *, status: int = 200) -> web.Response:
        """The file, packed where the browser takes that, or 304 when it has it."""
        packs = bool(self.packed) and _takes_gzip(request.headers.get("Accept-Encoding", ""))
        headers = {**self.headers, "ETag": f'"{self.tag}-gz"' if packs else f'"{self.tag}"'}
        if status == 200 and _names(request.headers.get("If-None-Match", ""), self.tag):
            del headers["Content-Type"]
            return web.Response(status=304, headers=headers)
        if packs:
            headers["Content-Encoding"] = "gzip"
        return web.Response(status=status, body=self.packed if packs else self.plain, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """One per process; the files as they were when it was loaded."""

    desk: Desk
    public_url: str = ""
    loader: Asset
    script: Asset
    style: Asset
    demo_style: Asset
    frame: str = field(repr=False)
    demo: str = field(repr=False)

    @classmethod
    def load(cls, *, desk: Desk, public_url: str = "", built: Path = BUILT) -> Pages:
        """Read every file (blocking). Raises WidgetNotBuilt naming the first that is missing."""
        # Other sites load the loader and the frame; the rest is for our own frame.
        own = {"Cross-Origin-Resource-Policy": "same-origin"}
        return cls(
            desk=desk,
            public_url=public_url.rstrip("/"),
            loader=Asset.of(_read(built / "loader.js"), suffix=".js", headers=ANYWHERE),
            script=Asset.of(_read(built / "app.js"), suffix=".js", headers=own),
            style=Asset.of(_read(built / "app.css"), suffix=".css", headers=own),
            demo_style=Asset.of(_read(WIDGET / "demo.css"), suffix=".css", headers=own),
            frame=_read(built / "frame.html").decode(),
            demo=_read(WIDGET / "demo.html").decode(),
        )

    def routes(self) -> Iterable[web.RouteDef]:
        """Every page and file."""
        return (
            web.get("/", self.front),
            web.get("/demo.css", _serving(self.demo_style)),
            web.get("/widget.js", _serving(self.loader)),
            web.get("/widget/app.js", _serving(self.script)),
            web.get("/widget/app.css", _serving(self.style)),
            web.get("/widget/{site}", self.framed),
        )

    async def framed(self, request: web.Request) -> web.StreamResponse:
        """GET: the chat of one site, to be framed by that site's pages and our own."""
        key, language = request.match_info["site"], spoken_language(request)
        found = self.desk.site(key)
        if found is None:
            return _sentence("unknown_site", language).response(request, status=404)
        ancestors = " ".join(["'self'", *found[0].origins])
        page = _filled(self.frame, {"site": key, "lang": _lang(language)})
        csp = f"{FRAME_CSP}; frame-ancestors {ancestors}"
        headers = {"Content-Security-Policy": csp, **ANYWHERE}
        return Asset.of(page.encode(), suffix=".html", headers=headers).response(request)

    async def front(self, request: web.Request) -> web.StreamResponse:
        """GET: the demo page, which carries the widget."""
        if self.desk.site(DEMO_SITE) is None:
            return _sentence("unknown_site", spoken_language(request)).response(request, status=404)
        home = self.public_url or f"{request.scheme}://{request.headers.get('Host', '')}"
        page = _filled(self.demo, {"site": DEMO_SITE, "home": home})
        headers = {"Content-Security-Policy": DEMO_CSP}
        return Asset.of(page.encode(), suffix=".html", headers=headers).response(request)


def _serving(asset: Asset) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return asset.response(request)

    return serve


def _sentence(name: str, language: str) -> Asset:
    """A page of one sentence; it may be framed anywhere, so that whoever embedded it sees what is wrong."""
    page = (
        f'<!doctype html><html lang="{_lang(language)}"><meta charset="utf-8">'
        f"<title>Frontdesk</title><p>{html.escape(notice(name, language))}</p></html>"
    )
    return Asset.of(page.encode(), suffix=".html", headers={"Content-Security-Policy": CLOSED, **ANYWHERE})


def _filled(page: str, words: Mapping[str, str]) -> str:
    for name, value in words.items():
        page = page.replace("{{" + name + "}}", html.escape(value))
    return page


def _lang(language: str) -> str:
    return "zh-Hans" if language == "zh" else "en"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WidgetNotBuilt(f"{path} cannot be read ({error.strerror}); `make widget` builds it") from None


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        name, _, quality = part.strip().partition(";")
        if name.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _names(known: str, tag: str) -> bool:
    """Whether If-None-Match names this content, in either form."""
    tags = {part.strip().removeprefix("W/").strip('"').removesuffix("-gz") for part in known.split(",")}
    return tag in tags or "*" in tags
