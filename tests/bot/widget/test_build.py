"""The built files that are committed: small, self-contained, and exactly what the sources build to."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.bot.widget.conftest import Opened, needed, write
from tests.bot.widget.fake import DIST, WIDGET, FakeDesk

FILES = ("loader.js", "app.js", "app.css", "frame.html")
LOADER = 2_000  # bytes gzipped: the promise to the host page
APP = 14_000  # bytes gzipped, everything until a first answer was shown and stopped
ANSWER = ["<p>A first answer of some length, as a person would read it.</p>"] * 8


def packed(*names: str) -> int:
    """Bytes of the files as they travel."""
    return sum(len(gzip.compress((DIST / name).read_bytes(), 9, mtime=0)) for name in names)


def test_the_loader_is_under_two_kilobytes() -> None:
    assert packed("loader.js") < LOADER


@pytest.mark.asyncio(loop_scope="session")
async def test_the_app_with_a_first_answer_shown_and_stopped_is_within_its_budget(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    await write(page, "Hello")
    await expect(page.locator(".pending")).to_have_count(0)
    asked = desk.place.next_message
    answer = desk.place.said("model", state="answering", reply_to=asked)
    for index, block in enumerate(ANSWER):
        desk.place.piece(answer, index, [block], "The next one", re.sub("<.*?>", "", block))
    await expect(page.locator(".open")).to_be_visible()
    await page.get_by_role("button", name="Stop answering").click()
    desk.place.ended(answer, "stopped", len(ANSWER), ["<p>The next one</p>"])
    desk.place.ended(asked, "stopped")
    await expect(page.locator(".state")).to_have_text("Stopped")
    files = await asyncio.to_thread(packed, "app.js", "app.css", "frame.html")
    assert files + desk.size <= APP


def test_nothing_is_loaded_from_anywhere_else() -> None:
    for name in FILES:
        text = (DIST / name).read_text("utf-8")
        assert not re.findall(r"(?:src|href)=[\"']?https?:|url\(|@import|import\(", text), name
        assert not re.search(r"<script>|<style|\sstyle=|\son\w+=\"", text), (
            f"{name}: inline code breaks the CSP"
        )


def test_tools_are_pinned_exactly_and_nothing_is_needed_at_run_time() -> None:
    package = json.loads((WIDGET / "package.json").read_text())
    assert "dependencies" not in package
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["devDependencies"].values())
    lock = (WIDGET / "package-lock.json").read_text()
    assert '"resolved"' not in lock, "a lock file must not name a registry"


@pytest.mark.timeout(300)
def test_the_committed_files_are_what_the_sources_build_to(tmp_path: Path) -> None:
    npm = needed(shutil.which("npm"), named="npm", package="npm")
    copy = tmp_path / "widget"
    shutil.copytree(WIDGET, copy, ignore=shutil.ignore_patterns("node_modules", "dist"))
    built = tmp_path / "built"
    for arguments in (["ci"], ["run", "build"]):
        done = subprocess.run(
            [npm, *arguments],
            cwd=copy,
            env={**os.environ, "OUT": str(built)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    for name in FILES:
        assert (built / name).read_bytes() == (DIST / name).read_bytes(), f"{name}: run `make widget`"
