"""What tuning is worth on sources it has never seen: each fold left out in turn, beside frozen embeddings and
logistic regression over the same rows.

Knows folds, probes and figures. What the rows are stands in `mixture`, how they are learned from in `recipe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from inference.training.classify import Recipe, Row, Task
from inference.training.classify.progress import Moment, Watch, silent
from inference.training.classify.scores import average_precision, recall_at
from moderation.categories import LABELS, OVERALL
from moderation.training.mixture import FOLDS

if TYPE_CHECKING:
    from inference.heads import Floats
    from inference.training.classify.judge import Judge
    from inference.training.classify.tune import Texts

Method = Literal["frozen", "tuned"]
TASK = Task(LABELS, "sigmoid")
INNER = 0.08  # of the rows to learn from, to calibrate by and to choose the best step by


@dataclass(frozen=True, slots=True)
class Held:
    """The left-out rows of all folds under one seed, and what each method says of them: logits, a column a label.
    `fold` numbers the fold of each row."""

    seed: int
    rows: tuple[Row, ...]
    fold: tuple[int, ...]
    logits: dict[Method, Floats]

    def figure(self, method: Method, label: str = OVERALL, *, fold: int | None = None) -> float:
        """AUPRC of a label over the rows where it is known, of one fold or of all."""
        wanted, scores = self._known(method, label, fold)
        return average_precision(wanted, scores)

    def recall(self, method: Method, rate: float) -> float:
        """Of what is harmful, how much is found when this share of the harmless is taken for it."""
        wanted, scores = self._known(method, OVERALL, None)
        return recall_at(wanted, scores, rate).recall

    def _known(self, method: Method, label: str, fold: int | None) -> tuple[np.ndarray, np.ndarray]:
        values, known = TASK.targets(self.rows)
        at = LABELS.index(label)
        keep = known[:, at] > 0
        if fold is not None:
            keep &= np.asarray(self.fold) == fold
        return values[keep, at] >= 0.5, self.logits[method][keep, at]


def held_out(rows: Sequence[Row], recipe: Recipe, *, seed: int, folder: Path, watch: Watch = silent) -> Held:
    """Every fold left out once under one seed, by both methods. `folder` keeps what a killed run goes on from."""
    from inference.training.classify.judge import Judge
    from inference.training.classify.train import embedded

    recipe = replace(recipe, seed=seed)
    judge = Judge(recipe, TASK)
    seen = tuple((recipe.prepare or str)(row.text) for row in rows)
    features = embedded(judge, seen, folder, watch)
    places: list[int] = []
    folds: list[int] = []
    logits: dict[Method, list[Floats]] = {"frozen": [], "tuned": []}
    for number, sources in enumerate(FOLDS):
        out = [at for at, row in enumerate(rows) if row.slice in sources]
        within = [at for at, row in enumerate(rows) if row.slice not in sources]
        one = _Fold(
            rows, seen, features, out=out, within=within, recipe=recipe, folder=folder / f"{seed}-{number}"
        )
        places += out
        folds += [number] * len(out)
        for method, found in one.logits(watch).items():
            logits[method].append(found)
    return Held(
        seed,
        tuple(rows[at] for at in places),
        tuple(folds),
        {name: np.concatenate(each) for name, each in logits.items()},
    )


class _Fold:
    """One part left out, the rest learned from by both methods."""

    def __init__(
        self, rows: Sequence[Row], seen: Sequence[str], features: Floats, *, out: list[int], within: list[int],
        recipe: Recipe, folder: Path,
    ) -> None:  # fmt: skip
        chance = np.random.default_rng(recipe.seed)
        inner = set(chance.choice(within, int(len(within) * INNER), replace=False).tolist())
        self._rows, self._seen, self._features = rows, seen, features
        self._out, self._recipe, self._folder = out, recipe, folder
        self._judged = sorted(inner)
        self._learned = [at for at in within if at not in inner]

    def logits(self, watch: Watch) -> dict[Method, Floats]:
        from inference.training.classify.judge import Judge
        from inference.training.classify.linear import probed

        judge = Judge(self._recipe, TASK)
        learned = self._texts(self._learned)
        watch(Moment("linear probe", 0, 1))
        fit = probed(self._features[self._learned], learned.rows, TASK, self._recipe)
        frozen = self._features @ fit.weight.T + fit.bias
        judge.set_head(fit.weight, fit.bias)
        self._tune(judge, learned, watch)
        inner, out = (self._judging(judge, which, watch) for which in (self._judged, self._out))
        return {
            "frozen": self._even(frozen[self._judged], frozen[self._out]),
            "tuned": self._even(inner, out),
        }

    def _texts(self, which: Sequence[int]) -> Texts:
        from inference.training.classify.tune import Texts

        return Texts(tuple(self._rows[at] for at in which), tuple(self._seen[at] for at in which))

    def _tune(self, judge: Judge, learned: Texts, watch: Watch) -> None:
        from inference.training.classify.train import checkpoint_of
        from inference.training.classify.tune import Tuning

        inner = self._texts(self._judged)
        checkpoint = checkpoint_of(judge, learned, inner, self._folder)
        Tuning(judge, train=learned, validation=inner, checkpoint=checkpoint, watch=watch).run()

    def _judging(self, judge: Judge, which: Sequence[int], watch: Watch) -> Floats:
        ids = judge.words.ids([self._seen[at] for at in which])
        return judge.logits(judge.features(ids, watch=watch, stage="judging"))

    def _even(self, inner: Floats, out: Floats) -> Floats:
        """Logits that mean the same in every fold: calibrated on rows of the other sources."""
        from inference.training.classify.calibrate import calibrated

        values, known = TASK.targets([self._rows[at] for at in self._judged])
        return calibrated(inner, values, known, TASK).applied(out)
