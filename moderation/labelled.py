"""Labelled texts as people keep them: CSV and JSON lines whose columns say by their names what is known.

Knows files and columns. What scores are worth against them stands in `evaluate`. None of a label means: nobody knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.training.classify.records import UNKNOWN, BadRows, records
from moderation.categories import CATEGORIES, HARASSMENT, HATE, LABELS, OVERALL, SELF_HARM, SEXUAL, VIOLENCE

Truth = dict[str, bool | None]

TEXTS = (
    "text",
    "prompt",
    "test_case",
    "tweet",
    "sentence",
    "comment",
    "content",
    "message",
    "goal",
    "question",
)
WORDS = ("label", "label_gold", "target", "toxic", "class")  # one column that says whether it is harmful
# As OpenAI's public set has them: a parent category and its child are one here.
LETTERS = {
    "S": SEXUAL, "S3": SEXUAL, "H": HATE, "H2": HATE, "V": VIOLENCE, "V2": VIOLENCE, "HR": HARASSMENT, "SH": SELF_HARM,
}  # fmt: skip
POSITIVE = (
    "1",
    "1.0",
    "true",
    "yes",
    "unsafe",
    "harmful",
    "hateful",
    "hate",
    "toxic",
    "offensive",
    "flagged",
)
NEGATIVE = (
    *("0", "0.0", "false", "no", "safe", "harmless", "benign", "non-hateful", "not-hate", "nothate"),
    *("non-toxic", "not-toxic", "non-offensive", "normal", "neither"),
)


class LabelsUnclear(ValueError):
    """A file does not say what is harmful; the message names the file and the option that says it."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and what is true of it, by category and "overall"."""

    text: str
    truth: Truth


@dataclass(frozen=True, slots=True)
class Convention:
    """How a file is read, where its columns' names do not tell: the columns, the words for yes and no, the category
    that a single label is about; `all` says it of every text."""

    text: str = ""
    label: str = ""
    positive: Collection[str] = ()
    negative: Collection[str] = ()
    category: str = OVERALL
    all: bool | None = None


def read(files: Sequence[Path], convention: Convention) -> list[Labelled]:
    """All texts of the files. Raises LabelsUnclear."""
    found = [
        Labelled(text, _truth(record, convention, place))
        for file in files
        for place, record in _records(file)
        if (text := _text(record, convention, place)).strip()
    ]
    if not found:
        raise LabelsUnclear(f"There is no text in {', '.join(map(str, files))}.")
    return found


def _text(record: Mapping[str, Any], convention: Convention, place: str) -> str:
    names = {str(name).lower(): name for name in record}
    wanted = (convention.text.lower(),) if convention.text else TEXTS
    for name in wanted:
        if name in names:
            return str(record[names[name]] or "")
    raise LabelsUnclear(
        f"{place}: no column of the text among {', '.join(map(str, record))}. Say --text COLUMN."
    )


def _truth(record: Mapping[str, Any], convention: Convention, place: str) -> Truth:
    if convention.all is not None:
        return {convention.category: convention.all}
    try:
        return _whole(_labels(record, convention))
    except ValueError as error:
        raise LabelsUnclear(f"{place}: {error}") from None


def _labels(record: Mapping[str, Any], convention: Convention) -> Truth:
    names = {str(name).lower(): name for name in record}
    if convention.label:
        if convention.label.lower() not in names:
            raise ValueError(f"no column {convention.label} among {', '.join(names)}")
        return {convention.category: _word(record[names[convention.label.lower()]], convention)}
    if isinstance(record.get("labels"), Mapping):
        return {_category(name): _word(value, convention) for name, value in record["labels"].items()}
    if letters := [name for name in LETTERS if name in record]:
        return _merged((LETTERS[name], _word(record[name], convention)) for name in letters)
    if own := [name for name in names if name.replace("_", "-") in LABELS]:
        return _merged((name.replace("_", "-"), _word(record[names[name]], convention)) for name in own)
    for name in WORDS:
        if name in names:
            return {convention.category: _word(record[names[name]], convention)}
    raise ValueError(f"no label among {', '.join(names)}. Say --label COLUMN, or --all safe or --all unsafe.")


def _category(name: object) -> str:
    found = str(name).lower().replace("_", "-")
    if found not in LABELS:
        raise ValueError(f"{name!r} is no category; they are {', '.join(LABELS)}")
    return found


def _merged(pairs: Iterator[tuple[str, bool | None]]) -> Truth:
    """Several columns of one category: true if any is, unknown if all are."""
    found: Truth = {}
    for name, value in pairs:
        before = found.get(name)
        found[name] = value if before is None else before or bool(value)
    return found


def _whole(truth: Truth) -> Truth:
    """With "overall": what any category makes true; of categories all known and false, false."""
    if OVERALL in truth or len(truth) == 1:
        return truth
    known = [value for name, value in truth.items() if name in CATEGORIES and value is not None]
    return {**truth, OVERALL: any(known) if known else None}


def _word(value: object, convention: Convention) -> bool | None:
    word = "" if value is None else str(value).strip().lower().replace("_", "-").replace(" ", "-")
    positive = {each.lower().replace("_", "-").replace(" ", "-") for each in convention.positive}
    negative = {each.lower().replace("_", "-").replace(" ", "-") for each in convention.negative}
    if word in positive or (not positive and word in POSITIVE):
        return True
    if word in negative or (not negative and word in NEGATIVE):
        return False
    if word in UNKNOWN:
        return None
    if positive or negative:
        return not positive  # what was not named is the other
    raise ValueError(
        f"the label {word[:30]!r} is neither yes nor no. Say --positive WORD,... or --negative WORD,..."
    )


def _records(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each record with its place. Raises LabelsUnclear where the file cannot be read."""
    try:
        yield from records(file, strict=False)
    except BadRows as error:
        raise LabelsUnclear(str(error)) from error
