"""Labelled rows: read from files with every mistake named, divided so that nobody is judged by what they learned."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.training.classify import BadRows, Columns, Row, Task, read
from inference.training.classify.split import divide, folds
from tests.inference.training import toy


def lines(path: Path, *records: Any) -> Path:
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    return path


def test_csv_tsv_and_json_lines_say_the_same_also_packed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,label\n"one, ""two""",yes\nthree,no\n', encoding="utf-8-sig")
    (tmp_path / "a.tsv").write_text('text\tlabel\none, "two"\tyes\nthree\tno\n'.replace('"two"', "'two'"))
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(
        gzip.compress(
            b'{"text": "one, \\"two\\"", "label": "yes"}\n\n{"text": "three", "label": "no", "more": 1}\n'
        )
    )
    wanted = (Row('one, "two"', "yes"), Row("three", "no"))
    assert read([tmp_path / "a.csv"]).rows == wanted
    assert read([packed]).rows == wanted
    assert read([tmp_path / "a.tsv"]).rows == (Row("one, 'two'", "yes"), Row("three", "no"))
    assert read([tmp_path / "a.csv", packed]).rows == wanted * 2


def test_several_columns_are_several_labels_and_nothing_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("said,hate,spam,from,for,counts\na,1,,x,train,2\nb,no,0.25,y,test,0.5\n")
    columns = Columns("said", ("hate", "spam"), slice="from", weight="counts", split="for")
    assert read([path], columns).rows == (
        Row("a", {"hate": 1.0, "spam": None}, "x", 2.0, "train"),
        Row("b", {"hate": 0.0, "spam": 0.25}, "y", 0.5, "test"),
    )


def test_an_object_of_labels_is_several_labels(tmp_path: Path) -> None:
    path = lines(tmp_path / "rows.jsonl", {"text": "a", "label": {"hate": True, "spam": None}})
    assert read([path]).rows == (Row("a", {"hate": 1.0, "spam": None}),)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"text": "  ", "label": "a"}, "line 2: no text"),
        ({"text": 7, "label": "a"}, "line 2: no text"),
        ({"text": "x", "label": ""}, "line 2: no label"),
        ({"text": "x", "label": None}, "line 2: no label"),
        ({"text": "x", "label": {"hate": "perhaps"}}, "'perhaps' says neither yes nor no"),
        ({"text": "x", "label": {"hate": 3}}, "'3' is not between 0 and 1"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, record: Any, said: str) -> None:
    path = lines(tmp_path / "rows.jsonl", {"text": "x", "label": "a"}, record)
    with pytest.raises(BadRows, match=said):
        read([path])
    skipped = read([path], skip=True)
    assert len(skipped.rows) == 1
    assert "1 rows were left out" in skipped.told[0]


def test_many_bad_rows_are_counted_and_the_first_of_them_named(tmp_path: Path) -> None:
    path = lines(tmp_path / "rows.jsonl", *({"text": "", "label": "a"} for _ in range(9)))
    with pytest.raises(BadRows, match=r"9 of 9 rows .* line 5: no text; and 4 more"):
        read([path])


def test_a_missing_column_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    path = lines(tmp_path / "rows.jsonl", {"body": "x", "stars": 1})
    with pytest.raises(BadRows, match=r"has no text and no label; it has body, stars"):
        read([path])


def test_files_that_are_none_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("text,label\ncafé,a\n".encode("latin-1"))
    (tmp_path / "torn.jsonl").write_text('{"text": "a", "label"')
    (tmp_path / "rows.xlsx").write_bytes(b"")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a", "label": "b"}\n' * 99)[:30])
    (tmp_path / "broken.csv").write_text('text,label\n"a" b,c\n')
    for name, said in (
        ("latin.csv", "no UTF-8"),
        ("torn.jsonl", "line 1 is no JSON"),
        ("rows.xlsx", "neither .csv"),
        ("cut.jsonl.gz", "cannot be read"),
        ("broken.csv", "line 2 is no CSV"),
        ("absent.csv", "cannot be read"),
    ):
        with pytest.raises(BadRows, match=said):
            read([tmp_path / name])


def test_repeated_and_contradicting_texts_are_counted(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "rows.jsonl", *({"text": t, "label": s} for t, s in ("aa", "aa", "bb", "ba", "cc"))
    )
    told = read([path]).told
    assert told == (
        "2 rows repeat a text that came before.",
        "1 texts have labels that contradict each other.",
    )


def test_what_nobody_knows_is_no_target() -> None:
    rows = [Row("x", {"a": 1.0, "b": None}), Row("y", {"b": 0.5})]
    values, known = Task.of(rows).targets(rows)
    assert values.tolist() == [[1, 0], [0, 0.5]]
    assert known.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([Row("x", "a"), Row("y", "a")], "nothing to tell apart"),
        ([Row("x", "a"), Row("y", {"a": 1.0})], "the same kind"),
        ([Row("x", {})], "No row has a label"),
    ],
)
def test_rows_that_make_no_task_are_refused(rows: list[Row], said: str) -> None:
    with pytest.raises(BadRows, match=said):
        Task.of(rows)


def test_no_text_stands_on_both_sides() -> None:
    rows = toy.single(200) + toy.single(200)  # each twice
    found = divide(rows, test=[rows[0], rows[5]], share=0.1)
    sides = [{row.text for row in part} for part in (found.train, found.validation, found.test)]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert len(found.validation) == 40
    assert any("also judged by" in sentence for sentence in found.told)


def test_what_is_tested_by_chooses_no_weights_and_no_calibration() -> None:
    rows = toy.single(200)
    told = Row(rows[1].text, rows[1].labels, split="validation")
    found = divide([*rows, told, Row("only for validation", "a", split="validation")], test=rows[:3])
    assert [row.text for row in found.validation] == ["only for validation"]
    assert any("also tested by" in sentence for sentence in found.told)


def test_texts_that_are_read_alike_stand_on_one_side() -> None:
    rows = [Row(f"{word}{number}", kind) for number in range(60) for word, kind in (("A", "x"), ("a", "x"))]
    found = divide(rows, key=str.lower)
    assert not {row.text.lower() for row in found.train} & {row.text.lower() for row in found.validation}


def test_a_share_is_taken_of_every_label_and_slice() -> None:
    found = divide(toy.single(400), share=0.1)
    for row_kind in toy.KINDS:
        for slice_ in ("one", "two"):
            every = [
                row
                for row in (*found.train, *found.validation)
                if (row.labels, row.slice) == (row_kind, slice_)
            ]
            taken = [row for row in every if row in found.validation]
            assert len(taken) == pytest.approx(len(every) / 10, abs=1.5)


def test_rows_keep_the_split_they_name() -> None:
    rows = [
        *toy.single(40),
        Row("mine", "invoice", split="validation"),
        Row("theirs", "parcel", split="test"),
    ]
    found = divide(rows)
    assert [row.text for row in found.validation] == ["mine"]
    assert [row.text for row in found.test] == ["theirs"]
    assert len(found.train) == 40


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(BadRows, match="at least 20"):
        divide(toy.single(10))


def test_folds_hold_out_whole_slices_where_there_are_enough() -> None:
    rows = [Row(f"{name}{number}", "x", slice=name) for name in "abcd" for number in range(ord(name) - 90)]
    parts = folds(rows, 3)
    assert sorted(at for part in parts for at in part) == list(range(len(rows)))
    homes = [{rows[at].slice for at in part} for part in parts]
    assert not any(one & other for one, other in zip(homes, [*homes[1:], homes[0]], strict=True))


def test_folds_of_one_slice_hold_as_many_of_each_label() -> None:
    rows = toy.single(90, slices=("one",))
    for part in folds(rows, 3):
        kinds = np.array([rows[at].labels == "parcel" for at in part])
        assert kinds.mean() == pytest.approx(0.5, abs=0.05)
