"""How the weights for Chinese are made: COLD's comments, written sentences, TF-IDF and a logistic regression.

Knows scikit-learn, which running needs not. What is made is read by `moderation.ngrams`; what it is worth stands in
`moderation/chinese/README.md`, with the figures that this prints.

    python -m moderation.training.chinese --data DIR     DIR/cold/train.csv and dev.csv; a few minutes on one core
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.training.classify import Row, scores
from moderation import ngrams
from moderation.categories import OVERALL
from moderation.normalise import classifier_copy
from moderation.training import grammars
from moderation.windows import characters

GRAMMARS = Path(__file__).with_name("chinese_grammars")
SEED = 1
KEPT = 60_000  # grams, those that weigh most: a file of 0.3 MB
STRICTNESS = 2.0  # scikit-learn's C
FOLDS = 3  # for the calibration, on what the folds have not seen
WRITTEN_TWICE = 2  # the written sentences weigh as much as so many comments each

Texts = list[str]
Truth = NDArray[np.int64]


def comments(file: Path) -> tuple[Texts, Truth]:
    """COLD's rows: the text as the scorer reads it, and 1 where it is offensive."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = [(prepared(row["TEXT"]), int(row["label"])) for row in csv.DictReader(opened)]
    return [text for text, _ in rows], np.array([label for _, label in rows])


def written(seed: int) -> tuple[Texts, Truth]:
    rows = list(grammars.rows(seed, folder=GRAMMARS))
    return [prepared(row.text) for row in rows], np.array([_offensive(row) for row in rows])


def _offensive(row: Row) -> int:
    return int(not isinstance(row.labels, str) and bool(row.labels[OVERALL]))


def prepared(text: str) -> str:
    return "".join(classifier_copy(text).text.split())


def fit(texts: Texts, truth: Truth, weights: NDArray[np.float64], *, kept: int = KEPT) -> ngrams.Grams:
    """The grams that weigh most, weighed again by themselves, and calibrated."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    kind = {"analyzer": "char", "ngram_range": (1, ngrams.LONGEST), "sublinear_tf": True, "lowercase": False}
    every = TfidfVectorizer(min_df=2, **kind)
    model = _regression().fit(every.fit_transform(texts), truth, weights)
    names = np.array(every.get_feature_names_out())
    strongest = names[np.argsort(-np.abs(model.coef_[0]), kind="stable")[:kept]]
    some = TfidfVectorizer(vocabulary=sorted(strongest, key=_code), **kind)
    rows = some.fit_transform(texts)
    slope, shift = _calibration(rows, truth, weights, LogisticRegression)
    model = _regression().fit(rows, truth, weights)
    order = some.get_feature_names_out()
    return ngrams.Grams(
        grams=np.array([_code(name) for name in order], np.uint64),
        rarity=some.idf_.astype(np.float32),
        weight=model.coef_[0].astype(np.float32),
        bias=slope * float(model.intercept_[0]) + shift,
        slope=slope,
    )


def _regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=STRICTNESS, solver="liblinear", random_state=SEED)


def _calibration(rows: Any, truth: Truth, weights: NDArray[np.float64], plain: Any) -> tuple[float, float]:
    """Platt's two numbers, from what models say of rows that they have not seen."""
    folds = np.random.default_rng(SEED).integers(FOLDS, size=len(truth))
    said = np.zeros(len(truth))
    for fold in range(FOLDS):
        seen = folds != fold
        said[~seen] = _regression().fit(rows[seen], truth[seen], weights[seen]).decision_function(rows[~seen])
    found = plain(C=1e6).fit(said[:, None], truth, weights)
    return float(found.coef_[0, 0]), float(found.intercept_[0])


def _code(gram: str) -> int:
    return int(ngrams.codes(gram)[-1])


def report(grams: ngrams.Grams, texts: Texts, truth: Truth) -> Sequence[str]:
    """What the README tells, of texts judged in parts as the classifier does."""
    said = np.array([max(map(grams.score, characters(text))) for text in texts])
    lines = [
        f"rows {len(truth)}, offensive {truth.mean():.3f}",
        f"accuracy {float(((said >= 0.5) == truth).mean()):.4f}",
        f"AUPRC {scores.average_precision(truth, said):.4f}, AUC {scores.roc_auc(truth, said):.4f}",
    ]
    for threshold in (0.8, 0.85, 0.9, 0.95):
        taken = said >= threshold
        right = float(truth[taken].mean()) if taken.any() else float("nan")
        found = float(taken[truth == 1].mean())
        lines.append(f"from {threshold}: precision {right:.3f}, recall {found:.3f}")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make the weights for Chinese.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that has cold/")
    parser.add_argument("--out", type=Path, default=ngrams.FILE)
    options = parser.parse_args(arguments)
    texts, truth = comments(options.data / "cold" / "train.csv")
    dev, dev_truth = comments(options.data / "cold" / "dev.csv")
    held_out = set(dev)
    unseen = [at for at, text in enumerate(texts) if text not in held_out]
    extra, extra_truth = written(SEED)
    grams = fit(
        [*(texts[at] for at in unseen), *extra],
        np.concatenate([truth[unseen], extra_truth]),
        np.concatenate([np.ones(len(unseen)), np.full(len(extra), float(WRITTEN_TWICE))]),
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    grams.save(options.out)
    kept = ngrams.Grams.load(options.out)
    print(f"{options.out}: {len(kept.grams)} grams, {options.out.stat().st_size:,} bytes")  # noqa: T201
    print("\n".join(report(kept, dev, dev_truth)))  # noqa: T201


if __name__ == "__main__":
    main()
