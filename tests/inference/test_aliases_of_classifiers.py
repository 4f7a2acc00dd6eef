"""A classifier is put in service as a chat model is: by its kind, or to judge messages; and taken back."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from inference.cli import app
from inference.library import Library
from inference.library.aliases import Aliases, NothingBefore, NotPromoted
from inference.library.reference import ModelNotFound
from inference.library.shelf import InUse, Shelf
from tests.inference.shelved import put


@pytest.fixture
def shelf(folder: Path, tmp_path: Path) -> Shelf:
    """With two classifiers, `mood` in two versions, and a chat model, `desk`."""
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    np.savez(bare / "head.npz", weight=np.zeros(2, np.float32))
    shelf = Shelf(tmp_path / "models")
    for source in ("old", "new"):
        put(
            shelf,
            bare,
            name="mood",
            source=source,
            kind="classifier",
            has_chat_template=False,
            labels=("a", "b"),
        )
    put(shelf, folder)
    return shelf


@pytest.fixture
def moods(shelf: Shelf) -> list[str]:
    return [str(each) for each in shelf.library.references("mood")]


def test_each_alias_keeps_what_it_was_and_leaves_the_others_alone(shelf: Shelf, moods: list[str]) -> None:
    aliases = Aliases(shelf.root)
    aliases.promote("desk")
    aliases.promote(moods[0], "classifier")
    aliases.promote(moods[1], "moderation")
    assert aliases.promote(moods[1], "classifier").previous == (moods[0],)
    aliases.promote("starter")
    found = Library(root=shelf.root)
    assert [found.find(each).title for each in ("default", "classifier", "moderation")] == [
        "starter",
        "mood",
        "mood",
    ]
    back = aliases.rollback("classifier")
    assert back is not None
    assert back.target == moods[0]
    assert aliases.rollback().target.startswith("desk@")  # type: ignore[union-attr]
    assert found.find("moderation").name == moods[1]


def test_before_any_was_promoted_there_is_none_and_the_last_one_ends(shelf: Shelf, moods: list[str]) -> None:
    aliases = Aliases(shelf.root)
    with pytest.raises(ModelNotFound, match="--as moderation"):
        shelf.library.find("moderation")
    with pytest.raises(NothingBefore, match="no moderation to end"):
        aliases.rollback("moderation")
    aliases.promote(moods[0], "moderation")
    assert aliases.rollback("moderation") is None
    assert aliases.read().moderation is None


def test_what_is_no_classifier_cannot_judge_and_a_classifier_cannot_chat(shelf: Shelf) -> None:
    aliases = Aliases(shelf.root)
    with pytest.raises(NotPromoted, match="is no classifier"):
        aliases.promote("desk", "moderation")
    with pytest.raises(NotPromoted, match="no chat template"):
        aliases.promote("mood")
    with pytest.raises(NotPromoted, match="Only a canary has a share"):
        aliases.promote("mood", "classifier", share=0.5)


def test_a_classifier_in_service_is_not_removed(shelf: Shelf, moods: list[str]) -> None:
    aliases = Aliases(shelf.root)
    for mood in moods:
        aliases.promote(mood, "moderation")
    with pytest.raises(InUse, match="the moderation: it serves"):
        shelf.remove(moods[1])
    shelf.remove(moods[0])
    now = aliases.read().moderation
    assert now is not None
    assert now.previous == ()


def test_the_command_promotes_by_kind_and_by_role(shelf: Shelf, moods: list[str]) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(app, [*words, "--data", str(shelf.root.parent)])
        assert done.exit_code == 0, done.output
        return done.output

    assert "is the classifier now" in run("promote", moods[0])
    assert "judges messages" in run("promote", moods[0], "--as", "moderation")
    assert "No model of the library is the moderation any more" in run("rollback", "--as", "moderation")
    assert "classifier" in run("list")
