"""A real Chromium and the fake desk it talks to; one browser for all tests of the widget, a fresh profile for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, FrameLocator, Page, async_playwright

from tests.bot.widget.fake import FakeDesk, served

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome")

Opened = Callable[..., Awaitable[Page]]


def needed(program: str | None, *, named: str, package: str) -> str:
    """The program's path; without it the test is skipped on a laptop and fails in CI."""
    if program:
        return program
    how = f"{named} is not installed: apt-get install -y {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(how)
    pytest.skip(how)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium of the system."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    path = needed(found, named="Chromium", package="chromium")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk() -> FakeDesk:
    """The server's side, open to the test."""
    return FakeDesk()


@pytest_asyncio.fixture(loop_scope="session")
async def origin(desk: FakeDesk) -> AsyncIterator[str]:
    """Where the fake desk is served."""
    async with served(desk) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh profile on a desktop."""
    fresh = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    yield fresh
    await fresh.close()


@pytest_asyncio.fixture(loop_scope="session")
async def opened(context: BrowserContext, origin: str) -> Opened:
    """Opens the frame as a page of its own; a script error fails the test."""

    async def open_(path: str = "/widget/demo", **options: Any) -> Page:
        page = await context.new_page()
        page.set_default_timeout(8000)
        page.on("pageerror", lambda error: pytest.fail(f"script error: {error}"))
        await page.goto(origin + path, **options)
        return page

    return open_


async def write(page: Page | FrameLocator, text: str) -> None:
    """Types a message and sends it with Enter."""
    box = page.get_by_label("Your message")
    await box.fill(text)
    await box.press("Enter")
