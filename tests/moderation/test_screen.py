"""The screen over a stream: what is shown, when, in which order, and what happens when someone leaves."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import aclosing, suppress
from types import SimpleNamespace

import pytest

from moderation import Context, Finding, ModerationFailed, Moderator, ScreenBlocked, ScreenFailed, screened

SOON = 5.0  # seconds; a deadline, not a pause


def moderator(*checks):
    return Moderator(checks, policy="test")


async def soon(awaitable):
    async with asyncio.timeout(SOON):
        return await awaitable


async def texts(released):
    async with aclosing(released):
        return [piece.text async for piece in released]


async def collect(released, shown):
    async with aclosing(released):
        async for piece in released:
            shown += [piece.text]


def other_tasks():
    return asyncio.all_tasks() - {asyncio.current_task()}


async def test_a_sentence_is_released_as_soon_as_it_is_complete(feed, told):
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=SOON)) as released:
        feed.give("Hel", "lo the", "re.", " How")
        piece = await soon(anext(released))
        assert piece.text == "Hello there."
        assert piece.verdict.action == "allow"
        assert [draft.text for draft in piece.drafts] == ["Hel", "lo the", "re."]


async def test_the_first_sentence_is_out_within_two_milliseconds_of_its_last_character(feed):
    delays = []
    async with aclosing(screened(feed.drafts(), Moderator.from_policy(), max_wait=SOON)) as released:
        for _ in range(20):
            waiting = asyncio.ensure_future(anext(released))
            feed.give("Our desk is open from nine")
            await asyncio.sleep(0.005)  # the loop comes to rest
            feed.give(" to five.")
            began = time.perf_counter()
            await soon(waiting)
            delays.append(time.perf_counter() - began)
    assert sorted(delays)[len(delays) // 2] <= 0.002, delays


async def test_text_without_a_sentence_end_is_released_after_max_wait_though_nothing_more_comes(feed, told):
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=0.05)) as released:
        feed.give("Let me think about")
        began = time.monotonic()
        piece = await soon(anext(released))
        assert piece.text == "Let me think about"
        assert 0.04 <= time.monotonic() - began < 1.0


async def test_text_that_keeps_coming_is_released_after_max_wait_too(told):
    async def drafts():
        while True:
            await asyncio.sleep(0.005)
            yield SimpleNamespace(text="so ")

    async with aclosing(screened(drafts(), moderator(told), max_wait=0.05)) as released:
        piece = await soon(anext(released))
        assert 2 <= len(piece.drafts) <= 20


async def test_a_released_sentence_does_not_shorten_the_wait_of_the_next(feed, told):
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=0.2)) as released:
        feed.give("One. Two")
        assert (await soon(anext(released))).text == "One."
        began = time.monotonic()
        assert (await soon(anext(released))).text == " Two"
        assert time.monotonic() - began >= 0.15


async def test_a_hundred_and_sixty_characters_are_not_held_longer(feed, told):
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=SOON)) as released:
        feed.give("word " * 33)
        piece = await soon(anext(released))
        assert 80 < len(piece.text) <= 160
        assert piece.text.endswith("word ")


async def test_each_draft_appears_once_where_its_text_begins(stream, told):
    bits = ["", "One. Two", "", " three. Fo", "ur", ""]
    pieces = [piece async for piece in screened(stream(bits), moderator(told))]
    assert [piece.text for piece in pieces] == ["One.", " Two three.", " Four", ""]
    assert [[draft.number for draft in piece.drafts] for piece in pieces] == [[0, 1], [2, 3], [4], [5]]


async def test_a_stream_of_empty_drafts_still_hands_them_on(stream, told):
    pieces = [piece async for piece in screened(stream(["", ""]), moderator(told))]
    assert [(piece.text, len(piece.drafts)) for piece in pieces] == [("", 2)]
    assert told.read == []


async def test_a_blocked_sentence_ends_the_stream_after_the_earlier_ones(stream, told, block):
    told.words["bad"] = block
    shown = []
    with pytest.raises(ScreenBlocked) as blocked:
        await collect(screened(stream(["Good. Also good. A ba", "d one. Good"]), moderator(told)), shown)
    assert shown == ["Good.", " Also good."]
    assert blocked.value.verdict.action == "block"


async def test_a_phrase_cut_in_two_by_the_clock_is_still_seen(feed, told, block):
    told.words["very bad"] = block
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=0.02)) as released:
        feed.give("It is very")
        assert (await soon(anext(released))).text == "It is very"
        feed.give(" bad.")
        with pytest.raises(ScreenBlocked):
            await soon(anext(released))
    assert feed.closed


async def test_what_was_found_in_released_text_is_not_found_again(stream, told):
    told.words["hm"] = Finding("told", "review")
    pieces = [p async for p in screened(stream(["hm one.", " Two.", " Three."]), moderator(told))]
    assert [piece.verdict.action for piece in pieces] == ["review", "allow", "allow"]
    assert told.read[1] == "hm one. Two."


async def test_a_redacted_text_is_released_in_place_of_the_written_one(stream, told):
    told.words["secret"] = Finding("told", "redact", replacement="[hidden]")
    pieces = [p async for p in screened(stream(["The secret", " is out."]), moderator(told))]
    assert [piece.text for piece in pieces] == ["The [hidden] is out."]
    assert [draft.text for draft in pieces[0].drafts] == ["The secret", " is out."]


async def test_a_private_key_that_streams_in_line_by_line_is_hidden_whole(stream):
    lines = [f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us{n:04d}\n" for n in range(60)]
    kind = "PRIVATE KEY"
    key = [
        "Here it is:\n",
        "-----BEGIN ",
        f"RSA {kind}-----\n",
        *lines,
        "abcd==\n",
        f"-----END RSA {kind}",
        "-----",
    ]
    shown = "".join(await texts(screened(stream([*key, "\nKeep it safe.\n"]), Moderator.from_policy())))
    assert shown == "Here it is:\n[private key removed]\nKeep it safe.\n"


@pytest.mark.parametrize("size", [3, 7, 40, 64])
async def test_a_private_key_is_hidden_however_it_is_cut(stream, size):
    body = "\n".join("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us0123" for _ in range(20))
    key = f"-----BEGIN PRIVATE KEY-----\n{body}\nQmFzZQ==\n-----END PRIVATE KEY-----"
    text = f"Look:\n{key}\nDone."
    bits = [text[at : at + size] for at in range(0, len(text), size)]
    shown = "".join(await texts(screened(stream(bits), Moderator.from_policy())))
    assert "MII" not in shown
    assert "QmF" not in shown
    assert shown.startswith("Look:\n[private key removed]")
    assert shown.endswith("Done.")


async def test_a_check_that_fails_closes_the_stream_and_nothing_more_is_shown(feed, told):
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=SOON)) as released:
        feed.give("One.")
        assert (await soon(anext(released))).text == "One."
        told.fails = True
        feed.give(" Two.")
        with pytest.raises(ScreenFailed) as failed:
            await soon(anext(released))
        assert isinstance(failed.value.__cause__, ModerationFailed)
    assert feed.closed
    assert not other_tasks()


async def test_a_source_that_fails_is_heard_after_the_text_before_it(feed, told):
    feed.give("One. Tw")
    feed.fail(LookupError("gone"))
    shown = []
    with pytest.raises(LookupError, match="gone"):
        await collect(screened(feed.drafts(), moderator(told)), shown)
    assert shown == ["One.", " Tw"]


@pytest.mark.parametrize("mode", ["hold", "shadow", "off"])
async def test_a_reader_who_leaves_closes_the_source_and_leaves_no_task(feed, told, mode):
    async with aclosing(screened(feed.drafts(), moderator(told), mode=mode)) as released:
        feed.give("One.", " Two")
        await soon(anext(released))
    assert feed.closed
    assert not other_tasks()


@pytest.mark.parametrize("mode", ["hold", "shadow", "off"])
async def test_a_reader_who_is_cancelled_closes_the_source_and_leaves_no_task(feed, told, mode):
    reached = asyncio.Event()

    async def reader():
        async with aclosing(screened(feed.drafts(), moderator(told), mode=mode, max_wait=SOON)) as released:
            async for _ in released:
                reached.set()

    task = asyncio.create_task(reader())
    feed.give("One.", " Two")
    await soon(reached.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await soon(task)
    assert feed.closed
    assert not other_tasks()


async def test_a_reader_cancelled_while_a_check_judges_leaves_no_task(feed):
    judging = asyncio.Event()

    class Slow:
        name = "slow"

        async def judge(self, text, *, direction):
            judging.set()
            await asyncio.Event().wait()

    released = screened(feed.drafts(), moderator(Slow()))
    task = asyncio.ensure_future(anext(released))
    feed.give("One.")
    await soon(judging.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await soon(task)
    assert feed.closed
    assert not other_tasks()


async def test_the_source_runs_in_one_task_from_first_read_to_close(feed, told):
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=0.01)) as released:
        for text in ["One.", " Two", " Three."]:
            feed.give(text)
            await soon(anext(released))
    assert len(feed.tasks) == 1


async def test_a_source_that_fails_to_close_after_its_reader_left_is_told_to_the_loop(told):
    heard = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context["exception"]))

    async def drafts():
        try:
            yield SimpleNamespace(text="One.")
            await asyncio.Event().wait()
        finally:
            raise OSError("cannot close")

    async with aclosing(screened(drafts(), moderator(told))) as released:
        await soon(anext(released))
    gc.collect()
    assert [str(error) for error in heard] == ["cannot close"]


async def test_a_block_is_told_though_the_source_failed_meanwhile(feed, told, block):
    told.words["bad"] = block
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    feed.give("A bad one.")
    feed.fail(LookupError("gone"))
    with pytest.raises(ScreenBlocked):
        await texts(screened(feed.drafts(), moderator(told)))
    gc.collect()


@pytest.mark.parametrize("mode", ["hold", "shadow", "off"])
async def test_a_source_that_is_cancelled_from_elsewhere_does_not_look_finished(told, mode):
    async def drafts():
        yield SimpleNamespace(text="One.")
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await soon(texts(screened(drafts(), moderator(told), mode=mode)))


async def test_shadow_releases_each_draft_at_once_and_judges_beside_in_order(feed, told, block):
    told.words["bad"] = block
    verdicts = []
    released = screened(feed.drafts(), moderator(told), mode="shadow", on_verdict=verdicts.append)
    async with aclosing(released):
        for text in ["A bad", " one.", " Go", "od."]:
            feed.give(text)
            piece = await soon(anext(released))
            assert (piece.text, piece.verdict.action) == (text, "allow")
        feed.end()
        with suppress(StopAsyncIteration):
            await soon(anext(released))
    assert [(verdict.text, verdict.action) for verdict in verdicts] == [
        ("A bad one.", "block"),
        (" Good.", "allow"),
    ]


async def test_shadow_never_waits_for_a_slow_check(feed):
    class Slow:
        name = "slow"

        async def judge(self, text, *, direction):
            await asyncio.Event().wait()

    released = screened(feed.drafts(), moderator(Slow()), mode="shadow")
    async with aclosing(released):
        feed.give("One.", " Two.", " Three.")
        for expected in ["One.", " Two.", " Three."]:
            assert (await soon(anext(released))).text == expected


async def test_shadow_reports_a_failing_check_for_review_and_goes_on(stream, told):
    verdicts = []
    told.fails = True
    released = screened(stream(["One.", " Two."]), moderator(told), mode="shadow", on_verdict=verdicts.append)
    assert await texts(released) == ["One.", " Two."]
    assert [(v.action, v.findings[0].category) for v in verdicts] == [("review", "failed")] * 2
    assert "out of order" in verdicts[0].findings[0].reason


async def test_hold_reports_every_verdict_too(stream, told, block):
    told.words["bad"] = block
    verdicts = []
    with pytest.raises(ScreenBlocked):
        await texts(screened(stream(["Good. bad."]), moderator(told), on_verdict=verdicts.append))
    assert [verdict.action for verdict in verdicts] == ["allow", "block"]


async def test_off_passes_each_draft_and_judges_nothing(stream, told):
    assert await texts(screened(stream(["A", "", "B. "]), moderator(told), mode="off")) == ["A", "", "B. "]
    assert told.read == []


async def test_an_unknown_mode_is_refused_at_once(stream, told):
    with pytest.raises(ValueError, match="hold, shadow or off"):
        screened(stream([]), moderator(told), mode="held")


async def test_released_sizes_count_the_characters_that_were_written_not_those_shown(stream, told):
    told.words["secret"] = Finding("told", "redact", replacement="[removed]")
    async with aclosing(screened(stream(["A secret. ", "Fine."]), moderator(told))) as released:
        pieces = [piece async for piece in released]
    assert "".join(piece.text for piece in pieces) == "A [removed]. Fine."
    assert sum(piece.size for piece in pieces) == len("A secret. Fine.")


async def test_a_stream_that_goes_on_is_judged_together_with_what_was_shown_before(stream, told):
    told.words["bad word"] = Finding("told", "block")
    with pytest.raises(ScreenBlocked):
        await texts(screened(stream(["word."]), moderator(told), context=Context("This is a bad ")))
