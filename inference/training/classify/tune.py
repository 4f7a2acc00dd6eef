"""All layers tuned by gradient steps, with what comes before and after: warm-up, early stopping, weights mixed.

Knows torch. Nothing random is carried from step to step: each draws from a generator seeded by its own number, and
each epoch's order from the epoch's, so that a run that was killed goes on exactly as if it had not been.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from inference.training.classify import balance
from inference.training.classify.checkpoint import Checkpoint
from inference.training.classify.judge import Judge
from inference.training.classify.progress import Moment, Watch
from inference.training.classify.recipe import Recipe
from inference.training.classify.rows import Floats, Row, Task
from inference.training.classify.scores import average_precision
from inference.training.classify.tokens import Ids, epoch

TOLD_EVERY = 10  # steps


@dataclass(frozen=True, slots=True)
class Texts:
    """Rows, and their texts as the model reads them without augmentation."""

    rows: tuple[Row, ...]
    seen: tuple[str, ...]


@dataclass(slots=True)
class Past:
    """What happened so far. `losses` are means since the last entry, by step; `figures` what validation said."""

    step: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)
    pending: list[float] = field(default_factory=list)  # since the last entry
    figures: list[tuple[int, float]] = field(default_factory=list)
    best: float = -math.inf
    since: int = 0  # evaluations since the best one
    stopped: bool = False


class Tuning:
    """One run of steps from the judge's present weights, or on from the checkpoint."""

    def __init__(
        self, judge: Judge, *, train: Texts, validation: Texts, checkpoint: Checkpoint, watch: Watch
    ) -> None:
        self.judge, self.recipe, self.task = judge, judge.recipe, judge.task
        self.past = Past()
        self._train, self._watch, self._checkpoint = train, watch, checkpoint
        self._ids = judge.words.ids(train.seen)
        self._factors = balance.by_slice(train.rows, self.recipe)
        self._weights = balance.by_label(train.rows, self.task, self.recipe)
        self._values = _smoothed(self.task.targets(train.rows)[0], self.task, self.recipe.smoothing)
        self._judged = _Judged(judge, validation)
        epoch_steps = max(1, math.ceil(float(self._factors.sum()) / self.recipe.batch))
        self.steps = self.recipe.steps or max(1, round(self.recipe.epochs * epoch_steps))
        self._every = self.recipe.evaluate_every or max(1, min(self.steps, epoch_steps) // 4)
        self._before = judge.state()
        self._best: dict[str, Any] = self._before
        self._groups = _groups(judge)
        self._optimizer = _optimizer(self._groups)

    def run(self) -> Past:
        """To the end of the steps, or until validation has long been better; the judge has its best weights then."""
        with _flushed():
            return self._run()

    def _run(self) -> Past:
        self._resume()
        began, rows = time.monotonic(), 0
        for places in self._batches(self.past.step):
            if self.past.step >= self.steps or self.past.stopped:
                break
            self.past.pending.append(self._learn(places))
            self.past.step += 1
            rows += len(places)
            if self.past.step % TOLD_EVERY == 0 or self.past.step == self.steps:
                self.past.losses.append((self.past.step, float(np.mean(self.past.pending))))
                self.past.pending.clear()
                self._tell(rows / (time.monotonic() - began))
            if self.past.step % self._every == 0 or self.past.step == self.steps:
                self._evaluate()
            if self._checkpoint.due(self.past.step):
                self._save()
        self._save()
        self._finish()
        return self.past

    def _finish(self) -> None:
        """The best weights, mixed with those before where the recipe says so (WiSE-FT)."""
        share = self.recipe.interpolate
        if share == 1:
            mixed = self._best
        else:
            mixed = {
                name: value * share + self._before[name] * (1 - share) if value.is_floating_point() else value
                for name, value in self._best.items()
            }
        self.judge.load(mixed)
        self.judge.encoder.eval()

    # -- a step ----------------------------------------------------------------------------------------------

    def _learn(self, places: Sequence[int]) -> float:
        import torch
        from torch.nn import functional

        torch.manual_seed(_seed(self.recipe.seed, self.past.step))
        self._set_rates()
        self.judge.encoder.train()
        ids, mask = self.judge.words.tensors(self._read(places))
        values = torch.from_numpy(self._values[places])
        weights = torch.from_numpy(self._weights[places])
        pooled = functional.dropout(self.judge.pooled(ids, mask), self.recipe.dropout)
        loss = _loss(self.judge.head(pooled), values, weights, self.task)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = [each for group in self._groups for each in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, self.recipe.clip)
        self._optimizer.step()
        return float(loss.detach())

    def _read(self, places: Sequence[int]) -> list[Ids]:
        augment, prepare = self.recipe.augment, self.recipe.prepare or str
        if augment is None:
            return [self._ids[at] for at in places]
        seeds = (f"{self.recipe.seed}/{self.past.step}/{number}" for number in range(len(places)))
        chance = [random.Random(each) for each in seeds]  # noqa: S311 (no secret: repeatable)
        texts = [self._train.rows[at].text for at in places]
        return self.judge.words.ids(
            [prepare(augment(text, each)) for text, each in zip(texts, chance, strict=True)]
        )

    def _batches(self, start: int) -> Iterator[list[int]]:
        """Without end, from this step on."""
        lengths = [len(row) for row in self._ids]
        number, at = 0, 0
        while True:
            batches = epoch(
                lengths,
                self._factors.tolist(),
                batch=self.recipe.batch,
                seed=f"{self.recipe.seed}/{number}",
            )
            yield from batches[max(0, start - at) :]
            number, at = number + 1, at + len(batches)

    def _set_rates(self) -> None:
        warm = max(1, round(self.recipe.warmup * self.steps))
        left = (self.steps - self.past.step) / max(1, self.steps - warm)
        factor = min((self.past.step + 1) / warm, left, 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = group["highest"] * factor

    # -- judging, keeping ------------------------------------------------------------------------------------

    def _evaluate(self) -> None:
        figure = self._judged.figure(self._watch)
        self.past.figures.append((self.past.step, figure))
        if figure > self.past.best or not math.isfinite(self.past.best):
            self.past.best, self.past.since = figure, 0
            self._best = self.judge.state()
        else:
            self.past.since += 1
            self.past.stopped = bool(self.recipe.patience) and self.past.since >= self.recipe.patience

    def _resume(self) -> None:
        saved = self._checkpoint.load()
        if saved is None:
            self._evaluate()  # what there was before: tuning never makes it worse
            self._save()
            return
        self.past = Past(**saved["past"])
        self._before, self._best = saved["before"], saved["best"]
        self.judge.load(saved["weights"])
        self._optimizer.load_state_dict(saved["optimizer"])

    def _save(self) -> None:
        past = {name: getattr(self.past, name) for name in Past.__slots__}
        self._checkpoint.save(
            past=past,
            weights=self.judge.state(),
            best=self._best,
            before=self._before if self.recipe.interpolate < 1 else {},
            optimizer=self._optimizer.state_dict(),
        )

    def _tell(self, speed: float) -> None:
        best = f", best {self.past.best:.4f}" if math.isfinite(self.past.best) else ""
        note = f"loss {self.past.losses[-1][1]:.4f}, {speed:.0f} rows/s{best}"
        self._watch(Moment("tuning", self.past.step, self.steps, note))


@contextmanager
def _flushed() -> Iterator[None]:
    """Numbers of 1e-40 are nothing, and slow: they become 0 while the block is open. The processor's state is
    everybody's, so it is put back."""
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


class _Judged:
    """Some of the rows for validation, and one figure of them: how many are right, or the mean AUPRC of the labels."""

    def __init__(self, judge: Judge, validation: Texts) -> None:
        chosen = list(range(len(validation.rows)))
        random.Random(judge.recipe.seed).shuffle(chosen)  # noqa: S311 (no secret: repeatable)
        chosen = sorted(chosen[: judge.recipe.evaluate_rows])
        self._judge = judge
        self._ids = judge.words.ids([validation.seen[at] for at in chosen])
        self._values, self._known = judge.task.targets([validation.rows[at] for at in chosen])

    def figure(self, watch: Watch) -> float:
        logits = self._judge.logits(self._judge.features(self._ids, watch=watch, stage="validation"))
        return figure(logits, self._values, self._known, self._judge.task)


def figure(logits: Floats, values: Floats, known: Floats, task: Task) -> float:
    """What the best weights are chosen by."""
    if task.outcome == "softmax":
        return float((logits.argmax(axis=1) == values.argmax(axis=1)).mean())
    found = [
        average_precision(values[known[:, at] > 0, at] >= 0.5, logits[known[:, at] > 0, at])
        for at in range(values.shape[1])
    ]
    there = [each for each in found if math.isfinite(each)]
    return float(np.mean(there)) if there else 0.0


def _loss(logits: Any, values: Any, weights: Any, task: Task) -> Any:
    """The mean by weight; what nobody knows has none."""
    from torch.nn import functional

    if task.outcome == "softmax":
        weights = weights[:, 0]
        losses = functional.cross_entropy(logits, values, reduction="none")
    else:
        losses = functional.binary_cross_entropy_with_logits(logits, values, reduction="none")
    return (losses * weights).sum() / weights.sum().clamp_min(1e-6)


def _smoothed(values: Floats, task: Task, share: float) -> Floats:
    middle = 1 / len(task.labels) if task.outcome == "softmax" else 0.5
    return (values * (1 - share) + middle * share).astype(np.float32)


def _groups(judge: Judge) -> list[dict[str, Any]]:
    """Parameters by their highest rate: lower layers know what all texts share, and move less. Norms and biases are
    not pulled to nothing."""
    recipe, top = judge.recipe, judge.layers - 1
    found: dict[tuple[float, float], list[Any]] = {}
    for name, parameter in judge.encoder.named_parameters():
        depth = judge.depth(name)
        parameter.requires_grad_(depth >= recipe.frozen)
        if depth >= recipe.frozen:
            rate = recipe.rate * recipe.layer_decay ** (top - depth)
            found.setdefault((rate, _decay(parameter, recipe)), []).append(parameter)
    for parameter in judge.head.parameters():
        found.setdefault((recipe.head_rate, _decay(parameter, recipe)), []).append(parameter)
    return [
        {"params": each, "lr": rate, "highest": rate, "weight_decay": decay}
        for (rate, decay), each in found.items()
    ]


def _decay(parameter: Any, recipe: Recipe) -> float:
    return recipe.weight_decay if parameter.ndim > 1 else 0.0


def _optimizer(groups: list[dict[str, Any]]) -> Any:
    import torch

    return torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=True)


def _seed(seed: int, step: int) -> int:
    return seed * 1_000_003 + step
