"""Classifiers and embedders as they are served: heads of any kind, batches, threads, and files that lie."""

import json
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference import encoders
from inference.encoders import Classifier, Embedder
from inference.heads import FILE, Head, HeadDamaged, Heads, Layer
from inference.library import ModelIncomplete
from inference.request import EngineClosed, EngineError
from tests.inference import checkpoints_encoder as checkpoints
from tests.inference.converted import converted

WIDTH = checkpoints.WIDTH
TEXTS = [
    "hello there",
    "Where is my parcel? I ordered it ten days ago.",
    "?",
    "",
    "the invoice is wrong " * 9,
    "ü",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = checkpoints.make("bert", tmp_path_factory.mktemp("sources") / "bert")
    return converted(source, tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def layer(rows: int, columns: int, *, seed: int = 0, activation: Any = "") -> Layer:
    draw = np.random.default_rng(seed)
    return Layer(
        draw.standard_normal((rows, columns)).astype(np.float32) / columns**0.5,
        draw.standard_normal(rows).astype(np.float32),
        activation,
    )


# -- texts -----------------------------------------------------------------------------------------------------


def test_a_text_gets_the_same_probabilities_alone_in_any_order_and_in_any_batch(folder, monkeypatch):
    with Classifier.load(folder, threads=1) as classifier:
        alone = [classifier.classify([text])[0] for text in TEXTS]
        for texts in (TEXTS, TEXTS[::-1], TEXTS * 12):
            for text, found in zip(texts, classifier.classify(texts), strict=True):
                assert found == pytest.approx(alone[TEXTS.index(text)], abs=1e-6)
        monkeypatch.setattr(encoders, "BATCH_TOKENS", 1)  # each by itself
        for found, wanted in zip(classifier.classify(TEXTS), alone, strict=True):
            assert found == pytest.approx(wanted, abs=1e-6)
    assert sum(alone[0].values()) == pytest.approx(1)


def test_batches_are_of_like_lengths_and_no_larger_than_they_may_be():
    lengths = [2] * 100 + [50, 400, 2000, 3000, 9000]
    ends = list(encoders._cuts(lengths))
    starts = [0, *ends[:-1]]
    assert ends[-1] == len(lengths)
    for start, end in zip(starts, ends, strict=True):
        rows = end - start
        assert rows == 1 or (rows <= encoders.BATCH_ROWS and rows * lengths[end - 1] <= encoders.BATCH_TOKENS)
    assert max(end - start for start, end in zip(starts, ends, strict=True)) == encoders.BATCH_ROWS


def test_nothing_asked_is_nothing_answered(folder):
    with Classifier.load(folder) as classifier, Embedder.load(folder) as embedder:
        assert classifier.classify([]) == []
        assert embedder.embed([]).shape == (0, len(checkpoints.LABELS))


def test_a_long_text_counts_up_to_where_the_model_reads(folder):
    with Classifier.load(folder) as classifier:
        words = ["parcel"] * (classifier.max_tokens - 2) + [
            "invoice"
        ] * 50  # [CLS] and [SEP] have their places
        long, cut, shorter = classifier.classify([" ".join(words[:end]) for end in (None, -50, -51)])
    assert long == pytest.approx(cut, abs=1e-6)
    assert long != pytest.approx(shorter, abs=1e-6)


def test_letters_that_look_like_a_mark_of_the_tokenizer_are_letters(folder):
    with Classifier.load(folder) as classifier:
        (ids,) = classifier.ids(["hello [SEP] there [CLS]"])
        tokenizer = classifier._tokenizer
        marks = [tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")]
    assert [i for i in ids if i in marks] == marks
    assert (ids[0], ids[-1]) == tuple(marks)


def test_a_text_that_is_no_unicode_is_read_with_a_mark_in_its_place(folder):
    with Classifier.load(folder, threads=1) as classifier:
        half, mark = classifier.classify(["hello \ud83d", "hello \ufffd"])
        assert half == mark
        assert len(classifier.classify([("\ud83d", "there")])) == 1


def test_many_threads_ask_one_classifier(folder):
    with Classifier.load(folder, threads=1) as classifier:
        wanted = classifier.classify(TEXTS)
        wrong: list[Any] = []

        def ask(at: int) -> None:
            for turn in range(4):
                texts = TEXTS[(at + turn) % len(TEXTS) :]
                for text, found in zip(texts, classifier.classify(texts), strict=True):
                    if found != pytest.approx(wanted[TEXTS.index(text)], abs=1e-6):
                        wrong.append((at, text, found))

        threads = [threading.Thread(target=ask, args=(at,)) for at in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert not wrong


def test_a_closed_classifier_says_so(folder):
    classifier = Classifier.load(folder)
    classifier.close()
    classifier.close()
    with pytest.raises(EngineClosed):
        classifier.classify(["hello"])


# -- heads -----------------------------------------------------------------------------------------------------


def test_several_heads_read_one_text_once(copy, monkeypatch):
    """As a tuned classifier of our own will have them."""
    heads = Heads.load(copy)
    topic = Head("mean", (layer(16, WIDTH, activation="relu"), layer(2, 16, seed=1)), "softmax", ("a", "b"))
    flags = Head("max", (layer(3, WIDTH, seed=2, activation="gelu"),), "sigmoid", ("x", "y", "z"))
    replace(heads, heads={**heads.heads, "topic": topic, "flags": flags}).save(copy)
    with Classifier.load(copy) as classifier:
        assert list(classifier.labels) == ["default", "topic", "flags"]
        reads = []
        states = encoders._states
        monkeypatch.setattr(encoders, "_states", lambda *asked: reads.append(asked) or states(*asked))
        every = classifier.classify_all(TEXTS)
        assert len(reads) == 1
        for name in ("default", "topic", "flags"):
            for one, other in zip(classifier.classify(TEXTS, head=name), every[name], strict=True):
                assert one == pytest.approx(other, abs=1e-6)
        assert classifier.classify(TEXTS) == classifier.classify(TEXTS, head="default")
        with pytest.raises(EngineError, match="default, topic, flags"):
            classifier.classify(TEXTS, head="mood")
    assert sum(every["topic"][0].values()) == pytest.approx(1)
    assert sum(every["flags"][0].values()) != pytest.approx(1)


def test_a_head_is_saved_and_read_as_it_was(tmp_path):
    head = Head("mean", (layer(4, 6, activation="tanh"), layer(2, 4)), "sigmoid", ("Straße", "我的"), True)
    Heads({"one": head, "two": Head("cls")}, width=6, max_tokens=9, vocabulary=50, lower=True).save(tmp_path)
    heads = Heads.load(tmp_path)
    assert list(heads.heads) == ["one", "two"]
    assert (heads.width, heads.max_tokens, heads.vocabulary, heads.lower) == (6, 9, 50, True)
    found = heads.heads["one"]
    assert (found.pooling, found.outcome, found.labels, found.normalised) == (
        "mean",
        "sigmoid",
        ("Straße", "我的"),
        True,
    )
    for one, other in zip(found.layers, head.layers, strict=True):
        assert np.array_equal(one.weight, other.weight)
        assert np.array_equal(one.bias, other.bias)
        assert one.activation == other.activation


@pytest.mark.parametrize("pooling", ["cls", "first", "mean", "max"])
def test_what_lies_behind_a_text_is_never_looked_at(pooling):
    states = np.random.default_rng(0).standard_normal((2, 5, 6)).astype(np.float32)
    head = Head(pooling, (layer(3, 6),))
    wanted = head.apply(states, [2, 5])
    states[0, 2:] = np.nan
    assert np.array_equal(head.apply(states, [2, 5]), wanted)
    assert head.apply(states[:1, :2], [2]) == pytest.approx(wanted[:1])


def test_extreme_scores_stay_probabilities():
    states = np.array([[[1e4, -1e4]]], np.float32)
    for outcome in ("softmax", "sigmoid"):
        found = Head("cls", outcome=outcome).apply(states, [1])
        assert found.tolist() == [[1.0, 0.0]]


# -- files -----------------------------------------------------------------------------------------------------


def damaged(heads: Heads, folder: Path, /, **changes: Any) -> None:
    """Writes head.npz with other arrays, or another `about`."""
    heads.save(folder)
    with np.load(folder / FILE) as file:
        arrays = dict(file)
    about = json.loads(arrays["about"].tobytes())
    for name, value in changes.items():
        if name in arrays:
            arrays[name] = value
        else:
            about[name] = value
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(folder / FILE, **arrays)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"format": 2}, "format is 2"),
        ({"heads": {}}, "name"),
        ({"heads": {"../x": {}}}, "pooling"),
        ({"heads": {"default": {"pooling": "sum"}}}, "sum"),
        ({"width": 0}, "at least 1"),
        ({"width": 7}, "do not fit a width of 7"),
        ({"default.0.bias": np.zeros(3, np.float32)}, "bias"),
        ({"default.1.weight": np.zeros((4, WIDTH), np.float32)}, "bias"),
        ({"default.1.weight": np.array([None, {}], object)}, "allow_pickle"),
        ({"about": 3}, "cannot be read"),
    ],
)
def test_a_head_that_lies_is_refused_before_anything_is_loaded(copy, changes, word):
    damaged(Heads.load(copy), copy, **changes)
    if "about" in changes:
        np.savez(copy / FILE, about=np.array([1, 2]))
    with pytest.raises(HeadDamaged, match=word):
        Classifier.load(copy)


def test_a_head_with_one_label_for_two_outputs_is_refused(copy):
    heads = Heads.load(copy)
    head = replace(heads.heads["default"], labels=("yes", "no", "yes"))
    with pytest.raises(HeadDamaged, match="one label"):
        replace(heads, heads={"default": head})


def test_a_head_that_is_missing_or_cut_short_is_named(copy):
    whole = (copy / FILE).read_bytes()
    (copy / FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HeadDamaged, match=r"head\.npz"):
        Classifier.load(copy)
    (copy / FILE).unlink()
    with pytest.raises(ModelIncomplete, match=r"head\.npz"):
        Embedder.load(copy)


def test_a_head_without_labels_is_no_classifier(copy):
    heads = Heads.load(copy)
    replace(heads, heads={"default": Head("mean")}).save(copy)
    with pytest.raises(ModelIncomplete, match="no classifier"):
        Classifier.load(copy)
    with Embedder.load(copy) as embedder:
        assert embedder.width == WIDTH


def test_an_id_without_an_embedding_is_an_error_and_never_read(copy):
    """CTranslate2 looks beyond its table and answers with what lies there."""
    heads = Heads.load(copy)
    replace(heads, vocabulary=10).save(copy)
    with Classifier.load(copy) as classifier, pytest.raises(EngineError, match="end at 9"):
        classifier.classify(["hello"])


def test_what_ctranslate2_raises_is_an_engine_error(copy):
    heads = Heads.load(copy)
    replace(heads, max_tokens=500).save(copy)  # more than there are positions
    with Classifier.load(copy) as classifier, pytest.raises(EngineError, match="failed over 1 texts"):
        classifier.classify(["hello " * 200])
    (copy / "model.bin").write_bytes(b"nothing")
    with pytest.raises(EngineError, match="cannot load"):
        Classifier.load(copy)


PROGRAM = """
import sys
for name in ("torch", "transformers", "safetensors"):
    sys.modules[name] = None  # importing it raises
from pathlib import Path
from inference.encoders import Classifier

with Classifier.load(Path({folder!r})) as classifier:
    print(*classifier.classify(["hello"])[0])
"""


def test_a_classifier_runs_where_neither_torch_nor_transformers_is_installed(folder):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(folder=str(folder))], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(checkpoints.LABELS)
