"""A trained classifier as it is served, told in a report, made from the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from typer.testing import CliRunner

from inference import convert, opening
from inference.cli import app as models
from inference.encoders import Classifier, Encoder
from inference.heads import Head
from inference.library import manifest
from inference.library.shelf import Shelf
from inference.training.classify import Row, Trained, train
from inference.training.classify import export as exporting
from inference.training.classify.export import NotExported, export, install
from inference.training.classify.report import write
from inference.training.cli import app
from tests.inference.training import toy

TEXTS = ["hello parcel", "where is the invoice? " * 20, "parcel invoice", "", "[SEP] 你好"]


@pytest.fixture(scope="module")
def several(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    rows = [
        *toy.several(160, unknown=0.2),
        *(Row(row.text, row.labels, slice="other") for row in toy.several(80, seed=3)),
    ]
    recipe = toy.recipe(encoder, steps=20, validation=0.25)
    return train(rows, recipe, folder=tmp_path_factory.mktemp("several"), test=toy.several(60, seed=2))


def test_an_exported_folder_says_what_was_trained(several: Trained, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("a card")
    report = export(several, tmp_path, variant="float32")
    assert report.passed
    with Classifier.load(tmp_path, threads=1) as classifier:
        assert classifier.max_tokens == 48
        assert classifier.labels == {"default": toy.KINDS}
        said = classifier.classify(TEXTS)
    ours = np.array([list(each.values()) for each in said])
    assert ours == pytest.approx(several.probabilities(TEXTS), abs=1e-4)
    assert {path.name for path in tmp_path.iterdir()} >= {
        "README.md",
        "model.bin",
        "head.npz",
        "tokenizer.json",
    }
    assert not (tmp_path / manifest.FILE).exists()


def test_several_heads_stand_on_one_encoder(several: Trained, tmp_path: Path) -> None:
    export(
        several,
        tmp_path,
        variant="float32",
        head="moderation",
        more={"embedding": Head("mean", normalised=True)},
    )
    with Encoder(tmp_path, threads=1) as encoder:
        found = encoder.scores(TEXTS, ["moderation", "embedding"])
    assert found["moderation"] == pytest.approx(several.probabilities(TEXTS), abs=1e-4)
    assert np.linalg.norm(found["embedding"], axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_installed_it_is_verified_opened_and_quantised_like_any_model(
    several: Trained, tmp_path: Path
) -> None:
    shelf = Shelf(tmp_path / "models")
    made = install(
        several, shelf=shelf, name="toy", source=tmp_path / "source", variant="float32", licence="mit"
    )
    assert (made.kind, made.labels, made.context_length) == ("classifier", toy.KINDS, 48)
    assert made.licence == "mit"
    names = [check["name"] for check in made.parity["checks"]]
    assert "scores, relative error" in names  # the library's own gate
    assert "probabilities, mean difference" in names  # and the rows for validation
    with opening.open_classifier(shelf.library.find("toy"), threads=1) as classifier:
        said = np.array([list(each.values()) for each in classifier.classify(TEXTS)])
    assert said == pytest.approx(several.probabilities(TEXTS), abs=1e-4)
    smaller = convert.again(made, shelf=shelf, to="int8", accept="weights drawn by chance")
    assert (smaller.version, smaller.variant) == (made.version, "int8")


def test_what_is_not_what_was_trained_is_not_installed(
    several: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = exporting.heads_of

    def swapped(*args: Any, **named: Any) -> Any:
        heads = honest(*args, **named)
        layer = next(iter(heads.heads.values())).layers[0]
        layer.weight[:] = layer.weight[::-1].copy()
        return heads

    monkeypatch.setattr(exporting, "heads_of", swapped)
    shelf = Shelf(tmp_path / "models")
    with pytest.raises(NotExported, match="not what was trained"):
        install(several, shelf=shelf, name="toy", source=tmp_path / "source", variant="float32")
    assert not shelf.library.variants("toy")
    made = install(
        several, shelf=shelf, name="toy", source=tmp_path / "source", variant="float32", accept="a test"
    )
    assert made.accepted == "a test"


def test_the_report_has_scikit_learns_figures(several: Trained, tmp_path: Path) -> None:
    report = write(several, tmp_path, title="toy")
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(json.dumps(report))
    held = several.judged["test"]
    shares = several.judge.shares(held.logits)
    for at, label in enumerate(toy.KINDS):
        truth = np.array([row.labels[label] == 1 for row in held.rows])  # type: ignore[index]
        of = report["evaluation"]["test"]["labels"][label]
        assert of["average precision"] == pytest.approx(
            metrics.average_precision_score(truth, shares[:, at]), abs=1e-5
        )
        assert of["confusion"] == metrics.confusion_matrix(truth, shares[:, at] >= 0.5).tolist()
    assert set(report["evaluation"]["validation"]["slices"]) == {"", "other"}
    text = (tmp_path / "report.md").read_text()
    assert all(label in text for label in toy.KINDS)
    for picture in report["pictures"]:
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
        assert f"]({picture})" in text
    assert report["pictures"] == ["precision-recall.png", "reliability.png", "training.png"]


def test_a_file_becomes_a_model_by_one_command(encoder: Path, tmp_path: Path) -> None:
    rows, test = tmp_path / "rows.jsonl", tmp_path / "test.jsonl"
    for path, seed in ((rows, 1), (test, 2)):
        path.write_text(
            "\n".join(
                json.dumps({"said": f"{row.text}<br />", "kind": row.labels})
                for row in toy.single(120, seed=seed)
            )
        )
    words = ["classifier", str(rows), "--test", str(test), "--name", "toy", "--base", str(encoder)]
    words += ["--text", "said", "--label", "kind", "--drop", "<br />", "--max-tokens", "48", "--steps", "4"]
    words += [
        "--data",
        str(tmp_path / "data"),
        "--run",
        str(tmp_path / "run"),
        "--threads",
        "1",
        "--to",
        "float32",
    ]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "is installed" in done.output
    assert "report.md" in done.output
    report = json.loads((tmp_path / "run" / "report" / "report.json").read_text())
    assert report["rows"] == {"train": 108, "validation": 12, "test": 120}
    assert report["parity"]["passed"]
    found = Shelf(tmp_path / "data" / "models").library.find("toy")
    assert found.manifest is not None
    assert any("<br /> replaced by a space" in note for note in found.manifest.notes)
    asked = CliRunner().invoke(
        models, ["classify", "toy", "hello parcel", "invoice", "--json", "--data", str(tmp_path / "data")]
    )
    assert [each["text"] for each in json.loads(asked.output)] == ["hello parcel", "invoice"]
    assert all(sum(each["labels"].values()) == pytest.approx(1) for each in json.loads(asked.output))


def test_the_command_refuses_in_a_sentence(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\nhello,a\n")
    for words, said in (
        (["--name", "toy", "--label", "kind"], "has no kind; it has text, label"),
        (["--name", "toy", "--method", "magic"], "method is 'magic'"),
        (["--name", "default"], "no name for a model"),
        (["--name", "toy", "--base", str(tmp_path)], "nothing to tell apart"),
    ):
        done = CliRunner().invoke(app, ["classifier", str(rows), *words, "--data", str(tmp_path)])
        assert done.exit_code == 1
        assert said in done.output.replace("\n", " ")
