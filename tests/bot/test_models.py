"""Which model a conversation gets: the default, its canary, and what answers while a new one is loaded."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from bot import models as module
from bot.models import Models, Served
from inference.library import ModelNotFound, lineup
from inference.library.shelf import Shelf
from tests.bot.conftest import becomes
from tests.inference.shelved import put

CONVERSATIONS = [str(number) for number in range(2_000)]


@pytest.fixture
def root(chat_folder, tmp_path):
    """A library of three plain folders with the same model in each."""
    for name in ("one", "two", "three"):
        shutil.copytree(chat_folder, tmp_path / name)
    return tmp_path


def says(root, default: str, *previous: str, canary: str = "", share: float = 0.25) -> None:
    """What `frontdesk models promote` writes."""
    aliases = {"default": {"target": default, "previous": list(previous)}}
    if canary:
        aliases["canary"] = {"target": canary, "share": share, "previous": []}
    (root / lineup.FILE).write_text(json.dumps({"format": 1, "aliases": aliases}), encoding="utf-8")


@pytest.fixture
def shelve(chat_folder, root):
    """Puts a version of a model into the library; the later one is the newer one."""
    return lambda name, version: put(Shelf(root), chat_folder, name=name, version=version)


@pytest.fixture
def looks_often(monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.01)


async def test_a_name_is_never_followed_anywhere(root, looks_often):
    says(root, "two")
    async with Models.open("one", root=root, loaded=lambda: ["one", "two"]) as models:
        await asyncio.sleep(0.1)  # ten looks
        assert {models.choose(each).reference for each in CONVERSATIONS} == {"one"}


async def test_a_promoted_model_answers_as_soon_as_it_is_loaded_and_not_before(root, looks_often):
    says(root, "one")
    loaded = ["one"]
    async with Models.open("default", root=root, loaded=lambda: loaded) as models:
        assert models.choose("a").reference == "one"
        says(root, "two", "one")
        await becomes(lambda: models.default.reference == "two")
        assert models.choose("a").reference == "one", "the new one is still being loaded"
        loaded.append("two")
        assert models.choose("a").reference == "two"
        loaded.remove("two")
        assert models.choose("a").reference == "one", "and is gone again"


async def test_a_bot_that_starts_amid_an_exchange_knows_the_model_that_still_answers(root, looks_often):
    says(root, "two", "one")
    async with Models.open("default", root=root, loaded=lambda: ["one"]) as models:
        await becomes(lambda: models.choose("a").reference == "one")


async def test_a_model_that_others_have_loaded_is_known_too(root, looks_often):
    says(root, "three", "two")
    async with Models.open("default", root=root, loaded=lambda: ["one"]) as models:
        await becomes(lambda: models.choose("a").reference == "one")


async def test_a_canary_that_is_gone_stops_no_promotion(root, looks_often):
    says(root, "one", canary="gone")
    async with Models.open("default", root=root, loaded=lambda: ["one", "two"]) as models:
        says(root, "two", "one", canary="gone")
        await becomes(lambda: models.choose("a").reference == "two")


async def test_a_look_that_fails_once_is_taken_again(root, looks_often, monkeypatch):
    says(root, "one")
    async with Models.open("default", root=root, loaded=lambda: ["one", "two"]) as models:
        await becomes(lambda: models._stamp is not None)
        read, fails = lineup.read, [OSError("too many open files"), KeyError("nobody foresaw this")]

        def fail_first(root):
            if fails:
                raise fails.pop()
            return read(root)

        monkeypatch.setattr(lineup, "read", fail_first)
        says(root, "two", "one")
        await becomes(lambda: models.choose("a").reference == "two")
        assert not fails


async def test_where_nothing_is_loaded_questions_wait_for_the_default(root, looks_often):
    says(root, "two", "one")
    async with Models.open("default", root=root, loaded=list) as models:
        assert models.choose("a").reference == "two"


async def test_the_canary_gets_its_share_and_each_conversation_stays_with_its_model(root, looks_often):
    says(root, "one", canary="two", share=0.25)
    loaded = ["one", "two"]
    async with Models.open("default", root=root, loaded=lambda: loaded) as models:
        await becomes(lambda: models.canary is not None)
        first = [models.choose(each).reference for each in CONVERSATIONS]
        assert 0.2 < first.count("two") / len(first) < 0.3
        assert [models.choose(each).reference for each in CONVERSATIONS] == first
        loaded.remove("two")
        assert {models.choose(each).reference for each in CONVERSATIONS} == {"one"}, "it is not loaded"
        says(root, "one")
        await becomes(lambda: models.canary is None)


async def test_aliases_that_cannot_be_read_change_nothing_until_they_can(root, looks_often):
    says(root, "one")
    async with Models.open("default", root=root, loaded=lambda: ["one", "two"]) as models:
        (root / lineup.FILE).write_text("{", encoding="utf-8")
        await asyncio.sleep(0.1)
        assert models.choose("a").reference == "one"
        says(root, "nobody", "one")
        await asyncio.sleep(0.1)
        assert models.choose("a").reference == "one", "nor does a model that is not there"
        says(root, "two", "one")
        await becomes(lambda: models.choose("a").reference == "two")


async def test_a_name_means_its_newest_version_also_later(root, looks_often, shelve):
    shelve("small", "1" * 8)
    loaded = ["small@11111111:int8"]
    async with Models.open("small", root=root, loaded=lambda: loaded) as models:
        assert models.choose("a").reference == loaded[0]
        shelve("small", "2" * 8)
        await becomes(lambda: models.default.reference == "small@22222222:int8")
        assert models.choose("a").reference == "small@11111111:int8", "which the worker still has"
        loaded[:] = ["small@22222222:int8"]
        assert models.choose("a").reference == "small@22222222:int8"


async def test_without_any_alias_the_starter_answers(tmp_path):
    async with Models.open("default", root=tmp_path, loaded=list) as models:
        assert models.choose("a").reference == "starter"
        with pytest.raises(ModelNotFound):
            await models.again("nobody")


def test_a_client_names_an_alias_or_as_much_of_a_reference_as_says_which(chat):
    known = [Served(f"small@{version}:{variant}", chat) for version, variant in VERSIONS]
    models = Models(known[0], loaded=lambda: [served.reference for served in known[:3]])
    models._known = {served.reference: served for served in known}

    def named(name: str) -> str | None:
        served = models.named(name, conversation="")
        return served and served.reference

    assert named("default") == named("small") == named(known[0].reference) == known[0].reference
    assert named("small:int8") == "small@22222222:int8", "the newest"
    assert named("small@22222222") == "small@22222222:int8"
    assert named("small@33333333") is None, "it is not loaded"
    assert [named(name) for name in ("canary", "gpt-4o", "small:int9", "../small")] == [None] * 4


VERSIONS = [("11111111", "float32"), ("11111111", "int8"), ("22222222", "int8"), ("33333333", "int8")]
