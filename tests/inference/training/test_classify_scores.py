"""The figures of a classifier in NumPy say what scikit-learn says, and import nothing heavy."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from inference.training.classify import scores

RATES = (0.0, 0.002, 0.01, 0.1, 0.5, 1.0)


def cases() -> Iterator[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Truth and scores of few and of many rows, with and without equal scores, rare and common."""
    random = np.random.default_rng(7)
    for rows in (2, 3, 5, 8, 13, 40, 400):
        for steps in (1, 2, 6, 1000):
            for rare in (0.5, 0.1):
                truth = random.random(rows) < rare
                truth[:2] = True, False
                yield truth, np.round(random.random(rows) * steps) / steps


def test_areas_are_those_of_scikit_learn() -> None:
    for truth, said in cases():
        assert scores.average_precision(truth, said) == pytest.approx(
            metrics.average_precision_score(truth, said)
        )
        assert scores.roc_auc(truth, said) == pytest.approx(metrics.roc_auc_score(truth, said))


def test_recall_at_a_false_positive_rate_is_the_highest_that_keeps_it() -> None:
    for truth, said in cases():
        wrong, right, _ = metrics.roc_curve(truth, said, drop_intermediate=False)
        for rate in RATES:
            found = scores.recall_at(truth, said, rate)
            taken = said >= found.threshold
            assert found.recall == pytest.approx(right[wrong <= rate + 1e-12].max())
            assert taken[truth].mean() == pytest.approx(found.recall)
            assert taken[~truth].mean() == pytest.approx(found.false_rate)
            assert found.false_rate <= rate + 1e-12


def test_what_was_taken_is_counted_as_scikit_learn_counts() -> None:
    for truth, said in cases():
        taken = said >= 0.5
        wanted = metrics.confusion_matrix(truth, taken, labels=[0, 1])
        assert scores.confusion(truth, taken, 2).tolist() == wanted.tolist()
        assert scores.f1(truth, taken) == pytest.approx(metrics.f1_score(truth, taken))
        assert scores.accuracy(truth, taken) == pytest.approx(metrics.accuracy_score(truth, taken))


def test_no_threshold_has_a_better_f1_than_the_best() -> None:
    for truth, said in cases():
        best, threshold = scores.best_f1(truth, said)
        assert best == pytest.approx(max(scores.f1(truth, said >= each) for each in set(said)))
        assert scores.f1(truth, said >= threshold) == pytest.approx(best)


def test_without_positives_or_negatives_nothing_can_be_said() -> None:
    assert np.isnan(scores.average_precision([0, 0], [0.1, 0.9]))
    assert np.isnan(scores.roc_auc([1, 1], [0.1, 0.9]))
    assert np.isnan(scores.recall_at([1, 1], [0.1, 0.9], 0.01).recall)
    assert np.isnan(scores.accuracy([], []))


def test_who_says_what_is_true_has_no_calibration_error() -> None:
    truth = np.array([0] * 30 + [1] * 70)
    assert scores.reliability(truth, np.full(100, 0.7)).error == pytest.approx(0.0)
    assert scores.reliability(truth, np.full(100, 0.2)).error == pytest.approx(0.5)


def test_measuring_loads_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys; from inference.training.classify import scores, figures, Row, Recipe, read, train\n"
        "print(sorted({'torch', 'sklearn', 'transformers', 'ctranslate2', 'matplotlib'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
