"""The screen over a stream: what is shown, when, in which order, and what happens when someone leaves."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import aclosing, suppress
from types import SimpleNamespace

import pytest

from moderation import (
    Context,
    Finding,
    ModerationFailed,
    Moderator,
    ScreenBlocked,
    ScreenFailed,
    Where,
    screened,
)
from tests.moderation.conftest import Told

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


async def test_a_sentence_needs_no_clock_and_a_handful_of_steps_of_the_loop_from_its_last_character_on(
    feed, told
):
    """What it takes in milliseconds is in benchmarks/screening.py; a loaded machine can only make the steps longer."""
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=SOON)) as released:
        waiting = asyncio.ensure_future(anext(released))
        feed.give("Our desk is open from nine")
        for _ in range(50):
            await asyncio.sleep(0)
        assert not waiting.done()
        feed.give(" to five.")
        steps = 0
        while not waiting.done() and steps < 50:
            await asyncio.sleep(0)
            steps += 1
        assert steps <= 12
        assert (await waiting).text == "Our desk is open from nine to five."


async def test_text_without_a_sentence_end_is_released_after_max_wait_but_for_its_last_word(feed, told):
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=0.05)) as released:
        feed.give("Let me think about")
        began = time.monotonic()
        piece = await soon(anext(released))
        assert piece.text == "Let me think "
        assert time.monotonic() - began >= 0.04
        assert (await soon(anext(released))).text == "about"
        assert time.monotonic() - began >= 0.18


async def test_text_that_keeps_coming_is_released_after_max_wait_too(told):
    async def drafts():
        while True:
            await asyncio.sleep(0.005)
            yield SimpleNamespace(text="so ")

    async with aclosing(screened(drafts(), moderator(told), max_wait=0.05)) as released:
        piece = await soon(anext(released))
        assert 2 <= len(piece.drafts) <= 20


@pytest.mark.parametrize(
    ("held", "rest"),
    [
        ("call +49 170 123", "4567 now."),
        ("card 4111 1111 ", "1111 1111 ok."),
        ("iban DE89 3704 0044 ", "0532 0130 00. Yes"),
        ("iban GB29 NWBK 60", "16 1331 9268 19. Yes"),
        ("mail j.doe@exa", "mple.org is it."),
        ("for [EMAIL_", "1] it is."),
        ("key sk_live_", "4242 is it."),
    ],
)
async def test_what_may_become_a_number_an_address_or_a_placeholder_stays_in_one_piece(
    feed, told, held, rest
):
    before, _, begun = held.partition(" ")
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=0.02)) as released:
        feed.give(held)
        assert (await soon(anext(released))).text == f"{before} "
        waiting = asyncio.ensure_future(anext(released))
        await asyncio.sleep(0.3)  # fifteen times the wait; what is held must not come
        assert not waiting.done()
        feed.give(rest)
        assert (await soon(waiting)).text.startswith(begun + rest.split()[0])


async def test_a_card_number_is_not_cut_at_the_length_limit_either(stream):
    text = "Well " * 30 + "4111 1111 1111 1111 is it, and that is all there is to say about it"
    shown = "".join(await texts(screened(stream(list(text)), Moderator.from_policy())))
    assert "4111" not in shown
    assert "[card number removed]" in shown or "1111" not in shown


async def test_an_address_is_not_cut_after_its_first_point(feed, told):
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=SOON)) as released:
        feed.give("Please write to jane.", "doe@example.org today. Bye")
        assert (await soon(anext(released))).text == "Please write to jane.doe@example.org today."


async def test_a_long_key_is_one_piece(stream, told):
    key = "eyJhbGciOiJIUzI1NiJ9." + "a1B2" * 120 + "." + "c3D4" * 10
    pieces = await texts(screened(stream([f"It is {key[:200]}", key[200:], " so keep it."]), moderator(told)))
    assert any(key in piece for piece in pieces)


async def test_a_key_without_end_is_released_at_last(stream, told):
    pieces = await texts(screened(stream(["x" * 50] * 100), moderator(told)))
    assert "".join(pieces) == "x" * 5000
    assert max(map(len, pieces)) <= 2048


async def test_a_table_is_released_row_by_row_and_no_cell_is_cut(feed, told):
    rows = ["| Room | Price. Per night! |\n", "|---|---|\n", "| 12 | 80 euros. Breakfast? No. |\n"]
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=0.02)) as released:
        feed.give("Here:\n", rows[0][:9], rows[0][9:], rows[1], rows[2], "Fine. ")
        assert [(await soon(anext(released))).text for _ in range(5)] == ["Here:\n", *rows, "Fine."]


async def test_a_row_that_does_not_end_is_released_cell_by_cell_after_a_longer_wait(feed, told):
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=0.03)) as released:
        began = time.monotonic()
        feed.give("| Room | Pri")
        assert (await soon(anext(released))).text == "| Room |"
        assert time.monotonic() - began >= 0.1
        feed.give("ce |\n")
        assert (await soon(anext(released))).text == " Price |\n"


async def test_a_row_too_long_to_hold_is_cut_between_two_cells(stream, told):
    row = "| " + " | ".join(f"cell number {n} with words" for n in range(12)) + " |\n"
    pieces = await texts(screened(stream([row]), moderator(told)))
    assert len(pieces) > 1
    assert all(piece.rstrip().endswith("|") for piece in pieces)


async def test_a_block_of_code_is_released_line_by_line(feed, told):
    lines = ["```js\n", "if (a. b) { go! }\n", "return x; // Done. Yes.\n", "```\n"]
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=SOON)) as released:
        feed.give(*"".join(lines), "So. Bye")
        assert [(await soon(anext(released))).text for _ in range(5)] == [*lines, "So."]


async def test_a_long_line_of_code_is_cut_between_words_and_all_of_it_is_judged(stream, told):
    line = "const a = [" + ", ".join(f"item{n}" for n in range(80)) + "];\n"
    pieces = await texts(screened(stream(["```\n", line, "```\n"]), moderator(told)))
    assert "".join(pieces) == f"```\n{line}```\n"
    assert all("," not in piece or piece.rstrip("\n ")[-1] in ",;" for piece in pieces[1:-1])


async def test_a_released_sentence_does_not_shorten_the_wait_of_the_next(feed, told):
    async with aclosing(screened(feed.drafts(), moderator(told), max_wait=0.2)) as released:
        feed.give("One. Two three")
        assert (await soon(anext(released))).text == "One."
        began = time.monotonic()
        assert (await soon(anext(released))).text == " Two "
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
        feed.give("It is very ")
        assert (await soon(anext(released))).text == "It is very "
        feed.give("bad.")
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


@pytest.mark.parametrize(
    "answer", [None, "allow", SimpleNamespace(action="fine", text="A."), SimpleNamespace(action="allow")]
)
async def test_a_moderator_that_answers_nonsense_closes_the_stream(stream, answer):
    class Odd(Moderator):
        async def check(self, text, **options):
            return answer

    shown = []
    with pytest.raises(ScreenFailed):
        await collect(screened(stream(["A. B."]), Odd([], policy="odd")), shown)
    assert shown == []


async def test_a_check_that_hangs_closes_the_stream(feed, told):
    class Stuck(Told):
        async def judge(self, text, *, direction):
            if "Two" in text:
                await asyncio.Event().wait()
            return await super().judge(text, direction=direction)

    shown = []
    feed.give("One.", " Two.", " Three.")
    with pytest.raises(ScreenFailed) as failed:
        await soon(collect(screened(feed.drafts(), moderator(Stuck()), max_judging=0.05), shown))
    assert shown == ["One."]
    assert isinstance(failed.value.__cause__, ModerationFailed)
    assert feed.closed
    assert not other_tasks()


async def test_the_place_and_the_system_prompt_reach_the_moderator(stream):
    asked = []

    class Noting(Moderator):
        async def check(self, text, **options):
            asked.append(options)
            return await super().check(text, **options)

    where = Where(channel="slack", place="C1")
    for mode in ("hold", "shadow"):
        await texts(
            screened(stream(["A."]), Noting([], policy="p"), mode=mode, where=where, system="Be kind.")
        )
    assert [(one["where"], one["system"], one["direction"]) for one in asked] == [
        (where, "Be kind.", "output")
    ] * 2


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
