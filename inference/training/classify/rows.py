"""Labelled texts: one row, what its labels mean together, and files of rows read with every mistake named.

Knows CSV, TSV, JSON lines (each also as .gz) and columns. Nothing is lost in silence: what is left out is counted and
told. How rows are divided stands in `split`, what is learned from them elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from inference.training.classify.records import UNKNOWN, BadRows, records

Floats = NDArray[np.float32]
Labels = Mapping[str, float | None] | str
Split = Literal["", "train", "validation", "test"]

SPLITS = ("", "train", "validation", "test")
SHOWN = 5  # mistakes named in a sentence; the others are counted

_WORDS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


@dataclass(frozen=True, slots=True)
class Row:
    """A text and what is true of it: one of several labels (a string), or for each label how true it is, from 0 to 1,
    None where nobody knows. `slice` is where the row came from; `split` says what it is for, "" leaves that open."""

    text: str
    labels: Labels
    slice: str = ""
    weight: float = 1.0
    split: Split = ""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be said of a text: one of `labels` (softmax), or each of them by itself (sigmoid)."""

    labels: tuple[str, ...]
    outcome: Literal["softmax", "sigmoid"]

    @classmethod
    def of(cls, rows: Sequence[Row], labels: Sequence[str] = ()) -> Task:
        """What these rows are labelled for; `labels` fixes their order. Raises BadRows."""
        single = {row.labels for row in rows if isinstance(row.labels, str)}
        several = [row.labels for row in rows if not isinstance(row.labels, str)]
        if single and several:
            raise BadRows("Some rows have one label and others several: give all of them the same kind.")
        found = sorted(single) or list(dict.fromkeys(name for each in several for name in each))
        if labels and (strange := sorted(set(found) - set(labels))):
            raise BadRows(f"Labels that were not named: {', '.join(strange[:SHOWN])}.")
        names = tuple(labels) or tuple(found)
        if not names or (single and len(names) < 2):
            raise BadRows(
                f"Every row has the label {found[0]!r}: there is nothing to tell apart."
                if found
                else "No row has a label."
            )
        return cls(names, "softmax" if single else "sigmoid")

    def targets(self, rows: Sequence[Row]) -> tuple[Floats, Floats]:
        """(rows, labels): how true each label is, and 1 where that is known. Raises BadRows for an unknown label."""
        values = np.zeros((len(rows), len(self.labels)), np.float32)
        known = np.zeros_like(values)
        place = {label: at for at, label in enumerate(self.labels)}
        try:
            for at, row in enumerate(rows):
                if isinstance(row.labels, str):
                    values[at, place[row.labels]] = 1.0
                    known[at] = 1.0
                    continue
                for name, value in row.labels.items():
                    if value is not None:
                        values[at, place[name]], known[at, place[name]] = value, 1.0
        except KeyError as error:
            raise BadRows(
                f"The label {error.args[0]!r} is none of those trained: {', '.join(self.labels)}."
            ) from error
        return values, known


@dataclass(frozen=True, slots=True)
class Columns:
    """Where things stand in a file. One column in `labels` holds the label's name, or in JSON lines an object of
    labels; several hold a number from 0 to 1 each, empty where it is not known."""

    text: str = "text"
    labels: tuple[str, ...] = ("label",)
    slice: str = ""
    weight: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """The rows of some files, and sentences about what was left out or looks odd."""

    rows: tuple[Row, ...]
    told: tuple[str, ...] = ()


@dataclass(slots=True)
class _Mistakes:
    """Lines with what is wrong with them."""

    lines: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        more = len(self.lines) - SHOWN
        return "; ".join(self.lines[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def read(paths: Iterable[Path], columns: Columns | None = None, *, skip: bool = False) -> Reading:
    """All rows of some files. A bad row is a mistake unless `skip`, and then counted. Raises BadRows."""
    columns, rows, mistakes = columns or Columns(), [], _Mistakes()
    for path in paths:
        for where, record in records(path):
            try:
                rows.append(_row(record, columns, where))
            except _BadRow as error:
                mistakes.lines.append(f"{where}: {error}")
    if mistakes.lines and not skip:
        raise BadRows(
            f"{len(mistakes.lines)} of {len(mistakes.lines) + len(rows)} rows are no use: {mistakes.sentence()}. "
            "Mend them, or say --skip-bad to leave them out."
        )
    told = [f"{len(mistakes.lines)} rows were left out: {mistakes.sentence()}."] if mistakes.lines else []
    return Reading(tuple(rows), (*told, *_conflicts(rows)))


class _BadRow(Exception):
    """What is wrong with one row."""


def _row(record: Mapping[str, Any], columns: Columns, where: str) -> Row:
    missing = [name for name in (columns.text, *columns.labels) if name not in record]
    if missing:
        there = ", ".join(map(str, record)) or "nothing"
        raise BadRows(
            f"{where} has no {' and no '.join(missing)}; it has {there}. Name the columns you want."
        )
    text = record[columns.text]
    if not isinstance(text, str) or not text.strip():
        raise _BadRow("no text")
    split = str(record.get(columns.split) or "") if columns.split else ""
    if split not in SPLITS:
        raise _BadRow(f"the split {split[:20]!r} is none of train, validation, test")
    return Row(
        text,
        _labels(record, columns.labels),
        slice=str(record.get(columns.slice) or "") if columns.slice else "",
        weight=_weight(record.get(columns.weight)) if columns.weight else 1.0,
        split=split,  # type: ignore[arg-type]
    )


def _labels(record: Mapping[str, Any], names: Sequence[str]) -> Labels:
    only = record[names[0]] if len(names) == 1 else None
    if isinstance(only, Mapping):
        return {str(name): _truth(value) for name, value in only.items()}
    if len(names) > 1:
        found = {name: _truth(record[name]) for name in names}
        if all(value is None for value in found.values()):
            raise _BadRow("none of its labels is known")
        return found
    if only is None or isinstance(only, list) or not str(only).strip():
        raise _BadRow("no label")
    return str(only).strip() if not isinstance(only, bool) else str(only).lower()


def _truth(value: Any) -> float | None:
    word = "" if value is None else str(value).strip().lower()
    if word in UNKNOWN:
        return None
    try:
        number = _WORDS[word] if word in _WORDS else float(word)
    except ValueError:
        raise _BadRow(f"{word[:20]!r} says neither yes nor no, nor a number from 0 to 1") from None
    if not 0 <= number <= 1:
        raise _BadRow(f"{word[:20]!r} is not between 0 and 1")
    return number


def _weight(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _BadRow(f"the weight {str(value)[:20]!r} is no number") from None
    if not 0 <= number < float("inf"):
        raise _BadRow(f"the weight {number} is not 0 or more")
    return number


def _conflicts(rows: Sequence[Row]) -> list[str]:
    """Texts that stand there more than once."""
    held: dict[str, set[str]] = {}
    for row in rows:
        held.setdefault(row.text, set()).add(str(row.labels))
    again = len(rows) - len(held)
    apart = Counter(len(labels) > 1 for labels in held.values())[True]
    told = [f"{again} rows repeat a text that came before."] if again else []
    return told + ([f"{apart} texts have labels that contradict each other."] if apart else [])
