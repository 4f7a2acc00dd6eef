"""Labelled files read by their columns' names, figures by hand, and the command that prints both."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from moderation import classifier as classifiers
from moderation.categories import LABELS
from moderation.cli import app
from moderation.evaluate import Report, evaluate, figures, shown
from moderation.labelled import Convention, Labelled, LabelsUnclear, read
from moderation.moderator import Moderator
from moderation.verdict import Scores


@dataclass
class Words:
    """A scorer that finds what it was told: the last word of a text is its score."""

    asked: list[str] = field(default_factory=list)
    closed: bool = False
    model: str = "words-1"

    async def score(self, text: str) -> Scores:
        self.asked.append(text)
        if text.startswith("foreign"):
            return Scores({}, "unsupported", self.model)
        value = float(text.split()[-1])
        return Scores(dict.fromkeys(LABELS, 0.0) | {"hate": value, "overall": value}, "en", self.model)

    def close(self) -> None:
        self.closed = True


def rows(tmp_path: Path, name: str, *records: object, convention: Convention | None = None) -> list[Labelled]:
    file = tmp_path / name
    body = "\n".join(record if isinstance(record, str) else json.dumps(record) for record in records)
    file.write_bytes(gzip.compress(body.encode()) if name.endswith(".gz") else body.encode())
    return read([file], convention or Convention())


# -- files -----------------------------------------------------------------------------------------------------


def test_letters_are_merged_into_categories_and_what_is_unknown_stays_so(tmp_path):
    (one, two, three) = rows(
        tmp_path,
        "samples.jsonl.gz",
        {"prompt": "a", "S": 0, "H": 0, "V": 0, "HR": 0, "SH": 0, "S3": 0, "H2": 0, "V2": 0},
        {"prompt": "b", "S": 0, "H2": 1, "H": 0, "V": 0, "HR": 0},
        {"prompt": "c", "S": None, "S3": 0, "V": None, "SH": None},
    )
    known = ("sexual", "hate", "violence", "harassment", "self-harm", "overall")
    assert one.truth == dict.fromkeys(known, False)
    assert (two.truth["hate"], two.truth["overall"], two.truth["sexual"]) == (True, True, False)
    assert "self-harm" not in two.truth
    assert three.truth == {"sexual": False, "violence": None, "self-harm": None, "overall": False}


@pytest.mark.parametrize(
    ("header", "harmful", "harmless"),
    [
        ("text,label", "unsafe", "safe"),
        ("test_case,label_gold", "hateful", "non-hateful"),
        ("TEXT,label", "1", "0"),
        ("tweet,target", "True", "false"),
        ("prompt,toxic", "1.0", "0.0"),
        ("sentence,class", "Offensive", "not_hate"),
    ],
)
def test_one_column_says_it_by_its_words(tmp_path, header, harmful, harmless):
    found = rows(tmp_path, "a.csv", header, f'"x, y",{harmful}', f"z,{harmless}", "w,")
    assert [(each.text, each.truth) for each in found] == [
        ("x, y", {"overall": True}),
        ("z", {"overall": False}),
        ("w", {"overall": None}),
    ]


def test_columns_and_objects_of_categories_are_read_and_give_an_overall(tmp_path):
    (one, two) = rows(tmp_path, "a.csv", "text,hate,self_harm", "x,1,", "y,0,0")
    assert one.truth == {"hate": True, "self-harm": None, "overall": True}
    assert two.truth == {"hate": False, "self-harm": False, "overall": False}
    (three,) = rows(tmp_path, "b.jsonl", {"text": "x", "labels": {"hate": 0, "violence": None, "overall": 1}})
    assert three.truth == {"hate": False, "violence": None, "overall": True}


def test_options_say_what_names_do_not(tmp_path):
    lines = ("id\twords\tkind", "1\tx\t2", "2\ty\t0")
    told = Convention(text="words", label="kind", negative=("2",), category="hate")
    assert [each.truth for each in rows(tmp_path, "a.tsv", *lines, convention=told)] == [
        {"hate": False},
        {"hate": True},
    ]
    everything = Convention(text="words", all=False)
    assert [each.truth for each in rows(tmp_path, "a.tsv", *lines, convention=everything)] == [
        {"overall": False}
    ] * 2


@pytest.mark.parametrize(
    ("name", "lines", "said"),
    [
        ("a.csv", ("text,label", "x,2"), "a.csv line 2.*'2'.*--positive"),
        ("a.csv", ("text,other", "x,2"), "--label"),
        ("a.csv", ("kind,label", "x,1"), "--text"),
        ("a.csv", ("text,label",), "no text"),
        ("a.txt", ("text,label", "x,1"), "neither .csv"),
        ("a.jsonl", ("{",), "line 1 is no JSON"),
        ("a.jsonl", ("[1]",), "line 1 is no object"),
        ("a.jsonl", ('{"text": "x", "labels": {"rude": 1}}',), "'rude' is no category"),
    ],
)
def test_what_is_unclear_is_told_with_its_place(tmp_path, name, lines, said):
    with pytest.raises(LabelsUnclear, match=said):
        rows(tmp_path, name, *lines)


def test_a_file_that_is_missing_or_no_text_is_told(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text,label\n\xff\xfe,1\n")
    (tmp_path / "b.csv.gz").write_bytes(b"no gzip")
    for name in ("a.csv", "b.csv.gz", "c.csv"):
        with pytest.raises(LabelsUnclear, match="cannot be read"):
            read([tmp_path / name], Convention())


# -- figures -----------------------------------------------------------------------------------------------------


def test_figures_are_those_counted_by_hand():
    truth = np.array([1, 0, 1, 0, 0], bool)
    found = figures(truth, np.array([0.9, 0.8, 0.7, 0.2, 0.1]), 0.75)
    assert (found.rows, found.positives) == (5, 2)
    assert found.auprc == pytest.approx((1 + 2 / 3) / 2)
    assert found.low <= found.auprc <= found.high
    assert found.recall == {"0.01": 0.5, "0.002": 0.5}
    assert found.at == pytest.approx({"precision": 0.5, "recall": 0.5, "false positives": 1 / 3})


def test_what_cannot_be_said_is_none():
    found = figures(np.zeros(4, bool), np.array([0.1, 0.2, 0.3, 0.4]), 0.35)
    assert (found.auprc, found.low, found.recall["0.01"]) == (None, None, None)
    assert found.at == {"precision": 0.0, "recall": None, "false positives": 0.25}


async def test_every_text_is_scored_and_judged_by_the_policy():
    scorer = Words()
    texts = [
        Labelled("this is bad 0.99", {"overall": True, "hate": True}),
        Labelled("this is fine 0.01", {"overall": False, "hate": None}),
        Labelled("foreign words", {"overall": True}),
        Labelled("control \x1b 0.5", {"overall": None}),
    ]
    ticks: list[int] = []
    report = await evaluate(
        texts,
        scorer=scorer,
        moderator=Moderator.from_policy(scorer=scorer),
        category="overall",
        tick=lambda: ticks.append(1),
    )
    assert len(ticks) == report.texts == 4
    assert report.unsupported == 1
    assert (report.categories["overall"].rows, report.categories["overall"].positives) == (3, 2)
    assert report.categories["hate"].rows == 1
    assert set(report.categories) == {"overall", "hate"}
    assert report.actions["harmful"] == {"review": 1, "allow": 1}
    assert report.actions["benign"] == {"allow": 1}
    assert report.actions["unlabelled"] == {"refused": 1}
    assert (report.model, report.policy) == ("words-1", Moderator.from_policy().policy)
    assert 0 < report.p50 <= report.p95
    json.dumps(report.as_json(), allow_nan=False)


# -- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def words(monkeypatch) -> Words:
    scorer = Words()
    monkeypatch.setattr(classifiers.Classifier, "load", lambda folder=None: scorer)
    return scorer


def run(*args: str):
    return CliRunner().invoke(app, ["eval", *args], env={"COLUMNS": "160"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("text,label\nbad 0.9,unsafe\nworse 0.95,unsafe\ngood 0.1,safe\ndoubtful 0.92,safe\n")
    return path


def test_eval_prints_what_it_found(words, file):
    result = run(str(file), "--threshold", "0.91")
    assert result.exit_code == 0, result.output
    for said in (
        "overall",
        "AUPRC",
        "0.833",
        "recall at 1.0%",
        "at 0.2%",
        "precision",
        "review",
        "ms",
        "words-1",
    ):
        assert said in result.output
    assert words.closed


def test_eval_as_json_is_for_programs(words, file):
    found = json.loads(run(str(file), "--json", "--category", "hate").output)
    assert found["categories"]["hate"]["positives"] == 2
    assert found["categories"]["hate"]["recall"]["0.01"] == 0.5
    assert found["actions"]["benign"] == {"allow": 1, "review": 1}


def test_eval_of_texts_that_are_all_harmless_shows_false_alarms(words, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"a {at / 10}"}) + "\n" for at in range(10)))
    result = run(str(path), "--all", "safe", "--threshold", "0.75")
    assert result.exit_code == 0, result.output
    assert "0.200" in result.output  # 0.8 and 0.9
    assert "benign" in result.output


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (("--category", "rude"), "--category"),
        (("--all", "maybe"), "--all"),
        (("--label", "kind"), "no column kind"),
        (("--policy", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_eval_tells_what_is_wrong(words, file, extra, said):
    result = run(str(file), *extra)
    assert result.exit_code != 0
    assert said in result.output


def test_eval_without_a_model_says_what_to_do(file, tmp_path):
    result = run(str(file), "--model", str(tmp_path / "nowhere"))
    assert result.exit_code == 1
    assert "install it again" in result.output


def test_a_report_of_no_labels_is_shown_all_the_same():
    report = Report(2, "", "p", {}, {"unlabelled": {"allow": 2}}, 1, 1.0, 2.0, 3.0)
    told = io.StringIO()
    Console(width=80, file=told).print(shown(report))
    assert "1 (50.0%)" in told.getvalue()
