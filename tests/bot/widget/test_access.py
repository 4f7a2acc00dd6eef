"""What everyone needs to use the chat: names, contrast, zoom, sizes of what is pressed, still pictures for who asks."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.bot.widget.conftest import Opened, write
from tests.bot.widget.fake import GREETING, FakeDesk

pytestmark = pytest.mark.asyncio(loop_scope="session")

BLOCKS = [
    "<p>See <a href='https://example.org'>the guide</a> and <code>doctor</code>.</p>",
    "<pre><code>frontdesk up --with a-very-long-line --that goes-on and-on and-on and-on and-on\n</code></pre>",
    "<blockquote><p>Quoted</p></blockquote><ul><li>one</li><li>two</li></ul>",
    "<table><thead><tr><th>Scope</th><th>Why it is needed at all</th></tr></thead></table>",
]


async def fill(desk: FakeDesk, page: Page) -> None:
    """One of everything."""
    await expect(page.get_by_text(GREETING)).to_be_visible()
    await write(page, "Show me everything")
    await expect(page.locator(".pending")).to_have_count(0)
    asked = desk.place.next_message
    for state in ("done", "stopped", "failed"):
        answer = desk.place.said("model", state="answering", reply_to=asked)
        desk.place.ended(answer, state, 0, BLOCKS)
    desk.place.ended(asked)
    desk.place.said("house", "A fresh conversation.")
    desk.place.said("operator", "Hello, I am a person.")
    desk.fault("messages", 429, message="That was a little fast.")
    await write(page, "Refused")
    await expect(page.locator(".trouble")).to_be_visible()
    await expect(page.locator(".operator")).to_be_visible()


async def violations(page: Page) -> list[str]:
    """What axe finds, in words."""
    found = (await Axe().run(page)).response["violations"]
    return [f"{each['id']}: {[node['html'][:120] for node in each['nodes']]}" for each in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_in_an_empty_and_in_a_full_chat(
    desk: FakeDesk, opened: Opened, scheme: str
) -> None:
    page = await opened(f"/widget/demo#theme={scheme}")
    await expect(page.get_by_text(GREETING)).to_be_visible()
    assert await violations(page) == []
    await fill(desk, page)
    assert await violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_the_demo_page(
    context: BrowserContext, opened: Opened, scheme: str
) -> None:
    page = await opened("/")
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await expect(page.frame_locator("iframe").get_by_text(GREETING)).to_be_visible()
    await page.wait_for_timeout(250)  # the card fades in: its contrast is judged when it stands
    assert await violations(page) == []


async def test_at_400_percent_zoom_nothing_is_cut_off(desk: FakeDesk, opened: Opened) -> None:
    page = await opened()
    await page.set_viewport_size({"width": 320, "height": 480})  # 1280 px at 400 %
    await fill(desk, page)
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    assert await page.locator("#messages").evaluate("e => e.scrollWidth <= e.clientWidth")
    await expect(page.get_by_label("Your message")).to_be_in_viewport()


async def test_it_mirrors_for_right_to_left(desk: FakeDesk, opened: Opened) -> None:
    page = await opened()
    await page.evaluate("document.documentElement.dir = 'rtl'")
    await fill(desk, page)
    person = await page.locator(".person .body").first.bounding_box()
    assert person is not None
    assert person["x"] < 640
    assert await page.locator("#messages").evaluate("e => e.scrollWidth <= e.clientWidth")


async def test_what_a_finger_presses_is_44_px_or_more(browser: Browser, desk: FakeDesk, origin: str) -> None:
    phone = await browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    try:
        page = await phone.new_page()
        await page.goto(f"{origin}/widget/demo")
        await expect(page.get_by_text(GREETING)).to_be_visible()
        assert await page.evaluate("document.activeElement.id") == "title", "the keyboard stays down"
        chip = await page.locator(".chip").first.bounding_box()
        await fill(desk, page)
        for name in ("Good answer", "Send", "Try again"):
            box = await page.get_by_role("button", name=name).first.bounding_box()
            assert box is not None
            assert box["height"] >= 44, name
        assert chip is not None
        assert chip["height"] >= 44
    finally:
        await phone.close()


async def test_nothing_moves_for_who_asked_for_less_motion(desk: FakeDesk, opened: Opened) -> None:
    page = await opened()
    await page.emulate_media(reduced_motion="reduce")
    await write(page, "Hello")
    await expect(page.locator("#dots")).to_be_visible()
    assert await page.evaluate("document.getAnimations().length") == 0
