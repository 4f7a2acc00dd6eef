"""The classifier on a tiny encoder: every token is read, the highest score counts, and nothing is left running."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.encoders import Encoder
from inference.heads import Heads
from moderation import classifier as module
from moderation.categories import CATEGORIES, LABELS
from moderation.classifier import Classifier, ClassifierError, ClassifierMissing
from moderation.thresholds import believed
from tests.moderation import tiny

WORDS = ["hello", "there", "parcel", "invoice", "person", "where", "ordered", "wrong", "work", "a", "?", "x"]
LONG = " ".join(random.Random(1).choices(WORDS, k=400))  # no two windows alike


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Iterator[Classifier]:
    made = Classifier.load(folder)
    yield made
    made.close()


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


# -- scores ----------------------------------------------------------------------------------------------------


async def test_english_has_a_score_of_every_category_and_an_embedding_of_length_one(classifier):
    scores = believed(await classifier.score("Where is my parcel?"))
    assert scores.language == "en"
    assert set(scores.values) == {*CATEGORIES, "overall"}
    assert scores.model == classifier.model
    assert np.linalg.norm(scores.embedding) == pytest.approx(1)
    assert len({round(value, 6) for value in scores.values.values()}) > 4  # by name, not all alike


async def test_scores_are_what_the_encoder_says_by_label(classifier, folder):
    found = await classifier.score("Where is my parcel?")
    with Encoder(folder, threads=1) as encoder:
        rows = encoder.scores(["where is my parcel?"], ["moderation", "embedding"])
    wanted = dict(zip(LABELS, map(float, rows["moderation"][0]), strict=True))
    assert found.values == pytest.approx(wanted, abs=1e-6)
    assert found.embedding == pytest.approx(rows["embedding"][0].tolist(), abs=1e-6)


async def test_text_is_read_as_it_looks_and_not_as_it_is_spelt(classifier):
    plain = await classifier.score("where is my parcel")
    for disguised in ("WHERE IS MY PARCEL", "whеrе is my раrсеl", "wh\u200bere is my parcel"):
        assert (await classifier.score(disguised)).values == pytest.approx(plain.values, abs=1e-6)


async def test_chinese_is_scored_without_the_encoder(classifier, monkeypatch):
    monkeypatch.setattr(Encoder, "read", lambda *_: pytest.fail("the encoder reads no Chinese"))
    bad, good = (
        await classifier.score("你们都是垃圾，滚出去"),
        await classifier.score("请问我的包裹什么时候到？"),
    )
    assert bad.language == good.language == "zh"
    assert bad.values["overall"] > 0.8 > 0.3 > good.values["overall"]
    assert bad.values["sexual"] == bad.values["self-harm"] == 0
    assert set(bad.values) == set(LABELS)
    assert bad.embedding is None


async def test_another_language_has_no_scores_and_says_so(classifier):
    scores = believed(await classifier.score("Где моя посылка? Я заказал её десять дней назад."))
    assert (scores.language, dict(scores.values), scores.embedding) == ("unsupported", {}, None)


async def test_the_english_part_of_another_language_is_judged_as_by_itself(classifier):
    threat = "i will kill you tonight. "
    alone = await classifier.score(threat)
    hidden = await classifier.score(
        f"Я заказал её десять дней назад. {threat}Пришлите новую посылку, пожалуйста."
    )
    assert hidden.language == "unsupported"
    assert hidden.values == pytest.approx(alone.values, abs=1e-6)


@pytest.mark.parametrize("text", ["", " \n ", "12:30", "🔪", "\ud83d", "\x00", "的", "a" * 5000, "i̇" * 40])
async def test_any_text_is_answered(classifier, text):
    believed(await classifier.score(text))


async def test_a_chinese_threat_is_not_diluted_by_what_stands_around_it(classifier):
    around = "我们明天下午去公园吃饭，天气很好，记得带伞。" * 12
    alone = await classifier.score("我要杀了你全家")
    hidden = await classifier.score(f"{around}我要杀了你全家！{around}")
    calm = await classifier.score(around)
    assert hidden.values["overall"] > calm.values["overall"] + 0.2
    assert alone.values["overall"] > 0.8


# -- windows ---------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(words=st.lists(st.sampled_from(WORDS), max_size=400))
def test_windows_cover_every_token_in_order_and_overlap_by_a_quarter(words, encoder):
    (whole,) = _uncut(encoder, " ".join(words))
    windows = [window[1:-1] for window in encoder.windows(" ".join(words))]
    size, overlap = encoder.heads.max_tokens - 2, encoder.heads.max_tokens // 4
    read = windows[0]
    for before, window in itertools.pairwise(windows):
        assert len(before) == size
        assert before[-overlap:] == window[:overlap]
        read = read + window[overlap:]
    assert read == whole[1:-1]
    assert all(len(window) <= size for window in windows)


def _uncut(encoder, text):
    tokenizer = type(encoder._tokenizer).from_str(encoder._tokenizer.to_str())
    tokenizer.no_truncation()
    return [tokenizer.encode(text).ids]


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Iterator[Encoder]:
    with Encoder(folder, threads=1) as made:
        yield made


async def test_each_category_has_the_highest_score_of_any_window(classifier, encoder):
    windows = encoder.windows(LONG)
    assert len(windows) > 3
    rows = encoder.read(windows, ["moderation", "embedding"])
    scores = await classifier.score(LONG)
    wanted = dict(zip(LABELS, map(float, rows["moderation"].max(axis=0)), strict=True))
    assert scores.values == pytest.approx(wanted, abs=1e-5)
    mean = rows["embedding"].mean(axis=0)
    assert scores.embedding == pytest.approx((mean / np.linalg.norm(mean)).tolist(), abs=1e-5)


async def test_what_repeats_is_read_once_and_what_is_endless_is_refused(classifier, encoder, monkeypatch):
    reads: list[int] = []
    read = Encoder.read
    monkeypatch.setattr(Encoder, "read", lambda self, *asked: reads.append(1) or read(self, *asked))
    period = encoder.heads.max_tokens - 2 - encoder.heads.max_tokens // 4
    await classifier.score(" ".join((["hello"] * (period - 1) + ["parcel"]) * 50))
    assert len(reads) <= 2
    monkeypatch.setattr(module, "MOST_WINDOWS", 4)
    with pytest.raises(ClassifierError, match="max_input_chars"):
        await classifier.score(" ".join(f"person {at}" for at in range(400)))


# -- many at once, and ends --------------------------------------------------------------------------------------


async def test_the_same_text_is_not_read_again(folder, monkeypatch):
    made = Classifier.load(folder)
    try:
        first = await made.score("where is my parcel")
        monkeypatch.setattr(Encoder, "read", lambda *_: pytest.fail("read again"))
        assert await made.score("where is my parcel") == first
    finally:
        made.close()


async def test_only_so_many_answers_are_remembered_the_latest_used(folder, monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 2)
    made = Classifier.load(folder)
    try:
        for text in ("one", "two", "one", "three"):
            await made.score(text)
        reads: list[str] = []
        steps = Classifier._steps
        monkeypatch.setattr(Classifier, "_steps", lambda self, text: reads.append(text) or steps(self, text))
        for text in ("three", "one", "two"):
            await made.score(text)
        assert reads == ["two"]
    finally:
        made.close()


async def test_many_tasks_and_loops_get_each_its_own_answer(classifier):
    texts = [f"{word} {other}" for word in WORDS[:6] for other in WORDS[:6]] + [LONG]
    alone = [await classifier.score(text) for text in texts]
    classifier._remembered._found.clear()
    for found, wanted in zip(await asyncio.gather(*map(classifier.score, texts)), alone, strict=True):
        assert found.values == pytest.approx(wanted.values, abs=1e-6)
    classifier._remembered._found.clear()
    wrong: list[str] = []

    def ask(text: str, wanted: float) -> None:
        found = asyncio.run(classifier.score(text))
        if found.values["overall"] != pytest.approx(wanted, abs=1e-6):
            wrong.append(text)

    threads = [
        threading.Thread(target=ask, args=(text, wanted.values["overall"]))
        for text, wanted in zip(texts, alone, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


async def test_a_short_text_is_not_kept_waiting_by_a_long_one(folder, monkeypatch):
    order: list[str] = []
    made = Classifier.load(folder)
    read = Encoder.read

    def noted(self, windows, names):
        order.append("long" if len(windows[0]) > 20 else "short")
        return read(self, windows, names)

    monkeypatch.setattr(Encoder, "read", noted)
    try:
        long = asyncio.create_task(made.score(LONG))
        await asyncio.sleep(0)  # it asks first
        await made.score("hello there")
        await long
    finally:
        made.close()
    assert order.index("short") <= 2
    assert order.count("long") > 4


async def test_a_cancelled_check_reads_no_further_window(folder, monkeypatch):
    made = Classifier.load(folder)
    started, go, reads = threading.Event(), threading.Event(), []
    read = Encoder.read

    def held(self, windows, names):
        reads.append(1)
        started.set()
        assert go.wait(20)
        return read(self, windows, names)

    monkeypatch.setattr(Encoder, "read", held)
    try:
        task = asyncio.create_task(made.score(LONG))
        assert await asyncio.to_thread(started.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        assert (await made.score("hello there")).language == "en"
        assert len(reads) == 2  # the window that was being read, and the short text's
    finally:
        go.set()
        await asyncio.to_thread(made.close)


async def test_what_fails_is_told_and_not_remembered(folder, monkeypatch):
    made = Classifier.load(folder)

    def broken(*_):
        raise MemoryError("no room")

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Encoder, "read", broken)
            with pytest.raises(MemoryError):
                await made.score("hello there")
        assert (await made.score("hello there")).language == "en"
    finally:
        made.close()


async def test_a_closed_classifier_says_so_and_its_thread_is_gone(folder):
    made = Classifier.load(folder)
    await made.score("hello")
    thread = next(iter(made._thread._threads))
    made.close()
    made.close()
    assert not thread.is_alive()
    with pytest.raises(ClassifierError, match="closed"):
        await made.score("hello there")


# -- files -----------------------------------------------------------------------------------------------------


def test_a_missing_folder_says_what_to_do(tmp_path):
    with pytest.raises(ClassifierMissing, match=r"no such folder.*install it again"):
        Classifier.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["model.bin", "head.npz", "tokenizer.json"])
@pytest.mark.parametrize("harm", ["gone", "cut"])
def test_a_damaged_folder_says_which_and_what_to_do(copy, name, harm):
    file = copy / name
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ClassifierMissing, match="install it again") as caught:
        Classifier.load(copy)
    assert str(copy) in str(caught.value)


@pytest.mark.parametrize("change", ["other labels", "one choice"])
def test_a_model_that_is_no_moderator_is_refused(copy, change):
    heads = Heads.load(copy)
    judge = heads.heads["moderation"]
    told = {
        "other labels": {**heads.heads, "moderation": replace(judge, labels=(*LABELS[:-1], "else"))},
        "one choice": {**heads.heads, "moderation": replace(judge, outcome="softmax")},
    }[change]
    replace(heads, heads=told).save(copy)
    with pytest.raises(ClassifierMissing, match="head"):
        Classifier.load(copy)


async def test_a_model_that_an_operator_trained_judges_without_an_embedding(copy):
    heads = Heads.load(copy)
    replace(heads, heads={"default": heads.heads["moderation"]}).save(copy)
    made = Classifier.load(copy)
    try:
        scores = await made.score("hello there, how are you today?")
    finally:
        made.close()
    assert set(scores.values) == set(LABELS)
    assert scores.embedding is None


def test_the_order_of_the_labels_is_the_models_own(copy, classifier):
    heads = Heads.load(copy)
    judge = heads.heads["moderation"]
    layer = judge.layers[0]
    turned = replace(layer, weight=layer.weight[::-1].copy(), bias=layer.bias[::-1].copy())
    told = {**heads.heads, "moderation": replace(judge, labels=judge.labels[::-1], layers=(turned,))}
    replace(heads, heads=told).save(copy)
    other = Classifier.load(copy)
    try:
        found = asyncio.run(other.score("where is my parcel"))
        assert found.values == pytest.approx(
            asyncio.run(classifier.score("where is my parcel")).values, abs=1e-6
        )
        assert other.model != classifier.model  # the files are not the same
    finally:
        other.close()


def test_loading_says_nothing(folder, caplog, capfd):
    with caplog.at_level(logging.WARNING):
        Classifier.load(folder).close()
    assert not caplog.records
    assert not capfd.readouterr().err
