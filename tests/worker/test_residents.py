"""Which models a worker is to have: its own for ever, or what the aliases name now; and whether one more fits."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inference import memory
from inference.library import ModelNotFound, lineup
from worker.residents import OVERHEAD, Residents

if TYPE_CHECKING:
    from tests.worker.conftest import Model


@pytest.fixture
def root(model: Model, tmp_path: Path) -> Path:
    for name in ("one", "two"):
        shutil.copytree(model.folder, tmp_path / name)
    return tmp_path


def says(root: Path, text: str) -> None:
    (root / lineup.FILE).write_text(text, encoding="utf-8")


def aliases(**targets: object) -> str:
    return json.dumps({"format": 1, "aliases": targets})


def test_a_name_or_a_path_never_changes(root: Path) -> None:
    says(root, aliases(default={"target": "two"}))
    assert Residents("one", models=root).wanted() == ("one",)
    assert Residents(str(root / "one"), models=root).wanted() == (str(root / "one"),)


def test_the_default_is_followed_and_brings_its_canary(root: Path) -> None:
    residents = Residents("default", models=root)
    assert residents.wanted() == ("starter",)
    says(root, aliases(default={"target": "one"}))
    assert residents.wanted() == ("one",)
    says(root, aliases(default={"target": "one"}, canary={"target": "two", "share": 0.5}))
    assert residents.wanted() == ("one", "two")
    says(root, aliases(default={"target": "two", "previous": ["one"]}))
    assert residents.wanted() == ("two",)


def test_aliases_that_are_broken_or_name_nobody_change_nothing(root: Path) -> None:
    residents = Residents("default", models=root)
    says(root, aliases(default={"target": "one"}))
    assert residents.wanted() == ("one",)
    for wrong in ("{", aliases(default={"target": "nobody"})):
        says(root, wrong)
        assert residents.wanted() == ("one",)


def test_without_any_model_there_is_a_sentence(root: Path) -> None:
    says(root, "{")
    with pytest.raises(ModelNotFound, match=r"aliases.json is broken"):
        Residents("default", models=root).wanted()


def test_a_canary_that_is_gone_stops_no_promotion(root: Path) -> None:
    residents = Residents("default", models=root)
    says(root, aliases(default={"target": "one"}, canary={"target": "gone", "share": 0.5}))
    assert residents.wanted() == ("one",)
    says(root, aliases(default={"target": "two"}, canary={"target": "gone", "share": 0.5}))
    assert residents.wanted() == ("two",)
    shutil.copytree(root / "one", root / "gone")
    assert residents.wanted() == ("two", "gone"), "it is there again"


def test_what_was_before_is_told_and_for_a_while_it_may_still_have_answers(root: Path) -> None:
    residents = Residents("default", models=root)
    says(root, aliases(default={"target": "two", "previous": ["gone", "one", "starter"]}))
    assert residents.before() == ("one", "starter")
    assert residents.leaving() == ("one",)
    long_ago = time.time() - 700
    os.utime(root / lineup.FILE, (long_ago, long_ago))
    assert residents.leaving() == ()


def test_what_fits_is_told_by_the_weights_and_by_what_is_free(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    residents = Residents("default", models=root)
    weights = sum(file.stat().st_size for file in (root / "one").iterdir())
    needs = residents.needs("one")
    assert OVERHEAD + weights < needs < OVERHEAD + 2 * weights
    free = {"cpu": needs, "cuda": 0}
    monkeypatch.setattr(memory, "unused", free.__getitem__)
    assert residents.fits("one", device="cpu")
    free["cpu"] = needs - 1
    assert not residents.fits("one", device="cpu")
    free["cuda"] = 0
    assert residents.fits("one", device="cuda"), "nobody can tell"
    assert residents.needs("nobody") == 0, "whoever starts it is told that there is none"
