"""The chat in a real Chromium: what is sent, shown, streamed, stopped, lost and found again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.bot.widget.conftest import Opened, write
from tests.bot.widget.fake import GREETING, SUGGESTIONS, FakeDesk

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def until(true: Callable[[], object], *, within: float = 8.0) -> None:
    """Waits for something on the server's side."""
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)


async def begin_answer(desk: FakeDesk, page: Page, question: str = "Hello") -> tuple[int, int]:
    """A question that is being answered: its id and the answer's."""
    await write(page, question)
    await until(lambda: question in desk.texts)
    asked = desk.place.next_message
    return asked, desk.place.said("model", state="answering", reply_to=asked)


def finish(desk: FakeDesk, asked: int, answer: int, *blocks: str, state: str = "done", say: str = "") -> None:
    """The answer ends, and with it the question."""
    desk.place.ended(answer, state, 0, list(blocks), say)
    desk.place.ended(asked, "done")


async def test_the_greeting_and_its_questions_stand_until_the_first_message(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    await expect(page.get_by_text(GREETING)).to_be_visible()
    await expect(page.locator("h1")).to_have_text("Frontdesk")
    await page.get_by_role("button", name=SUGGESTIONS[1]).click()
    await expect(page.locator(".person .body")).to_have_text(SUGGESTIONS[1])
    await expect(page.locator(".chip").first).to_be_hidden()
    await until(lambda: desk.texts == [SUGGESTIONS[1]])


async def test_a_message_is_shown_at_once_and_stands_once_when_it_is_confirmed(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    await write(page, "Two  lines\n<b>here</b>")
    await expect(page.locator(".person")).to_have_count(1)
    await expect(page.locator(".pending")).to_have_count(0)
    await expect(page.locator(".person")).to_have_count(1)
    await expect(page.locator(".person .body")).to_contain_text("<b>here</b>")
    await expect(page.get_by_label("Your message")).to_have_value("")
    await expect(page.get_by_label("Your message")).to_be_focused()


async def test_shift_enter_and_an_input_method_do_not_send(desk: FakeDesk, opened: Opened) -> None:
    page = await opened()
    box = page.get_by_label("Your message")
    await box.fill("one")
    await box.press("Shift+Enter")
    await box.press_sequentially("two")
    await expect(box).to_have_value("one\ntwo")
    await box.evaluate(
        "e => e.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, cancelable: true}))"
    )
    await expect(box).to_have_value("one\ntwo")
    assert desk.texts == []


async def test_the_composer_grows_to_six_lines_and_no_further(opened: Opened) -> None:
    page = await opened()
    box = page.get_by_label("Your message")
    low = (await box.bounding_box() or {})["height"]
    await box.fill("1\n2\n3")
    three = (await box.bounding_box() or {})["height"]
    await box.fill("\n".join("123456789"))
    most = (await box.bounding_box() or {})["height"]
    assert low == 44
    assert low < three < most <= 6 * 24 + 20


async def test_finished_blocks_are_markup_and_the_open_one_is_text(desk: FakeDesk, opened: Opened) -> None:
    page = await opened()
    asked, answer = await begin_answer(desk, page)
    await expect(page.locator("#dots")).to_be_visible()
    desk.place.piece(answer, 0, [], "Some **bold", "")
    await expect(page.locator(".open")).to_have_text("Some **bold")
    await expect(page.locator("#dots")).to_be_hidden()
    desk.place.grow(answer, " word")
    await expect(page.locator(".open")).to_have_text("Some **bold word")
    desk.place.piece(answer, 0, ["<p>Some <strong>bold</strong> text.</p>"], "- it", "Some bold text.")
    await expect(page.locator(".model strong")).to_have_text("bold")
    await expect(page.locator(".open")).to_have_text("- it")
    desk.place.piece(answer, 1, ["<ul><li>item</li></ul>"], "<i>raw")
    await expect(page.locator(".open")).to_have_text("<i>raw")
    finish(
        desk, asked, answer, "<p>Some <strong>bold</strong> text.</p>", "<ul><li>item</li></ul>", "<p>end</p>"
    )
    await expect(page.locator(".open")).to_have_count(0)
    await expect(page.locator(".model .body > div")).to_have_count(3)


async def test_a_screen_reader_hears_whole_sentences_and_never_the_growing_text(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    await page.evaluate(
        "window.heard = []; new MutationObserver(all => all.forEach(m => m.addedNodes.forEach("
        "n => heard.push(n.textContent)))).observe(document.querySelector('[role=log]'), {childList: true})"
    )
    asked, answer = await begin_answer(desk, page)
    await expect(page.get_by_role("status")).to_have_text("Thinking…")
    for grown in ("One", "One sentence", "One sentence. Ano"):
        desk.place.piece(answer, 0, [], grown, "One sentence." if "." in grown else "")
    finish(desk, asked, answer, "<p>One sentence. Another</p>", say="Another")
    desk.place.said("house", "A notice.")
    await expect(page.get_by_role("log")).to_contain_text("A notice.")
    assert await page.evaluate("heard") == ["One sentence.", "Another", "A notice."]
    await expect(page.get_by_role("status")).to_have_text("Answer complete")
    assert await page.locator("#messages").evaluate("e => !!e.closest('[aria-live],[role=log]')") is False


async def test_the_stop_button_takes_the_place_of_send_while_an_answer_is_under_way(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    asked, answer = await begin_answer(desk, page)
    desk.place.piece(answer, 0, [], "A long story")
    await expect(page.get_by_role("button", name="Send")).to_be_hidden()
    await page.get_by_role("button", name="Stop answering").click()
    await until(lambda: desk.stops == 1)
    await expect(page.get_by_label("Your message")).to_be_focused()
    finish(desk, asked, answer, "<p>A long story</p>", state="stopped")
    await expect(page.locator(".model .state")).to_have_text("Stopped")
    await expect(page.get_by_role("status")).to_have_text("Stopped")
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await expect(page.get_by_role("button", name="Stop answering")).to_be_hidden()


async def test_a_next_message_can_be_sent_while_an_answer_is_under_way(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    await begin_answer(desk, page)
    await page.get_by_label("Your message").fill("And this?")
    await page.get_by_role("button", name="Send").click()
    await until(lambda: desk.texts == ["Hello", "And this?"])


async def test_after_a_reload_everything_is_there_and_nothing_is_read_aloud(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    asked, answer = await begin_answer(desk, page)
    finish(desk, asked, answer, "<p>Kept.</p>", say="Kept.")
    await expect(page.locator(".model")).to_contain_text("Kept.")
    await page.reload()
    await expect(page.locator(".model")).to_contain_text("Kept.")
    await expect(page.locator(".person .body")).to_have_text("Hello")
    await expect(page.locator(".chip").first).to_be_hidden()
    await expect(page.get_by_role("log")).to_have_text("")
    assert len(desk.places) == 1
    assert desk.begun == 2, "the token rotates"


async def test_a_cut_stream_goes_on_from_the_last_event_it_had(desk: FakeDesk, opened: Opened) -> None:
    page = await opened()
    asked, answer = await begin_answer(desk, page)
    desk.place.piece(answer, 0, ["<p>First.</p>"], "Sec")
    await expect(page.locator(".open")).to_have_text("Sec")
    seen = desk.place.clock
    desk.cut()
    finish(desk, asked, answer, "<p>First.</p>", "<p>Second.</p>")
    await expect(page.locator(".model .body > div")).to_have_text(["First.", "Second."])
    assert desk.last_ids == [None, str(seen)]
    await expect(page.locator(".person")).to_have_count(1)


async def test_a_server_that_is_away_is_told_quietly_and_waited_for(desk: FakeDesk, opened: Opened) -> None:
    page = await opened()
    await expect(page.locator("#about")).to_have_text("AI assistant")
    await until(lambda: desk.streams)
    desk.up = False
    desk.cut()
    await expect(page.locator("#about")).to_have_text("Reconnecting…")
    await expect(page.get_by_role("status")).to_have_text("Reconnecting…")
    desk.up = True
    await expect(page.locator("#about")).to_have_text("AI assistant", timeout=15000)


async def test_a_message_whose_answer_is_lost_is_sent_again_under_its_key_and_stands_once(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    await until(lambda: desk.streams)
    desk.lose_answer = 1
    await write(page, "Only once")
    await expect(page.locator(".pending")).to_have_count(0)
    await expect(page.locator(".person")).to_have_count(1)
    await page.reload()
    await expect(page.locator(".person")).to_have_count(1)
    assert desk.texts == ["Only once"]
    assert len(set(desk.attempts)) == 1


async def test_a_message_that_cannot_be_delivered_is_tried_again_by_itself(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    await until(lambda: desk.streams)
    desk.fault("messages", 502)
    await write(page, "Try")
    await until(lambda: desk.texts == ["Try"])
    await expect(page.locator(".trouble")).to_have_count(0)


async def test_a_refused_message_keeps_its_words_the_reason_and_a_retry(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    reason = "That was a little fast. Please try again in 5 s."
    desk.fault("messages", 429, message=reason, retry_after=5)
    await write(page, "Too fast")
    await expect(page.locator(".trouble")).to_contain_text(reason)
    await expect(page.get_by_role("status")).to_have_text(reason)
    await page.get_by_role("button", name="Try again").click()
    await until(lambda: desk.texts == ["Too fast"])
    await expect(page.locator(".trouble")).to_have_count(0)
    await expect(page.locator(".person")).to_have_count(1)


async def test_a_message_that_will_never_do_goes_back_to_the_composer(desk: FakeDesk, opened: Opened) -> None:
    page = await opened()
    desk.fault("messages", 413, message="The message is too long: at most 8000 characters, please.")
    await write(page, "A novel")
    await expect(page.locator(".trouble")).to_contain_text("too long")
    await page.get_by_role("button", name="Edit").click()
    await expect(page.get_by_label("Your message")).to_have_value("A novel")
    await expect(page.locator(".person")).to_have_count(0)


async def test_a_session_that_is_gone_is_replaced_and_the_message_still_arrives(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    await write(page, "Before")
    await expect(page.locator(".pending")).to_have_count(0)
    desk.revoke()
    await write(page, "After")
    await until(lambda: desk.texts == ["Before", "After"])
    await expect(page.locator(".person .body")).to_have_text(["After"])
    desk.place.said("house", "A new conversation.")
    await expect(page.locator(".house")).to_contain_text("A new conversation.")
    await expect(page.locator(".person .body")).to_have_text(["After"])


async def test_forgetting_empties_the_view_and_brings_the_questions_back(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    asked, answer = await begin_answer(desk, page)
    finish(desk, asked, answer, "<p>Secret.</p>")
    await expect(page.locator(".model")).to_contain_text("Secret.")
    desk.place.tell("cleared")
    await expect(page.locator(".house")).to_contain_text("has been deleted")
    await expect(page.locator(".model, .person")).to_have_count(0)
    await expect(page.locator(".chip").first).to_be_visible()
    await expect(page.get_by_role("button", name="Stop answering")).to_be_hidden()
    await page.reload()
    await expect(page.locator(".chip").first).to_be_visible()
    await expect(page.locator(".house")).to_have_count(0)


async def test_a_thumb_is_sent_for_a_finished_answer(desk: FakeDesk, opened: Opened) -> None:
    page = await opened()
    asked, answer = await begin_answer(desk, page)
    desk.place.piece(answer, 0, [], "Growing")
    await expect(page.get_by_role("button", name="Good answer")).to_have_count(0)
    finish(desk, asked, answer, "<p>Done.</p>")
    thumb = page.get_by_role("button", name="Good answer")
    await thumb.click()
    await expect(thumb).to_have_attribute("aria-pressed", "true")
    await until(lambda: desk.feedback == [{"message": answer, "value": 1}])


async def test_code_can_be_copied_and_links_leave_the_frame(
    desk: FakeDesk, opened: Opened, context: BrowserContext
) -> None:
    page = await opened()
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    asked, answer = await begin_answer(desk, page)
    finish(
        desk,
        asked,
        answer,
        "<pre><code>frontdesk up\n</code></pre>",
        '<p><a href="https://example.org">guide</a></p>',
    )
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("status")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "frontdesk up"
    await expect(page.get_by_role("link")).to_have_attribute("target", "_blank")
    await expect(page.get_by_role("link")).to_have_attribute("rel", re.compile("noopener"))


async def test_who_reads_further_up_is_not_moved_and_can_jump_to_the_end(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    asked, answer = await begin_answer(desk, page)
    long = [f"<p>Paragraph {number}.</p>" for number in range(60)]
    desk.place.piece(answer, 0, long, "and")
    scroller = page.locator("#messages")
    end = "e => e.scrollHeight - e.scrollTop - e.clientHeight < 2"
    await expect(page.locator(".open")).to_be_in_viewport()
    assert await scroller.evaluate(end)
    await scroller.evaluate("e => { e.scrollTop = 100 }")
    await expect(page.get_by_role("button", name="Jump to latest")).to_be_visible()
    finish(desk, asked, answer, *long, *long)
    await expect(page.locator(".model .body > div")).to_have_count(120)
    assert await scroller.evaluate("e => e.scrollTop") == 100
    await page.get_by_role("button", name="Jump to latest").click()
    await expect(page.get_by_role("button", name="Good answer")).to_be_in_viewport()
    await expect(page.get_by_role("button", name="Jump to latest")).to_be_hidden()


async def test_two_tabs_share_one_stream_and_the_second_takes_over(
    desk: FakeDesk, opened: Opened, context: BrowserContext
) -> None:
    first = await opened()
    await write(first, "From the first")
    await expect(first.locator(".pending")).to_have_count(0)
    second = await opened()
    await expect(second.locator(".person .body")).to_have_text(["From the first"])
    await write(second, "From the second")
    await expect(first.locator(".person .body")).to_have_text(["From the first", "From the second"])
    await expect(second.locator(".person .body")).to_have_text(["From the first", "From the second"])
    assert len(desk.streams) == 1
    assert desk.last_ids == [None]
    seen = desk.place.clock
    await first.close()
    await until(lambda: len(desk.last_ids) == 2)
    desk.place.said("house", "Still here.")
    await expect(second.locator(".house")).to_contain_text("Still here.")
    assert desk.last_ids == [None, str(seen)]


async def test_a_hidden_tab_does_not_stream_and_catches_up_when_it_is_seen(
    desk: FakeDesk, opened: Opened
) -> None:
    page = await opened()
    await until(lambda: desk.streams)
    see = (
        "state => { Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')) }"
    )
    await page.evaluate(see, "hidden")
    await until(lambda: not desk.streams)
    desk.place.said("house", "Meanwhile.")
    await page.evaluate(see, "visible")
    await expect(page.locator(".house")).to_contain_text("Meanwhile.")


async def test_a_place_that_may_not_be_used_says_so(desk: FakeDesk, opened: Opened) -> None:
    desk.fault("session", 403, message="This website may not use this chat.")
    page = await opened()
    await expect(page.locator("#greeting")).to_have_text("This website may not use this chat.")
    await expect(page.get_by_label("Your message")).to_be_disabled()


async def test_it_speaks_chinese_when_asked(desk: FakeDesk, opened: Opened) -> None:
    page = await opened("/widget/demo#lang=zh-CN")
    await expect(page.get_by_text("您好！这里是前台")).to_be_visible()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    await expect(page.get_by_role("button", name="发送")).to_be_visible()
    assert desk.sessions[0]["language"] == "zh-CN"
