"""A visitor in a real browser: types, sees the answer stream, comes back to it, stops one, starts afresh."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import expect

PICTURE = os.environ.get("FRONTDESK_PICTURE")  # where to put the README's picture, if it is to be taken anew
SECONDS = 30_000  # milliseconds; a deadline, not a pause


@pytest.fixture
def page(house, chromium):
    context = chromium.new_context(
        viewport={"width": 1280, "height": 800}, device_scale_factor=2, locale="en-US"
    )
    context.set_default_timeout(SECONDS)
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    page.goto(house.url)
    yield page
    context.close()
    assert failures == []


@pytest.fixture
def frame(page):
    return opened(page)


def opened(page):
    """The widget's frame, opened by its button where the page did not open it by itself."""
    frame = page.frame_locator("iframe")
    box = frame.get_by_role("textbox", name="Your message")
    launcher = page.get_by_role("button", name="Open chat")
    expect(box.or_(launcher).first).to_be_visible(timeout=SECONDS)
    if not box.is_visible():
        launcher.click()
    expect(box).to_be_visible(timeout=SECONDS)
    return frame


def ask(frame, text):
    box = frame.get_by_role("textbox", name="Your message")
    box.fill(text)
    box.press("Enter")


def answers(frame):
    return frame.locator(".message.model")


def finished(frame, number):
    """The answer of that number, once it has ended."""
    answer = answers(frame).nth(number)
    expect(answer).to_have_attribute("data-state", "done", timeout=SECONDS)
    return answer


def test_a_typed_message_is_answered_and_the_answer_is_there_after_a_reload(page, frame):
    ask(frame, "What is Frontdesk?")
    answer = finished(frame, 0)
    text = answer.locator(".body").inner_text()
    assert len(text) > 20
    if PICTURE:
        page.screenshot(path=PICTURE)
    page.reload()
    again = opened(page)
    expect(again.locator(".message.person .body")).to_have_text("What is Frontdesk?", timeout=SECONDS)
    assert finished(again, 0).locator(".body").inner_text() == text


def test_an_answer_streams_piece_by_piece(page, frame):
    frame.locator("body").evaluate(
        """() => {
            window.lengths = [];
            new MutationObserver(() => {
                const body = document.querySelector('.message.model .body');
                if (body) window.lengths.push(body.innerText.length);
            }).observe(document.querySelector('#list'), {childList: true, subtree: true, characterData: true});
        }"""
    )
    ask(frame, "Give me the full tour of Frontdesk.")
    finished(frame, 0)
    lengths = frame.locator("body").evaluate("() => window.lengths")
    assert len(set(lengths)) >= 3, lengths
    assert lengths[0] < lengths[-1]


def test_a_tab_that_closes_midway_finds_the_whole_answer_later(page, frame):
    ask(frame, "Give me the full tour of Frontdesk.")
    expect(answers(frame)).to_have_count(1, timeout=SECONDS)
    page.goto("about:blank")
    page.go_back()
    assert len(finished(opened(page), 0).locator(".body").inner_text()) > 400


def test_an_answer_is_stopped_midway_and_what_was_shown_stays(page, frame):
    # The starter writes faster than a hand moves: the page itself presses the button at the first words.
    frame.locator("body").evaluate(
        """() => new MutationObserver((_, watch) => {
            const stop = document.querySelector('#stop');
            if (document.querySelector('.message.model .body')?.innerText && !stop.hidden) {
                watch.disconnect();
                stop.click();
            }
        }).observe(document.body, {childList: true, subtree: true, attributes: true, characterData: true})"""
    )
    ask(frame, "Give me the full tour of Frontdesk.")
    answer = answers(frame).first
    expect(answer).to_have_attribute("data-state", "stopped", timeout=SECONDS)
    text = answer.locator(".body").inner_text()
    assert text
    page.reload()
    again = answers(opened(page)).first
    expect(again).to_have_attribute("data-state", "stopped", timeout=SECONDS)
    assert again.locator(".body").inner_text() == text


def test_a_name_is_remembered_until_reset(frame):
    ask(frame, "Hello, my name is Miriam.")
    finished(frame, 0)
    ask(frame, "What is my name?")
    assert "Miriam" in finished(frame, 1).inner_text()
    ask(frame, "/reset")
    expect(frame.locator(".message.house").last).to_contain_text("fresh conversation", timeout=SECONDS)
    ask(frame, "What is my name?")
    assert "Miriam" not in finished(frame, 2).inner_text()


def test_forget_empties_the_conversation(page, frame):
    ask(frame, "What is Frontdesk?")
    finished(frame, 0)
    ask(frame, "/forget")
    expect(frame.locator(".message.model")).to_have_count(0, timeout=SECONDS)
    page.reload()
    expect(opened(page).locator(".message.person", has_text="What is Frontdesk?")).to_have_count(0)
