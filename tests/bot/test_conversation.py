"""One message's way through the house, from acceptance to the last state of its answer."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import replace

import pytest

from bot.allowance import Allowance, Limit
from bot.answering import Postponed
from bot.messages import Ending, Incoming, NotAccepted, Notice, Person, Place, Shown
from bot.models import Served
from bot.notices import notice
from bot.store import LeaseLost, StoreUnavailable
from inference.library import ModelNotFound
from worker.client import JobFailed


async def test_a_message_is_answered_and_what_was_shown_is_kept(desk):
    assert await desk.ask("hello") == "Good morning. How are you?"
    assert await desk.seen() == [("person", "hello", "done"), ("model", "Good morning. How are you?", "done")]


async def test_pieces_come_sentence_by_sentence_and_each_is_in_sql_before_it_is_shown(desk):
    receipt = await desk.say("hello")
    async with aclosing(desk.conversation.answer(await desk.lease())) as answer:
        async for part in answer:
            if isinstance(part, Ending):
                continue
            events = await desk.store.timeline(receipt.place_id, after=0, limit=100)
            assert events[-1].said.text.endswith(part.text)


async def test_the_same_key_is_answered_once(desk):
    first = await desk.say("hello", key="same")
    again = await desk.say("hello", key="same")
    assert not first.duplicate
    assert again.duplicate
    assert again.message_id == first.message_id
    await desk.told()
    assert await desk.store.lease(owner="here", ttl=15.0, limit=9) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [("  \n ", "empty"), ("x" * 8_001, "oversized"), ("a\x00b", "unreadable"), ("half \ud83d", "unreadable")],
)
async def test_what_cannot_be_read_is_refused_with_a_sentence_and_not_kept(desk, text, code):
    with pytest.raises(NotAccepted) as caught:
        await desk.say(text)
    assert caught.value.refusal.code == code
    assert caught.value.refusal.sentence
    assert await desk.store.lease(owner="here", ttl=15.0, limit=9) == []


async def test_history_goes_to_the_model_and_commands_and_notices_do_not(desk):
    await desk.ask("my name is Ann")
    await desk.say("/help")
    await desk.ask("what is my name?")
    prompt = desk.prompt()
    assert prompt.index("my name is Ann") < prompt.index("Good morning.") < prompt.index("what is my name?")
    assert "/help" not in prompt


async def test_the_model_reads_its_own_conversation_and_no_other(desk):
    await desk.ask("my name is Ann", place="one")
    await desk.ask("what is my name?", place="two")
    assert "Ann" not in desk.prompt()


async def test_what_the_screen_hid_from_the_model_stays_hidden_in_the_history(desk):
    await desk.ask("the secret number is 7")
    assert "secret" not in desk.prompt()
    await desk.ask("what is the number?")
    assert "secret" not in desk.prompt()
    assert "number is 7" in desk.prompt()


async def test_reset_forgets_for_the_model_but_not_for_the_eye(desk):
    await desk.ask("my name is Ann")
    receipt = await desk.say("/reset")
    assert receipt.notice == notice("reset", "en")
    await desk.ask("what is my name?")
    assert "Ann" not in desk.prompt()
    assert ("person", "my name is Ann", "done") in await desk.seen()


async def test_forget_deletes_what_was_said_and_answered(desk):
    await desk.ask("my name is Ann")
    await desk.say("/forget")
    assert not [said for said in await desk.seen() if "Ann" in said[1] or said[0] == "model"]


async def test_a_command_that_failed_midway_acts_when_it_is_delivered_again_and_then_no_more(
    desk, monkeypatch
):
    async def away(person_id):
        raise StoreUnavailable

    await desk.ask("my name is Ann")
    with monkeypatch.context() as patched:
        patched.setattr(desk.store, "forget", away)
        with pytest.raises(StoreUnavailable):
            await desk.say("/forget", key="same")
    assert (await desk.say("/forget", key="same")).notice == notice("forgotten", "en")
    assert await desk.seen() == []
    await desk.ask("my name is Bob")
    assert (await desk.say("/forget", key="same")).notice == ""
    assert ("person", "my name is Bob", "done") in await desk.seen()


async def test_each_command_answers_in_the_persons_language(desk):
    helped = await desk.say("/help", language="zh-CN")
    assert helped.notice == f"{notice('help', 'zh')}\n{notice('help_link', 'zh')}"
    assert (await desk.say("/model")).notice == notice("model", "en", model="tiny")
    assert (await desk.say("/dance")).notice == notice("unknown_command", "en", command="/dance")
    assert (await desk.say("/stop")).notice == notice("nothing_to_stop", "en")


async def test_who_asks_for_a_link_becomes_one_with_themselves_in_another_channel(desk):
    meeting = desk.conversation.meeting
    assert (await desk.say("/link")).notice == notice("link_nowhere", "en")
    meeting.offer("telegram", "https://t.me/us?start={token}")
    said = (await desk.say("/link")).notice
    token = re.search(r"start=([\w-]+)", said)[1]
    phone = Person("telegram", "7", name="Ann")
    assert (await meeting.invited(token)).channel == "web"
    assert await meeting.link(token, phone)
    assert await meeting.invited(token) is None
    assert (await desk.say("/link")).notice == notice("link_nowhere", "en")  # known everywhere


async def test_where_others_read_along_nobody_is_given_a_link(desk):
    desk.conversation.meeting.offer("telegram", "https://t.me/us?start={token}")
    place, person = Place("slack", "T/C/1"), Person("slack", "T/U")
    said = await desk.conversation.receive(Incoming("k", place, person, "/link"))
    assert said.notice == notice("unknown_command", "en", command="/link")


async def test_stop_ends_the_answer_under_way_and_keeps_what_was_shown(desk):
    desk.script = ["First. ", "Second. ", *["and more "] * 3_000]
    desk.queue._pause = 0.001  # seconds a token: half a minute if nobody stops it
    await desk.say("hello")
    shown = []
    async with aclosing(desk.conversation.answer(await desk.lease())) as answer:
        async for part in answer:
            if isinstance(part, Ending):
                assert part.state == "stopped"
                break
            shown.append(part.text)
            if len(shown) == 1:
                assert (await desk.say("/stop")).notice == notice("stopped", "en")
    assert len("".join(shown)) < len("".join(desk.script))
    assert ("model", "".join(shown), "stopped") in await desk.seen()
    assert desk.queue.ended["cancelled"] == 1


async def test_after_stop_nothing_more_is_shown_though_the_model_was_faster(desk):
    await desk.say("hello")
    async with aclosing(desk.conversation.answer(await desk.lease())) as answer:
        first = await anext(answer)
        while not desk.queue.ended["stop"]:
            await asyncio.sleep(0)
        await desk.say("/stop")
        assert [part async for part in answer] == [Ending(first.answer_id, "stopped")]
    assert ("model", first.text, "stopped") in await desk.seen()


async def test_stop_drops_what_waits(desk):
    await desk.say("hello")
    await desk.say("and another thing")
    await desk.say("/stop")
    assert await desk.store.lease(owner="here", ttl=15.0, limit=9) == []


async def test_a_refused_message_is_not_queued_and_the_model_never_reads_it(desk):
    assert await desk.ask("a forbidden question") == notice("refused", "en")
    assert desk.queue.asked_for == []
    await desk.ask("hello")
    assert "forbidden" not in desk.prompt()


async def test_a_job_names_how_much_of_its_prompt_all_others_share(desk):
    for question in ("hello", "and then?"):
        await desk.ask(question)
    first, second = desk.queue.asked_for
    assert first.prefix == second.prefix > 0
    assert first.prompt[: first.prefix] == second.prompt[: second.prefix]
    assert first.prompt[first.prefix :] != second.prompt[second.prefix :]


async def test_what_a_check_hides_does_not_reach_the_model(desk):
    await desk.ask("the secret is out")
    assert "secret" not in desk.prompt()
    assert "[removed]" in desk.prompt()


async def test_a_blocked_sentence_is_not_shown_and_frees_the_engine(desk):
    desk.script = ["All is well. ", "Now the forbidden part. ", *["and on "] * 3_000]
    desk.queue._pause = 0.001
    assert await desk.ask("hello") == "All is well." + notice("withheld", "en")
    assert ("model", "All is well.", "stopped") in await desk.seen()
    assert desk.queue.asked_for[0].id in desk.queue.cancelled


async def test_a_screen_that_fails_lets_nothing_through_and_is_counted(desk):
    desk.script = ["All is well. ", "Then a crash. ", "And on."]
    assert await desk.ask("hello") == "All is well." + notice("unscreened", "en")
    assert desk.conversation.metrics.registry.get_sample_value("frontdesk_screen_failures_total") == 1


async def test_a_check_that_fails_on_the_question_fails_closed(desk):
    assert await desk.ask("crash") == notice("unscreened", "en")
    assert desk.queue.asked_for == []


async def test_what_was_never_judged_does_not_reach_the_model_with_the_next_question(desk):
    await desk.ask("crash")
    await desk.ask("hello")
    assert "crash" not in desk.prompt()


async def test_what_was_stopped_before_it_was_judged_is_judged_before_the_model_reads_it(desk):
    for said in ("a forbidden question", "the secret is out", "/stop"):
        await desk.say(said)
    await desk.ask("answer what I said before")
    assert "forbidden" not in desk.prompt()
    assert "secret" not in desk.prompt()
    assert "is out" in desk.prompt()


async def test_a_redacted_answer_counts_the_characters_that_the_model_wrote(desk):
    desk.script = ["The secret is out. ", "More."]
    await desk.say("hello")
    lease = await desk.lease()
    async with aclosing(desk.conversation.answer(lease)) as answer:
        assert (await anext(answer)).text == "The [removed] is out."
    again = await desk.conversation.store.begin(
        lease, variant="", persona="", policy="", sampling={}, prompt_hash=""
    )
    assert again.pieces[0].size == len("The secret is out.")


async def test_a_full_queue_is_said_with_the_seconds_to_wait(desk):
    desk.queue._stub_limit = 0
    assert await desk.ask("hello") == notice("busy", "en", seconds=1)
    assert await desk.seen() == [
        ("person", "hello", "refused"),
        ("model", "", "refused"),
        ("house", notice("busy", "en", seconds=1), "done"),
    ]


async def test_a_message_beyond_the_context_says_how_much_fits(desk):
    told = await desk.ask("x" * 3_000)
    assert told.startswith("Your message is too long for this model: 3000 tokens")
    assert desk.queue.asked_for == []


async def test_a_failed_job_becomes_a_sentence_without_its_cause(desk):
    def fail(job):
        raise JobFailed("engine", "CUDA out of memory at 0x1234")

    desk.queue._script = fail
    assert await desk.ask("hello") == notice("failed", "en")


async def test_a_model_that_is_gone_before_it_said_a_word_leaves_the_message_to_the_next(desk, chat):
    def gone(job):
        raise JobFailed("model_not_loaded", "No worker has 'tiny' loaded, but new.")

    models, new = desk.conversation.models, Served("new", chat)
    desk.queue._script = gone
    await desk.say("hello")
    lease = await desk.lease()
    models._known["new"] = new
    models._loaded = lambda: ["tiny"] if not desk.queue.asked_for else ["new"]
    with pytest.raises(Postponed):
        await desk.told(lease)
    await desk.store.release(lease)
    desk.queue._script = lambda job: desk.script
    assert "".join(part.text for part in await desk.told()) == "Good morning. How are you?"
    assert [job.model for job in desk.queue.asked_for] == ["tiny", "new"]


async def test_where_no_model_answers_for_minutes_the_person_is_told(desk, monkeypatch):
    monkeypatch.setattr("bot.answering.LEASES", 1)

    def gone(job):
        raise JobFailed("model_not_loaded", "No worker has 'tiny' loaded, but another.")

    desk.queue._script = gone
    assert await desk.ask("hello") == notice("failed", "en")


async def test_an_answer_that_was_begun_goes_on_with_the_model_that_began_it(desk, chat):
    await desk.say("hello")
    lease = await desk.lease()
    async with aclosing(desk.conversation.answer(lease)) as answer:
        await anext(answer)
    await desk.store.release(lease)
    desk.conversation.models._known["new"] = Served("new", chat)
    desk.conversation.models._loaded = lambda: ["new"]
    await desk.told()
    assert [job.model for job in desk.queue.asked_for] == ["tiny", "tiny"]
    assert await desk.ask("and now?")
    assert desk.queue.asked_for[-1].model == "new"


async def test_with_the_queue_away_the_message_is_kept_for_later(desk):
    desk.queue.away = True
    await desk.say("hello")
    lease = await desk.lease()
    with pytest.raises(Postponed):
        await desk.told(lease)
    assert ("house", notice("waiting", "en"), "done") in await desk.seen()
    await desk.store.release(lease)
    desk.queue.away = False
    assert "".join(part.text for part in await desk.told()) == "Good morning. How are you?"


async def test_an_answer_cut_off_goes_on_where_it_stopped_with_nothing_repeated(desk):
    await desk.say("hello")
    lease = await desk.lease()
    async with aclosing(desk.conversation.answer(lease)) as answer:
        first = await anext(answer)
    await desk.store.release(lease)
    whole = await desk.told()  # from its beginning: who shows it may have lost what it had
    assert whole[0] == first
    assert "".join(part.text for part in whole) == "Good morning. How are you?"
    assert [part.seq for part in whole] == [1, 2]
    assert desk.queue.asked_for[1].attempt > desk.queue.asked_for[0].attempt
    assert [said for said in await desk.seen() if said[0] == "model"] == [
        ("model", "Good morning. How are you?", "done")
    ]


async def test_who_lost_the_lease_shows_nothing_more(desk):
    await desk.say("hello")
    old = await desk.lease("slow")
    async with aclosing(desk.conversation.answer(old)) as answer:
        await anext(answer)
        await desk.store.release(old)
        new = await desk.lease("quick")
        assert new.attempt == old.attempt + 1
        with pytest.raises(LeaseLost):
            await anext(answer)


async def test_an_answer_that_took_too_long_says_so(desk, monkeypatch):
    monkeypatch.setattr("bot.answering.JOB_SECONDS", -1.0)
    assert await desk.ask("hello") == notice("timed_out", "en")
    assert ("model", "", "stopped") in await desk.seen()


async def test_a_place_that_a_colleague_took_over_is_left_to_them(desk):
    receipt = await desk.say("hello")
    await _mode(desk, receipt.place_id, "human")
    assert await desk.told() == []
    assert await desk.seen() == [("person", "hello", "done")]


async def test_a_closed_place_says_so(desk):
    receipt = await desk.say("hello")
    await _mode(desk, receipt.place_id, "closed")
    assert await desk.told() == [Notice(notice("closed", "en"))]


async def test_shown_pieces_name_the_answer_they_belong_to(desk):
    await desk.say("hello")
    parts = await desk.told()
    assert all(isinstance(part, Shown) for part in parts)
    assert len({part.answer_id for part in parts}) == 1


async def test_who_has_used_up_their_day_has_nothing_answered_again(desk):
    await desk.say("hello")
    (answer_id,) = {part.answer_id for part in await desk.told()}
    place = Place("web", "p", "demo")
    person_id = await desk.store.who("web", "ann")
    await desk.store.add_usage(
        model="m", prompt_tokens=9, completion_tokens=1, engine_ms=1.0, person_id=person_id
    )
    used_up = replace(desk.conversation, allowance=Allowance(store=desk.store, person=Limit(tokens=10)))
    assert await used_up.again(place, message_id=answer_id, key="again") is None
    again = await desk.conversation.again(place, message_id=answer_id, key="again")
    assert again
    redelivered = await used_up.again(place, message_id=answer_id, key="again")
    assert redelivered
    assert redelivered.duplicate


async def _mode(desk, place_id, mode):
    from sqlalchemy import update

    from bot.store.tables import place

    async with desk.store._database.write() as connection:
        await connection.execute(update(place).where(place.c.id == place_id).values(mode=mode))


async def test_what_was_shown_before_is_told_however_a_later_attempt_ends(desk):
    await desk.say("hello")
    lease = await desk.lease()
    async with aclosing(desk.conversation.answer(lease)) as answer:
        first = await anext(answer)
    await desk.store.release(lease)

    async def gone(name):
        raise ModelNotFound("the model was removed")

    desk.conversation.models.choose = lambda key: Served("another", desk.conversation.models.default.chat)
    desk.conversation.models.again = gone
    assert await desk.told() == [first, Notice(notice("failed", "en"))]
    assert ("model", first.text, "failed") in await desk.seen()
