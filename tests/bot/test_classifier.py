"""The classifier is opened once, timed, and closed with the house."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bot.classifier import load_classifier, open_classifier
from bot.metrics import Metrics
from inference.library import Library, ModelNotFound
from moderation import Scores, classifier


class Fake:
    """A classifier that cannot read "crash"."""

    closed = False
    folder: Path | None = None

    @classmethod
    def load(cls, folder: Path | None = None) -> Fake:
        made = cls()
        made.folder = folder
        return made

    async def score(self, text: str) -> Scores:
        if text == "crash":
            raise RuntimeError("out of order")
        return Scores({}, "en", text)

    def close(self) -> None:
        type(self).closed = True


@pytest.fixture(autouse=True)
def _faked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "Classifier", Fake)
    monkeypatch.setattr(Fake, "closed", False)


async def test_each_text_is_timed_also_one_that_could_not_be_read(tmp_path: Path) -> None:
    metrics = Metrics()
    async with open_classifier(metrics, models=tmp_path) as scorer:
        assert (await scorer.score("hello")).model == "hello"
        with pytest.raises(RuntimeError, match="out of order"):
            await scorer.score("crash")
        assert not Fake.closed
    assert metrics.registry.get_sample_value("frontdesk_classifier_seconds_count") == 2
    assert Fake.closed


async def test_without_its_model_the_house_does_not_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(folder: Path | None) -> Fake:
        raise classifier.ClassifierMissing("there is no such folder")

    monkeypatch.setattr(Fake, "load", missing)
    with pytest.raises(classifier.ClassifierMissing):
        async with open_classifier(Metrics(), models=tmp_path):
            pass


def test_the_one_that_was_promoted_judges_instead_of_the_bundled_one(tmp_path: Path) -> None:
    assert cast(Fake, load_classifier(tmp_path)).folder is None
    (tmp_path / "mine").mkdir()
    (tmp_path / "aliases.json").write_text(
        '{"format": 1, "aliases": {"moderation": {"target": "mine", "previous": []}}}', encoding="utf-8"
    )
    with pytest.raises(ModelNotFound, match="mine"):  # promoted, and removed by hand since
        load_classifier(tmp_path)


def test_a_promoted_model_that_cannot_judge_says_how_to_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfit(folder: Path | None) -> Fake:
        raise classifier.ClassifierMissing("install it again", reason="its head scores colours")

    monkeypatch.setattr(Fake, "load", unfit)
    monkeypatch.setattr(Library, "find", lambda self, reference: SimpleNamespace(path=tmp_path))
    (tmp_path / "aliases.json").write_text(
        '{"format": 1, "aliases": {"moderation": {"target": "mine", "previous": []}}}', encoding="utf-8"
    )
    with pytest.raises(
        classifier.ClassifierMissing, match=r"mine .*its head scores colours.*rollback --as moderation"
    ):
        load_classifier(tmp_path)
