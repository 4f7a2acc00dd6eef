"""An answer is begun once, told only by whoever holds the lease, and remembered as it was shown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.store import LeaseLost, Store
from bot.store.tables import answer, usage


async def _rows(store: Store, table: Any) -> list[Any]:
    async with store._database.read() as connection:
        return list((await connection.execute(table.select())).all())


async def test_a_second_bot_goes_on_where_the_first_one_died(house: Any) -> None:
    accepted = await house.say()
    dead = await house.one(ttl=0.0)
    begun = await house.begin(dead)
    await house.piece(dead, begun.answer_id, 1, "Hello ")
    lease = await house.one(owner="bot-2")
    again = await house.begin(lease)
    assert again.answer_id == begun.answer_id
    assert [(p.seq, p.text, p.size, p.token_ids) for p in again.pieces] == [(1, "Hello ", 6, (1, 2))]
    await house.piece(lease, again.answer_id, 2, "world")
    await house.end(lease, again.answer_id)
    assert (await house.seen(accepted.place_id)).texts() == [
        ("person", "hello", "done"),
        ("model", "Hello world", "done"),
    ]


@pytest.mark.parametrize("step", ["begin", "piece", "end"])
async def test_a_bot_that_lost_its_lease_writes_nothing_more(house: Any, step: str) -> None:
    accepted = await house.say()
    dead = await house.one(ttl=0.0)
    begun = await house.begin(dead)
    await house.one(owner="bot-2")
    before = await house.seen(accepted.place_id)
    steps = {
        "begin": lambda: house.begin(dead),
        "piece": lambda: house.piece(dead, begun.answer_id, 1, "late"),
        "end": lambda: house.end(dead, begun.answer_id),
    }
    with pytest.raises(LeaseLost):
        await steps[step]()
    assert (await house.seen(accepted.place_id)).texts() == before.texts()


async def test_the_same_bot_does_not_pass_for_its_earlier_self(house: Any) -> None:
    await house.say()
    dead = await house.one(ttl=0.0)
    begun = await house.begin(dead)
    await house.one()
    with pytest.raises(LeaseLost):
        await house.piece(dead, begun.answer_id, 1, "late")


async def test_pieces_of_two_bots_never_mix_whatever_the_moment_of_the_takeover(house: Any) -> None:
    """The old owner commits as fast as it can while the new one takes over: no piece is lost or doubled."""
    for turn in range(8):
        accepted = await house.say(place=f"p{turn}")
        dead = await house.one(ttl=0.0)
        begun = await house.begin(dead)

        async def old(dead: Any = dead, begun: Any = begun) -> int:
            seq = 0
            try:
                while seq < 20:
                    await house.piece(dead, begun.answer_id, seq + 1, f"{seq + 1} ")
                    seq += 1
            except LeaseLost:
                pass
            return seq

        async def new(turn: int = turn) -> int:
            await asyncio.sleep(0.003 * turn)
            lease = await house.one(owner="bot-2")
            again = await house.begin(lease)
            await house.piece(lease, again.answer_id, len(again.pieces) + 1, "end")
            await house.end(lease, again.answer_id)
            return len(again.pieces)

        told, found = await asyncio.gather(old(), new())
        assert told == found, "what the old owner committed is what the new one found"
        shown = (await house.seen(accepted.place_id)).texts()[-1][1]
        assert shown == "".join(f"{n + 1} " for n in range(told)) + "end"


async def test_ending_without_an_answer_still_ends_the_message(house: Any) -> None:
    accepted = await house.say()
    await house.end(await house.one(), state="refused", notice="not here")
    assert (await house.seen(accepted.place_id)).texts() == [
        ("person", "hello", "refused"),
        ("house", "not here", "done"),
    ]


async def test_ending_without_naming_the_answer_ends_the_one_that_was_begun(house: Any) -> None:
    accepted = await house.say()
    lease = await house.one()
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "half")
    await house.end(lease, state="failed", notice="sorry")
    assert (await house.seen(accepted.place_id)).texts() == [
        ("person", "hello", "failed"),
        ("model", "half", "failed"),
        ("house", "sorry", "done"),
    ]


async def test_a_message_is_ended_once(house: Any) -> None:
    await house.say()
    lease = await house.one()
    answer_id = await house.answer(lease, "hi")
    with pytest.raises(LeaseLost):
        await house.end(lease, answer_id)


async def test_how_an_answer_came_about_and_what_it_cost_is_kept(house: Any, store: Store) -> None:
    accepted = await house.say()
    lease = await house.one()
    begun = await house.begin(lease)
    await store.finish(
        lease,
        begun.answer_id,
        state="done",
        finish_reason="stop",
        prompt_tokens=11,
        completion_tokens=7,
        engine_ms=3.5,
    )
    (details,) = await _rows(store, answer)
    assert (details.variant, details.persona, details.policy, details.finish_reason) == (
        "starter",
        "host",
        "p1",
        "stop",
    )
    assert details.sampling == {"temperature": 0.0}
    (cost,) = await _rows(store, usage)
    assert (cost.person_id, cost.place_id, cost.message_id, cost.key_id) == (
        accepted.person_id,
        accepted.place_id,
        begun.answer_id,
        None,
    )
    assert (cost.model, cost.prompt_tokens, cost.completion_tokens, cost.engine_ms) == ("starter", 11, 7, 3.5)


async def test_a_note_in_no_place_is_a_mistake(store: Store) -> None:
    with pytest.raises(LookupError):
        await store.note(4711, "hello?")
