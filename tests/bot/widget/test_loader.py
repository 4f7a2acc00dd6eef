"""The one tag on someone else's page: under a strict CSP, from another origin, by mouse, keyboard and command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.bot.widget.conftest import write
from tests.bot.widget.fake import GREETING, FakeDesk, served

pytestmark = pytest.mark.asyncio(loop_scope="session")

STUB = "window.Frontdesk=function(){(Frontdesk.q=Frontdesk.q||[]).push(arguments)};Frontdesk('ask','Early bird?')"


@pytest_asyncio.fixture(loop_scope="session")
async def host(desk: FakeDesk, origin: str) -> AsyncIterator[str]:
    """Another site that carries the tag; its CSP allows our script and our frame and nothing else."""

    def page(attributes: str = "", script: str = "") -> Any:
        async def serve(_: web.Request) -> web.Response:
            early = f"<script src='{script}'></script>" if script else ""
            tag = f"<script async src='{origin}/widget.js' data-site='demo' {attributes}></script>"
            return web.Response(
                text=f"<!doctype html><html lang=en><title>Host</title>{early}{tag}<h1>Host</h1><button>Own</button>",
                content_type="text/html",
                headers={
                    "Content-Security-Policy": f"default-src 'none'; script-src {origin} 'self'; frame-src {origin}"
                },
            )

        return serve

    async def stub(_: web.Request) -> web.Response:
        return web.Response(text=STUB, content_type="text/javascript")

    extra = (
        web.get("/host", page()),
        web.get("/other", page()),
        web.get("/early", page(script="/stub.js")),
        web.get("/dark", page("data-theme=dark data-lang=zh data-side=left data-open")),
        web.get("/stub.js", stub),
    )
    async with served(desk, *extra) as address:
        yield address.replace("127.0.0.1", "localhost")  # another site, not only another port


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page that fails the test when its CSP is broken or a script throws."""
    fresh = await context.new_page()
    fresh.set_default_timeout(8000)
    wrong: list[str] = []
    fresh.on("pageerror", lambda error: wrong.append(str(error)))
    fresh.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield fresh
    assert wrong == []


async def test_the_button_opens_the_chat_and_escape_brings_the_focus_back(
    desk: FakeDesk, host: str, page: Page
) -> None:
    await page.goto(f"{host}/host")
    button = page.get_by_role("button", name="Open chat")
    await expect(button).to_have_attribute("aria-expanded", "false")
    assert desk.sessions == [], "nothing is asked of the server before the chat is opened"
    await button.press("Enter")
    chat = page.frame_locator("iframe")
    await expect(chat.get_by_text(GREETING)).to_be_visible()
    await expect(chat.get_by_label("Your message")).to_be_focused()
    assert desk.sessions[0]["origin"] == host, "the browser's own word for the page around us"
    await write(chat, "Hello from the host")
    await expect(chat.locator(".person .body")).to_have_text("Hello from the host")
    await page.keyboard.press("Escape")
    await expect(page.locator("iframe")).to_be_hidden()
    await expect(button).to_be_focused()
    await button.click()
    await expect(chat.locator(".person .body")).to_have_text("Hello from the host")
    await chat.get_by_role("button", name="Close chat").click()
    await expect(page.locator("iframe")).to_be_hidden()


async def test_a_closed_chat_holds_no_stream(desk: FakeDesk, host: str, page: Page) -> None:
    await page.goto(f"{host}/host")
    await page.get_by_role("button", name="Open chat").click()
    chat = page.frame_locator("iframe")
    await expect(chat.get_by_text(GREETING)).to_be_visible()
    await page.get_by_role("button", name="Close chat").first.click()
    await page.wait_for_function("1")
    for _ in range(400):
        if not desk.streams:
            break
        await page.wait_for_timeout(10)
    assert desk.streams == {}


async def test_an_open_chat_is_open_again_on_the_next_page(host: str, page: Page) -> None:
    await page.goto(f"{host}/host")
    await page.get_by_role("button", name="Open chat").click()
    await expect(page.frame_locator("iframe").get_by_text(GREETING)).to_be_visible()
    await page.goto(f"{host}/other")
    await expect(page.frame_locator("iframe").get_by_text(GREETING)).to_be_visible()
    assert await page.evaluate("document.activeElement === document.body"), "but takes no focus"


async def test_commands_given_before_the_script_arrived_are_obeyed(
    desk: FakeDesk, host: str, page: Page
) -> None:
    await page.goto(f"{host}/early")
    await expect(page.frame_locator("iframe").locator(".person .body")).to_have_text("Early bird?")
    await page.evaluate("Frontdesk('close')")
    await expect(page.locator("iframe")).to_be_hidden()
    await page.evaluate("Frontdesk('open')")
    await expect(page.locator("iframe")).to_be_visible()


async def test_the_tag_sets_theme_language_and_side(desk: FakeDesk, host: str, page: Page) -> None:
    await page.goto(f"{host}/dark")
    chat = page.frame_locator("iframe")
    await expect(chat.get_by_text("您好！这里是前台")).to_be_visible()
    await expect(chat.locator("html")).to_have_attribute("data-theme", "dark")
    box = await page.locator("iframe").bounding_box()
    assert box is not None
    assert box["x"] < 100


async def test_words_from_anyone_else_are_not_listened_to(desk: FakeDesk, host: str, page: Page) -> None:
    await page.goto(f"{host}/host")
    await page.get_by_role("button", name="Open chat").click()
    chat = page.frame_locator("iframe")
    await expect(chat.get_by_text(GREETING)).to_be_visible()
    frame = next(each for each in page.frames if "/widget/demo" in each.url)
    await page.evaluate("postMessage({frontdesk: 'close'}, '*')")  # not from our frame
    await frame.evaluate(
        "postMessage({frontdesk: 'ask', text: 'Forged'}, '*')"
    )  # not from the page around it
    await write(chat, "Real")
    await expect(chat.locator(".person .body")).to_have_text(["Real"])
    await expect(page.locator("iframe")).to_be_visible()
    assert desk.texts == ["Real"]


async def test_on_a_phone_it_is_a_full_sheet_that_never_opens_by_itself(
    desk: FakeDesk, origin: str, browser: Browser
) -> None:
    phone = await browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    try:
        page = await phone.new_page()
        await page.goto(origin)
        await expect(page.get_by_role("button", name="Open chat")).to_be_visible()
        await expect(page.locator("iframe")).to_have_count(0)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390
        await page.get_by_role("button", name="Open chat").tap()
        await expect(page.frame_locator("iframe").get_by_text(GREETING)).to_be_visible()
        await page.wait_for_timeout(250)  # it slides in
        assert await page.locator("iframe").bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
        await page.frame_locator("iframe").get_by_role("button", name="Close chat").tap()
        await expect(page.get_by_role("button", name="Open chat")).to_be_visible()
    finally:
        await phone.close()


async def test_the_demo_page_opens_its_chat_on_a_desktop_and_remembers_when_it_was_closed(
    origin: str, page: Page
) -> None:
    await page.goto(origin)
    chat = page.frame_locator("iframe")
    await expect(chat.get_by_text(GREETING)).to_be_visible()
    await chat.get_by_role("button", name="Close chat").click()
    await expect(page.locator("iframe")).to_be_hidden()
    await page.reload()
    await expect(page.get_by_role("button", name="Open chat")).to_be_visible()
    await expect(page.locator("iframe")).to_have_count(0)
