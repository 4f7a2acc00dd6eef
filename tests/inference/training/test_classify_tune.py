"""Probing and tuning: what is learned, what is left alone, and that a killed run ends as if it had not been."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from inference.training.classify import BadRows, Recipe, Row, Task, balance, train
from inference.training.classify.calibrate import calibrated
from inference.training.classify.checkpoint import OtherRun
from inference.training.classify.judge import Judge
from inference.training.classify.linear import fit, probe
from inference.training.classify.scores import average_precision, reliability
from inference.training.classify.tokens import epoch
from inference.training.classify.tune import _loss
from tests.inference.training import toy

TASK = Task(toy.KINDS, "sigmoid")


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def weights(trained: Any) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in trained.judge.state().items()}


def moved(one: Any, other: Any) -> set[str]:
    """What is not the same in both."""
    ours, theirs = weights(one), weights(other)
    return {name for name in ours if not np.array_equal(ours[name], theirs[name])}


# -- what is learned -------------------------------------------------------------------------------------------


def test_tuning_learns_more_than_the_probe_it_begins_with(encoder: Path, tmp_path: Path) -> None:
    trained = train(
        toy.single(240), toy.recipe(encoder, steps=60), folder=tmp_path, test=toy.single(80, seed=2)
    )
    assert trained.past is not None
    assert trained.past.best >= trained.past.figures[0][1]
    said = trained.judged["test"].logits.argmax(axis=1)
    truth = np.array([toy.KINDS.index(str(row.labels)) for row in trained.judged["test"].rows])
    assert (said == truth).mean() > 0.85


def test_several_labels_are_learned_where_some_are_unknown(encoder: Path, tmp_path: Path) -> None:
    recipe = toy.recipe(encoder, method="fine-tune", steps=60, class_weights="balanced", smoothing=0.05)
    trained = train(toy.several(320, unknown=0.3), recipe, folder=tmp_path, test=toy.several(60, seed=2))
    held = trained.judged["test"]
    values, _ = trained.task.targets(held.rows)
    found = [average_precision(values[:, at] > 0.5, held.logits[:, at]) for at in range(2)]
    assert np.mean(found) > 0.85  # by chance 0.5
    assert trained.fit is None


def test_the_probe_is_scikit_learns_logistic_regression_without_what_is_unknown() -> None:
    random = np.random.default_rng(3)
    features = random.normal(size=(300, 6)).astype(np.float32)
    features *= 2 / np.linalg.norm(features, axis=1).mean()
    truth = features @ random.normal(size=(6, 2)) + random.normal(size=(300, 2)) > 0.3
    known = random.random((300, 2)) < 0.7
    counts = np.where(random.random(300) < 0.5, 1.0, 3.0)
    rows = [
        Row(
            "x",
            {kind: float(t) if k else None for kind, t, k in zip(toy.KINDS, ts, ks, strict=True)},
            weight=w,
        )
        for ts, ks, w in zip(truth, known, counts, strict=True)
    ]
    given = balance.by_label(rows, TASK, Recipe())
    found = probe(features, rows, TASK, weights=given, choices=(5.0,))
    for at in range(2):
        there = known[:, at]
        oracle = LogisticRegression(C=5.0, tol=1e-8, max_iter=1000)
        oracle.fit(features[there] / 2, truth[there, at], sample_weight=counts[there])
        assert found.weight[at] * 2 == pytest.approx(oracle.coef_[0], abs=2e-2)
        assert found.bias[at] == pytest.approx(oracle.intercept_[0], abs=2e-2)


def test_one_choice_of_three_is_fitted_as_scikit_learn_does() -> None:
    random = np.random.default_rng(4)
    features = random.normal(size=(200, 4)).astype(np.float32)
    truth = (features @ random.normal(size=(4, 3))).argmax(axis=1)
    values = np.eye(3, dtype=np.float32)[truth]
    weight, bias = fit(features, values, np.ones_like(values), [2.0] * 3, "softmax")
    oracle = LogisticRegression(C=2.0, tol=1e-8, max_iter=2000).fit(features, truth)
    ours = features @ weight.T + bias
    theirs = oracle.decision_function(features)
    assert ours - ours.mean(axis=1, keepdims=True) == pytest.approx(theirs, abs=3e-2)


def test_inner_validation_chooses_c_for_each_label() -> None:
    random = np.random.default_rng(5)
    features = random.normal(size=(240, 20)).astype(np.float32)
    noise = random.random(240) < 0.5  # nothing to be learned: the smallest C is the best guess
    rows = [
        Row(str(at), {"invoice": float(x[0] > 0), "parcel": float(y)}, slice="abc"[at % 3])
        for at, (x, y) in enumerate(zip(features, noise, strict=True))
    ]
    found = probe(features, rows, TASK, weights=np.ones((240, 2), np.float32), choices=(0.01, 100.0))
    assert set(found.choices) == set(toy.KINDS)
    assert max(found.choices["invoice"]) > 0.9
    assert [(0.01, 100.0)[int(np.argmax(each))] for each in found.choices.values()] == list(found.c)


def test_what_is_unknown_moves_nothing() -> None:
    logits = torch.randn(4, 2, requires_grad=True)
    known = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    _loss(logits, torch.ones(4, 2), known, TASK).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad != 0, known > 0)


def test_a_label_with_one_side_only_is_refused(encoder: Path, tmp_path: Path) -> None:
    rows = [*toy.several(60), *(Row(f"more {at}", {"storm": 0.0}) for at in range(30))]
    with pytest.raises(BadRows, match="one side for storm"):
        train(rows, toy.recipe(encoder), folder=tmp_path)


# -- a killed run ----------------------------------------------------------------------------------------------

CHILD = """
import os, signal, sys
from pathlib import Path
from inference.training.classify import train
from tests.inference.training import toy
from tests.inference.training.test_classify_tune import KILLED

def watch(moment):
    if moment.stage == "tuning" and moment.done >= 20:
        os.kill(os.getpid(), signal.SIGKILL)

train(toy.single(120), toy.recipe(Path(sys.argv[1]), **KILLED), folder=Path(sys.argv[2]), watch=watch)
"""

KILLED: dict[str, Any] = {"steps": 26, "checkpoint_steps": 7, "evaluate_every": 9, "interpolate": 0.7}


def test_a_killed_run_goes_on_to_the_same_weights(encoder: Path, tmp_path: Path) -> None:
    recipe = toy.recipe(encoder, **KILLED)
    whole = train(toy.single(120), recipe, folder=tmp_path / "whole")
    root = Path(__file__).parents[3]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(encoder), str(tmp_path / "killed")], cwd=root, check=False
    )
    assert child.returncode == -signal.SIGKILL
    stages: list[int] = []
    went_on = train(
        toy.single(120),
        recipe,
        folder=tmp_path / "killed",
        watch=lambda moment: stages.append(moment.done) if moment.stage == "tuning" else None,
    )
    assert stages == [20, 26]  # from the checkpoint at 14, told every ten steps
    assert moved(whole, went_on) == set()
    assert went_on.past == whole.past


def test_another_run_never_goes_on_from_the_folder_of_one(encoder: Path, tmp_path: Path) -> None:
    recipe = toy.recipe(encoder, steps=2)
    train(toy.single(60), recipe, folder=tmp_path)
    for rows, other in ((toy.single(60), replace(recipe, rate=1e-3)), (toy.single(60, seed=9), recipe)):
        with pytest.raises(OtherRun, match="other rows or settings"):
            train(rows, other, folder=tmp_path)
    train(toy.single(60), replace(recipe, threads=2, checkpoint_seconds=1), folder=tmp_path)


# -- what is read ----------------------------------------------------------------------------------------------


def test_texts_are_augmented_in_training_only_and_prepared_always(encoder: Path, tmp_path: Path) -> None:
    augmented, prepared = [], []

    def augment(text: str, chance: Any) -> str:
        augmented.append(text)
        return f"{text} hello{chance.randint(0, 9)}"

    def prepare(text: str) -> str:
        prepared.append(text)
        return text.replace("x", " ")

    rows, test = toy.single(60), [Row("xparcel", "parcel"), Row("xinvoice", "invoice")]
    recipe = toy.recipe(encoder, steps=3, augment=augment, prepare=prepare)
    trained = train(rows, recipe, folder=tmp_path, test=test)
    judged_by = {row.text for part in trained.judged.values() for row in part.rows}
    assert 16 < len(augmented) <= 3 * 16  # an epoch's last batch is smaller
    assert not judged_by & set(augmented)
    assert any("hello" in text and text not in {row.text for row in rows} for text in prepared)
    assert trained.judged["test"].seen == (" parcel", " invoice")
    ours = trained.probabilities(["xparcel"])
    assert ours == pytest.approx(trained.judge.shares(trained.judged["test"].logits)[:1], abs=1e-5)


def test_a_text_is_read_as_it_will_be_served(encoder: Path) -> None:
    words = Judge(toy.recipe(encoder, max_tokens=6), TASK).words
    assert len(words.ids(["hello " * 50])[0]) == 6
    assert words.ids(["[SEP]"])[0] != words.ids([""])[0]  # these letters, not the mark


def test_an_epoch_holds_each_row_as_often_as_it_counts() -> None:
    lengths = [at % 37 for at in range(400)]
    factors = [2.0] * 100 + [0.0] * 100 + [0.5] * 200
    batches = epoch(lengths, factors, batch=8, seed="1/0")
    drawn = np.bincount([at for batch in batches for at in batch], minlength=400)
    assert set(drawn[:100]) == {2}
    assert set(drawn[100:200]) == {0}
    assert 60 < drawn[200:].sum() < 140
    assert batches == epoch(lengths, factors, batch=8, seed="1/0")
    assert batches != epoch(lengths, factors, batch=8, seed="1/1")


def test_a_batch_holds_texts_of_like_length() -> None:
    lengths = [int(x) for x in np.random.default_rng(1).integers(3, 200, 3200)]
    padded = sum(
        len(batch) * max(lengths[at] for at in batch)
        for batch in epoch(lengths, [1.0] * 3200, batch=32, seed="x")
    )
    assert padded < 1.1 * sum(lengths)


def test_a_large_slice_can_be_capped_and_slices_made_equal() -> None:
    rows = [Row(str(at), "x", slice="big" if at < 90 else "small") for at in range(100)]
    assert set(balance.by_slice(rows, Recipe())) == {1.0}
    capped = balance.by_slice(rows, Recipe(slice_cap=30))
    assert capped[:90].sum() == pytest.approx(30)
    assert capped[90:].sum() == pytest.approx(10)
    equal = balance.by_slice(rows, Recipe(slice_temperature=0.0))
    assert equal[:90].sum() == pytest.approx(equal[90:].sum())
    assert equal.sum() == pytest.approx(100)


def test_balanced_classes_count_the_same() -> None:
    rows = [
        Row(str(at), {"invoice": float(at < 10), "parcel": 1.0 if at < 50 else None}) for at in range(100)
    ]
    found = balance.by_label(rows, TASK, Recipe(class_weights="balanced", label_weights={"invoice": 2.0}))
    assert found[:10, 0].sum() == pytest.approx(found[10:, 0].sum())
    assert found[:, 0].sum() == pytest.approx(200)
    assert not found[50:, 1].any()


# -- what is left alone ----------------------------------------------------------------------------------------


def test_frozen_parts_do_not_move(encoder: Path, tmp_path: Path) -> None:
    recipe = toy.recipe(encoder, steps=20, validation=0.3, frozen=2, method="fine-tune")
    tuned = train(toy.several(160), recipe, folder=tmp_path / "tuned")
    whole = train(toy.several(160), replace(recipe, method="linear"), folder=tmp_path / "linear")
    changed = moved(tuned, whole)
    assert any(".layer.1." in name for name in changed)
    assert not [name for name in changed if "embeddings" in name or ".layer.0." in name]


def test_weights_are_mixed_with_those_before(encoder: Path, tmp_path: Path) -> None:
    recipe = toy.recipe(encoder, steps=20, validation=0.3, method="fine-tune")
    made = {
        share: weights(
            train(toy.several(160), replace(recipe, interpolate=share), folder=tmp_path / f"{share}")
        )
        for share in (0.0, 0.5, 1.0)
    }
    assert any(not np.array_equal(made[0.0][name], made[1.0][name]) for name in made[0.5] if "layer" in name)
    for name, middle in made[0.5].items():
        if name.startswith("encoder."):  # the head was calibrated besides
            assert middle == pytest.approx((made[0.0][name] + made[1.0][name]) / 2, abs=1e-6)


# -- calibration -----------------------------------------------------------------------------------------------


def test_calibrated_probabilities_mean_what_they_say() -> None:
    random = np.random.default_rng(6)
    honest = random.normal(size=(4000, 2)) * 2
    values = (random.random((4000, 2)) < 1 / (1 + np.exp(-honest))).astype(np.float32)
    logits = (honest * [3.0, 0.4] + [2.0, -1.0]).astype(np.float32)
    found = calibrated(logits, values, np.ones_like(values), TASK)
    assert found.scale == pytest.approx((1 / 3, 2.5), rel=0.1)
    for at in range(2):
        shares = 1 / (1 + np.exp(-found.applied(logits)[:, at].astype(np.float64)))
        assert reliability(values[:, at], shares).error < 0.03
    features = random.normal(size=(5, 3)).astype(np.float32)
    weight, bias = random.normal(size=(2, 3)).astype(np.float32), np.ones(2, np.float32)
    folded, moved_bias = found.folded(weight, bias)
    assert features @ folded.T + moved_bias == pytest.approx(
        found.applied(features @ weight.T + bias), abs=1e-4
    )


def test_one_temperature_for_a_choice_leaves_the_choice() -> None:
    random = np.random.default_rng(7)
    honest = random.normal(size=(3000, 3)) * 2
    shares = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    truth = np.array([random.choice(3, p=each) for each in shares])
    values = np.eye(3, dtype=np.float32)[truth]
    found = calibrated(
        (honest * 4).astype(np.float32), values, values * 0 + 1, Task(("a", "b", "c"), "softmax")
    )
    assert found.scale == pytest.approx((0.25,) * 3, rel=0.1)
    assert found.shift == (0.0, 0.0, 0.0)


def test_too_few_rows_calibrate_nothing_and_that_is_told() -> None:
    values = np.zeros((50, 2), np.float32)
    values[:3, 0], values[:25, 1] = 1, 1
    logits = np.where(values > 0, -2.0, 2.0).astype(np.float32)  # of the second, all the wrong way round
    found = calibrated(logits, values, np.ones_like(values), TASK)
    assert found.scale == (1.0, 1.0)
    assert [sentence.split()[0] for sentence in found.told] == list(toy.KINDS)


def test_training_leaves_small_numbers_to_the_rest_of_the_process(encoder: Path, tmp_path: Path) -> None:
    train(toy.single(60), toy.recipe(encoder, steps=2), folder=tmp_path)
    smallest = np.float32(1e-40)
    assert smallest * np.float32(1.0) > 0  # else what tests other code with such numbers fails after training
