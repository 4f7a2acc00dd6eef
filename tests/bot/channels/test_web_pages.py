"""The files that browsers fetch: cached by content, packed, and allowed to load nothing but our own."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bot.channels.web.pages import BUILT, Asset, Pages, WidgetNotBuilt
from bot.notices import notice

HOME = "https://shop.example"


def directives(policy: str) -> dict[str, str]:
    return dict(part.strip().partition(" ")[::2] for part in policy.split(";"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/widget.js", "text/javascript"),
        ("/widget/app.js", "text/javascript"),
        ("/widget/app.css", "text/css"),
        ("/demo.css", "text/css"),
        ("/widget/demo", "text/html"),
        ("/", "text/html"),
    ],
)
async def test_a_file_is_sent_once_and_then_known_by_its_tag(browser, path: str, kind: str) -> None:
    answer = await browser.http.get(path)
    assert (answer.status, answer.content_type, answer.charset) == (200, kind, "utf-8")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    tag = answer.headers["ETag"]
    again = await browser.http.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
    assert (await browser.http.get(path, headers={"If-None-Match": '"other"'})).status == 200


async def test_files_are_packed_for_those_who_can_unpack(browser, built: Path) -> None:
    packed = await browser.http.get("/widget/app.js", headers={"Accept-Encoding": "br, gzip;q=0.8"})
    plain = await browser.http.get("/widget/app.js", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
    assert await packed.read() == await plain.read() == b"/* app */" * 500
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert packed.headers["Vary"] == "Accept-Encoding"


async def test_the_frame_may_stand_in_its_sites_pages_alone(browser) -> None:
    shop = await browser.http.get("/widget/shop")
    policy = directives(shop.headers["Content-Security-Policy"])
    assert policy["frame-ancestors"] == f"'self' {HOME}"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' data:"
    demo = await browser.http.get("/widget/demo")
    assert directives(demo.headers["Content-Security-Policy"])["frame-ancestors"] == "'self'"
    assert 'data-site="shop"' in await shop.text()


def test_a_page_that_may_stand_elsewhere_now_is_another_page() -> None:
    """Browsers keep the old policy of a page when they are told that it has not changed."""

    def tag(policy: str) -> str:
        return Asset.of(b"page", suffix=".html", headers={"Content-Security-Policy": policy}).tag

    assert tag("frame-ancestors 'self'") != tag(f"frame-ancestors 'self' {HOME}")


@pytest.mark.parametrize("site", ["nope", "..%2f..", "%3Cscript%3E", "x" * 300])
async def test_an_unknown_site_gets_a_page_that_says_so(browser, site: str) -> None:
    answer = await browser.http.get(f"/widget/{site}", headers={"Accept-Language": "zh-CN,en;q=0.5"})
    assert answer.status == 404
    page = await answer.text()
    assert notice("unknown_site", "zh") in page
    assert "script" not in page
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_the_demo_page_carries_the_widget_and_nothing_inline(browser) -> None:
    answer = await browser.http.get("/")
    page = await answer.text()
    assert '<script async src="/widget.js" data-site="demo"' in page
    assert "<style" not in page
    assert " style=" not in page
    assert "{{" not in page
    assert f'src="{browser.origin}/widget.js"'.replace('"', "&quot;") in page or browser.origin in page
    policy = directives(answer.headers["Content-Security-Policy"])
    assert policy["script-src"] == policy["frame-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"


async def test_a_host_header_cannot_write_into_the_page(browser) -> None:
    page = await (await browser.http.get("/", headers={"Host": "evil<script>x"})).text()
    assert "evil<script>" not in page


async def test_a_house_without_the_demo_site_has_no_demo_page(browser, desk) -> None:
    del desk.sites["demo"]
    assert (await browser.http.get("/")).status == 404


def test_a_widget_that_was_not_built_is_named(desk, tmp_path: Path) -> None:
    with pytest.raises(WidgetNotBuilt, match=r"loader\.js cannot be read .*make widget"):
        Pages.load(desk=desk, built=tmp_path / "nowhere")


def test_the_committed_widget_is_there_and_small(desk) -> None:
    pages = Pages.load(desk=desk, built=BUILT)
    assert len(pages.loader.packed) < 2_000
    frame = gzip.compress(pages.frame.encode(), 9, mtime=0)
    assert (
        len(pages.script.packed) + len(pages.style.packed) + len(frame) < 12_500
    )  # 14 kB with the API's bytes
