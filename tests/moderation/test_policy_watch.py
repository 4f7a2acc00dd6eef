"""A policy file that changes while the house is running."""

from __future__ import annotations

import asyncio
import logging
import os
import threading

import pytest

from moderation import Moderator, Scores, Where
from moderation.policy.watch import LOOK_EVERY, Watched


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "policy.yaml"


def denying(*phrases, version="1"):
    return f"version: '{version}'\nlists: {{deny: [{', '.join(phrases)}]}}\n"


@pytest.fixture
def house(path, clock):
    path.write_text(denying("alpha"))
    moderator = Moderator.from_policy(path)
    moderator._file._clock, moderator._file._looked = clock, clock.now
    return moderator


async def action(moderator, text):
    return (await moderator.check(text, direction="input")).action


async def test_a_changed_file_judges_within_a_second(house, path, clock):
    before = house.policy
    assert [await action(house, text) for text in ("alpha", "beta")] == ["block", "allow"]
    path.write_text(denying("beta", "gamma"))
    clock.now += LOOK_EVERY
    assert [await action(house, text) for text in ("alpha", "beta")] == ["allow", "block"]
    assert house.policy != before
    assert (await house.check("x", direction="input")).policy == house.policy
    assert house.trouble == ""


async def test_a_file_is_looked_at_no_more_than_once_a_second(house, path, clock):
    path.write_text(denying("beta"))
    clock.now += LOOK_EVERY * 0.99
    assert await action(house, "alpha") == "block"
    clock.now += LOOK_EVERY * 0.02
    assert await action(house, "alpha") == "allow"


async def test_a_broken_file_keeps_the_old_policy_and_says_why_once(house, path, clock, caplog):
    before = house.policy
    path.write_text("version: '2'\nscreen: hodl\n")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            clock.now += LOOK_EVERY
            assert await action(house, "alpha") == "block"
    assert house.policy == before
    assert f"{path}:2: screen: 'hodl' is unknown; did you mean hold?" in house.trouble
    assert [record for record in caplog.records if "hodl" in record.getMessage()] == caplog.records[:1]
    path.write_text(denying("beta", version="2"))
    clock.now += LOOK_EVERY
    assert await action(house, "alpha") == "allow"
    assert house.trouble == ""


async def test_a_file_that_vanishes_keeps_the_old_policy_until_it_is_back(house, path, clock):
    path.rename(path.with_suffix(".away"))
    clock.now += LOOK_EVERY
    assert await action(house, "alpha") == "block"
    assert "cannot be read" in house.trouble
    path.with_suffix(".away").rename(path)
    clock.now += LOOK_EVERY
    assert await action(house, "alpha") == "block"
    assert house.trouble == ""


async def test_a_file_replaced_by_one_of_the_same_size_and_time_is_noticed(house, path, clock):
    seen = path.stat()
    other = path.with_suffix(".new")
    other.write_text(denying("betas"))
    os.utime(other, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert other.stat().st_size == seen.st_size
    other.replace(path)
    clock.now += LOOK_EVERY
    assert await action(house, "betas") == "block"


async def test_whatever_goes_wrong_while_reading_keeps_the_old_policy(house, path, clock, monkeypatch):
    def broken(path):
        raise RuntimeError("no idea")

    monkeypatch.setattr("moderation.policy.watch.load", broken)
    path.write_text(denying("beta", "gamma"))
    clock.now += LOOK_EVERY
    assert await action(house, "alpha") == "block"
    assert "no idea" in house.trouble


async def test_a_check_under_way_ends_under_the_policy_it_began_with(path, clock):
    asked, go = asyncio.Event(), asyncio.Event()

    class Slow:
        async def score(self, text):
            asked.set()
            await go.wait()
            return Scores({"overall": 0.5}, "zh", "m")

    path.write_text("version: '1'\ncategories: {overall: {review: 0.4}}\n")
    house = Moderator.from_policy(path, scorer=Slow())
    house._file._clock, house._file._looked = clock, clock.now
    before = house.policy
    async with asyncio.TaskGroup() as group:
        under_way = group.create_task(house.check("x", direction="input"))
        await asked.wait()
        path.write_text("version: '2'\ncategories: {overall: {block: 0.4}}\n")
        clock.now += LOOK_EVERY
        later = group.create_task(house.check("y", direction="input"))
        while house.policy == before:
            await asyncio.sleep(0.001)
        go.set()
    first, second = under_way.result(), later.result()
    assert (first.action, first.policy) == ("review", before)
    assert (second.action, second.policy) == ("block", house.policy)


async def test_those_who_ask_while_the_file_is_being_read_do_not_wait(house, path, clock, monkeypatch):
    reading, go = asyncio.Event(), asyncio.Event()

    async def slowly(work):
        reading.set()
        await go.wait()
        work()

    monkeypatch.setattr("moderation.policy.watch.asyncio.to_thread", slowly)
    path.write_text(denying("beta"))
    clock.now += LOOK_EVERY
    async with asyncio.TaskGroup() as group:
        group.create_task(house.reload())
        await reading.wait()
        assert await action(house, "alpha") == "block"
        go.set()
    assert await action(house, "alpha") == "allow"


async def test_the_screens_mode_is_the_places_own(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("version: '1'\nchannels: {api: {screen: shadow}}\nplaces: {'api:7': {screen: hold}}\n")
    house = Moderator.from_policy(path)
    assert [house.mode(where) for where in (Where(), Where("api"), Where("api", "7"), Where("api", "8"))] == [
        "hold",
        "shadow",
        "hold",
        "shadow",
    ]
    assert Moderator([], policy="p").mode(Where("api")) == "hold"


def test_the_bundled_file_is_not_watched(clock):
    watched = Watched(clock=clock)
    clock.now += 60
    assert asyncio.run(watched.current()) is watched.policy


def test_a_look_that_takes_long_does_not_bring_back_what_a_later_one_replaced(path, monkeypatch):
    from moderation.policy import watch

    path.write_text(denying("alpha", version="1"))
    watched = Watched(path)
    read, reading, go = watch.load, threading.Event(), threading.Event()

    def slow(path):
        policy = read(path)
        if policy.version.startswith("22"):
            reading.set()
            assert go.wait(10)
        return policy

    monkeypatch.setattr(watch, "load", slow)
    path.write_text(denying("alpha", version="22"))
    first = threading.Thread(target=watched.look)
    first.start()
    assert reading.wait(10)
    path.write_text(denying("alpha", version="333"))
    second = threading.Thread(target=watched.look)
    second.start()
    second.join(0.3)  # long enough to have read the file, were it not made to wait
    go.set()
    first.join()
    second.join()
    assert watched.policy.version.startswith("333")
