"""To forget is to delete: in the rows, in the file, for viewers, and for whoever is answering at that moment."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.store import LeaseLost, Store
from bot.store.tables import audit, feedback, message, metadata, piece, verdict


async def _count(store: Store, table: Any) -> int:
    async with store._database.read() as connection:
        return len((await connection.execute(table.select())).all())


async def test_forgetting_deletes_what_was_said_and_answered(house: Any, store: Store) -> None:
    accepted = await house.say("my secret")
    lease = await house.one()
    await house.judge(accepted, text="my secret")
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "your secret", judged=[house.judged(text="your secret")])
    await house.end(lease, begun.answer_id)
    answer_id = begun.answer_id
    assert await _count(store, verdict) == 2
    await store.note(accepted.place_id, "a note about it")
    watching = await house.seen(accepted.place_id)
    await store.forget(accepted.person_id)
    await watching.catch_up(store, accepted.place_id)
    assert answer_id
    assert watching.messages == {}
    assert [event.kind for event in watching.events[-1:]] == ["cleared"]
    for table in (message, piece, verdict, feedback):
        assert await _count(store, table) == 0
    async with store._database.read() as connection:
        (row,) = (await connection.execute(audit.select())).all()
    assert (row.action, row.subject, row.detail) == (
        "forget",
        f"person {accepted.person_id}",
        {"messages": 1},
    )


async def test_no_trace_of_the_words_is_left_in_any_table(house: Any, store: Store) -> None:
    accepted = await house.say("xyzzy", person="plugh")
    lease = await house.one()
    await house.judge(accepted, text="xyzzy")
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "xyzzy?", judged=[house.judged(text="xyzzy?")])
    await house.end(lease, begun.answer_id, judged=[house.judged(text="xyzzy!")])
    for waiting in (await store.waiting(limit=9))[0]:
        await store.decide(waiting.id, "rejected", by="eve", note="says xyzzy")
    await store.forget(accepted.person_id)
    async with store._database.read() as connection:
        for table in metadata.sorted_tables:
            for row in (await connection.execute(table.select())).mappings():
                words = " ".join(str(value) for name, value in row.items() if name != "key")
                assert "xyzzy" not in words
                assert "Plugh" not in words


async def test_a_redelivery_of_what_was_forgotten_is_not_answered(house: Any, store: Store) -> None:
    accepted = await house.say("hello", key="k")
    await store.forget(accepted.person_id)
    again = await house.say("hello", key="k")
    assert (again.duplicate, again.message_id) == (True, 0)
    assert await house.lease() == []


async def test_an_answer_under_way_is_forgotten_too(house: Any, store: Store) -> None:
    accepted = await house.say("hello")
    lease = await house.one()
    begun = await house.begin(lease)
    await store.forget(accepted.person_id)
    with pytest.raises(LeaseLost):
        await house.piece(lease, begun.answer_id, 1, "late")
    with pytest.raises(LeaseLost):
        await house.end(lease, begun.answer_id)
    assert not await store.renew(lease, ttl=15.0)


async def test_a_place_goes_on_after_it_was_forgotten(house: Any, store: Store) -> None:
    accepted = await house.say("before")
    watching = await house.seen(accepted.place_id)
    await store.forget(accepted.person_id)
    again = await house.say("after")
    assert again.place_id == accepted.place_id
    await house.answer(await house.one(), "hi")
    await watching.catch_up(store, accepted.place_id)
    expected = [("person", "after", "done"), ("model", "hi", "done")]
    assert watching.texts() == expected
    assert (await house.seen(accepted.place_id)).texts() == expected


async def test_what_others_said_in_the_place_is_kept_and_seen(house: Any, store: Store) -> None:
    ann = await house.say("from ann", person="ann")
    await house.answer(await house.one(), "to ann")
    await house.say("from bob", person="bob")
    lease = await house.one()
    begun = await house.begin(lease)
    await house.piece(lease, begun.answer_id, 1, "to ")
    watching = await house.seen(ann.place_id)
    await store.forget(ann.person_id)
    await house.piece(lease, begun.answer_id, 2, "bob")
    await house.end(lease, begun.answer_id)
    await watching.catch_up(store, ann.place_id)
    expected = [("person", "from bob", "done"), ("model", "to bob", "done")]
    assert watching.texts() == expected
    for chunk in (1, 2, 500):
        assert (await house.seen(ann.place_id, chunk=chunk)).texts() == expected


async def test_forgetting_reaches_every_place_and_can_be_repeated(house: Any, store: Store) -> None:
    ann = await house.say(place="a", person="ann")
    await house.say(place="b", person="ann")
    await store.forget(ann.person_id)
    await store.forget(ann.person_id)
    assert await _count(store, message) == 0


async def test_a_session_outlives_forgetting(store: Store) -> None:
    token, session = await store.open_session(site="demo", origin="https://a", language="en", token="")
    person = session.person
    accepted = await store.accept(
        channel="web",
        key="k",
        place_key=session.place.key,
        site="demo",
        person_key=person.key,
        person_name="",
        language="en",
        text="hello",
        correlation="c",
        command=False,
    )
    assert accepted.place_id == session.place_id
    await store.forget(accepted.person_id)
    assert await store.session(token) == session


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL's files are its operator's
async def test_the_words_are_gone_from_the_file(house: Any, store: Store, database_url: str) -> None:
    accepted = await house.say("xyzzy" * 50)
    await house.judge(accepted, text="xyzzy" * 50)
    await store.forget(accepted.person_id)
    async with store._database.writer.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        await raw.run("PRAGMA wal_checkpoint(TRUNCATE)", ())
    path = Path(database_url.removeprefix("sqlite:///"))
    assert b"xyzzy" not in await asyncio.to_thread(path.read_bytes)
