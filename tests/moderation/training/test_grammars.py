"""Written sentences: the same for the same seed, labelled as their grammar says, and refused where one is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from moderation.categories import CATEGORIES, LABELS, OVERALL
from moderation.training import grammars

FEW = 0.02  # of the rows: enough to visit every grammar


def write(folder: Path, text: str) -> Path:
    (folder / "one.yaml").write_text(text, encoding="utf-8")
    return folder


def test_the_same_seed_makes_the_same_rows_and_another_seed_others() -> None:
    assert list(grammars.rows(1, share=FEW)) == list(grammars.rows(1, share=FEW))
    assert {row.text for row in grammars.rows(1, share=FEW)} != {
        row.text for row in grammars.rows(2, share=FEW)
    }


def test_every_grammar_makes_as_many_distinct_rows_as_it_says() -> None:
    wanted = {f"written/{each.name}": each.rows for each in grammars.load()}
    made: dict[str, set[str]] = {}
    for row in grammars.rows(1):
        made.setdefault(row.slice, set()).add(row.text)
    assert {name: len(texts) for name, texts in made.items()} == wanted


def test_no_slot_is_left_unfilled_in_any_row() -> None:
    for grammar in grammars.load():
        texts = (*grammar.templates, *(text for each in grammar.slots.values() for text in each))
        used = {slot for text in texts for slot in grammars.SLOT.findall(text)}
        named = {slot for slot in used if "|" not in slot}
        assert named == set(grammar.slots), grammar.name


def test_every_category_has_written_rows_but_those_with_thousands_of_public_ones() -> None:
    found = {name for each in grammars.load() for name, value in each.labels.items() if value == 1.0}
    assert set(CATEGORIES) - {"hate"} <= found


def test_what_looks_harmful_and_is_not_outnumbers_what_is() -> None:
    harmless = sum(each.rows for each in grammars.load() if each.labels[OVERALL] == 0.0)
    assert harmless > sum(each.rows for each in grammars.load() if each.labels[OVERALL] == 1.0)


def test_labels_are_absent_unless_named_and_overall_follows(tmp_path: Path) -> None:
    folder = write(
        tmp_path, "- {name: a, rows: 1, labels: {violence: 1}, unknown: [hate], templates: [x], slots: {}}"
    )
    (row,) = grammars.rows(1, folder=folder)
    assert dict(row.labels) == dict.fromkeys(LABELS, 0.0) | {"violence": 1.0, "overall": 1.0, "hate": None}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- {name: a, rows: 1, templates: ['{who}'], slots: {}}", "{who} is used and not defined"),
        ("- {name: a, rows: 1, templates: ['{x}'], slots: {x: ['{x}!']}}", "without end"),
        ("- {name: a, rows: 1, templates: [x], labels: {rude: 1}}", "rude is no category"),
        ("- {name: a, rows: 1, templates: [x], lables: {}}", "lables is unknown"),
        ("- {name: a, templates: [x]}", "it needs name"),
        (
            "[{name: a, rows: 1, templates: [x]}, {name: a, rows: 1, templates: [y]}]",
            "two grammars have one name: a",
        ),
    ],
)
def test_a_wrong_grammar_is_refused_with_what_to_change(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(grammars.GrammarError, match=says.replace("{", r"\{")):
        list(grammars.rows(1, folder=write(tmp_path, text)))
