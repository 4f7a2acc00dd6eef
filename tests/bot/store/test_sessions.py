"""A browser finds its conversation again, and only its own."""

from __future__ import annotations

from typing import Any

import pytest

from bot.store import Store, sessions
from bot.store.tables import feedback, metadata


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The sessions' time, under the test's hand."""

    class Clock:
        now = 1_800_000_000.0

        def time(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(sessions, "time", clock)
    return clock


async def _open(store: Store, token: str = "", site: str = "demo", origin: str = "https://a") -> Any:
    return await store.open_session(site=site, origin=origin, language="en", token=token)


async def test_a_token_leads_to_its_place_and_person(store: Store) -> None:
    token, session = await _open(store)
    assert await store.session(token) == session
    assert (session.place.channel, session.place.site, session.origin) == ("web", "demo", "https://a")
    assert await store.session("") is None
    assert await store.session("wrong") is None


async def test_a_returning_browser_gets_a_new_token_for_the_same_conversation(store: Store) -> None:
    old, first = await _open(store)
    new, again = await _open(store, old)
    assert new != old
    assert again == first
    assert await store.session(new) == first


async def test_another_site_or_origin_is_another_conversation(store: Store) -> None:
    token, first = await _open(store)
    _, other = await _open(store, token, origin="https://b")
    _, third = await _open(store, token, site="other")
    assert len({first.place_id, other.place_id, third.place_id}) == 3
    assert await store.session(token) == first


async def test_the_old_token_lasts_until_the_new_one_was_used_and_a_little_longer(
    store: Store, clock: Any
) -> None:
    old, first = await _open(store)
    new, _ = await _open(store, old)
    clock.now += (
        7 * 24 * 3600
    )  # the reply with the new token was lost: the browser comes back with the old one
    assert await store.session(old) == first
    await store.session(new)
    clock.now += sessions.GRACE - 1
    assert await store.session(old) == first
    clock.now += 2
    assert await store.session(old) is None
    assert await store.session(new) == first


async def test_a_session_ends_after_thirty_days_without_use_and_not_with_it(store: Store, clock: Any) -> None:
    token, first = await _open(store)
    for _ in range(3):
        clock.now += 20 * 24 * 3600
        assert await store.session(token) == first
    clock.now += 31 * 24 * 3600
    assert await store.session(token) is None
    _, other = await _open(store, token)
    assert other.place_id != first.place_id


async def test_no_token_is_kept_in_the_clear(store: Store) -> None:
    session_token, _ = await _open(store)
    key_token, _ = await store.create_key("ci", "shadow", ["chat"])
    async with store._database.read() as connection:
        for table in metadata.sorted_tables:
            for row in (await connection.execute(table.select())).all():
                assert session_token not in str(row)
                assert key_token not in str(row)


async def test_a_thumb_is_kept_once_and_only_for_an_answer_of_the_place(house: Any, store: Store) -> None:
    _, session = await _open(store)
    accepted = await house.say(place=session.place.key, person=session.person.key)
    answer_id = await house.answer(await house.one(), "hi")
    assert await store.rate(session.place, session.person, message_id=answer_id, value=1)
    assert await store.rate(session.place, session.person, message_id=answer_id, value=-1)
    async with store._database.read() as connection:
        (row,) = (await connection.execute(feedback.select())).all()
    assert (row.message_id, row.person_id, row.value) == (answer_id, accepted.person_id, -1)
    assert not await store.rate(session.place, session.person, message_id=accepted.message_id, value=1)
    _, stranger = await _open(store)
    assert not await store.rate(stranger.place, stranger.person, message_id=answer_id, value=1)


async def test_agreement_is_the_last_word(house: Any, store: Store) -> None:
    person_id = (await house.say()).person_id
    assert not await store.agreed(person_id, kind="training")
    await store.agree(person_id, kind="training", given=True)
    assert await store.agreed(person_id, kind="training")
    await store.agree(person_id, kind="training", given=False)
    assert not await store.agreed(person_id, kind="training")
