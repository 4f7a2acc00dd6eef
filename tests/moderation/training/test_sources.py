"""The public sets read from files of their shape, with sentences of our own: labels, open labels, wrong files."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from moderation.categories import LABELS, OVERALL
from moderation.training import sources
from moderation.training.sources import File, SourceMissing

CIVIL = """id,comment_text,target
1,a calm remark about taxes,0.0
2,you are a fool and a liar,1.0
3,they are all fools,1.0
"""
TWEETS = """count,hate_speech,offensive_language,class,tweet
3,0,2,1,some slang @bob
3,0,3,1,you are slang
3,3,0,0,RT @x: a hateful line
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a folder with one file of a set, and a manifest that means it."""

    def make(source: str, name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        file = File(name, hashlib.sha256(content).hexdigest(), source, "example.org/set", "CC0-1.0")
        monkeypatch.setattr(sources, "manifest", lambda: (file,))
        return tmp_path

    return make


def labels(folder: Path) -> dict[str, dict[str, float | None]]:
    return {row.text: dict(row.labels) for row in sources.rows(folder)}  # type: ignore[arg-type]


def test_every_file_of_the_manifest_has_a_reader_a_licence_and_a_digest() -> None:
    files = sources.manifest()
    assert {file.source for file in files} == set(sources._READERS)
    assert all(file.licence and file.upstream and len(file.sha256) == 64 for file in files)


def test_nothing_held_out_and_nothing_that_may_not_be_shipped_is_read() -> None:
    paths = " ".join(file.path for file in sources.manifest()).lower()
    for name in ("imdb", "hatecheck", "xstest", "harmbench", "advbench", "openai", "hatemojicheck"):
        assert name not in paths


def test_toxic_is_harassment_only_where_somebody_is_spoken_to(data: Any) -> None:
    found = labels(data("civil-comments", "c.csv", CIVIL.encode()))
    assert found["a calm remark about taxes"] == dict.fromkeys(LABELS, 0.0)
    assert found["you are a fool and a liar"]["harassment"] == 1.0
    assert found["they are all fools"]["harassment"] is None
    assert found["they are all fools"][OVERALL] == 1.0
    assert found["they are all fools"]["illicit"] == 0.0


def test_merely_offensive_tweets_are_no_hate_and_otherwise_open(data: Any) -> None:
    found = labels(data("davidson", "d.csv", TWEETS.encode()))
    assert (found["some slang"]["hate"], found["some slang"][OVERALL]) == (0.0, None)
    assert (found["you are slang"]["harassment"], found["you are slang"][OVERALL]) == (1.0, 1.0)
    assert found["a hateful line"]["hate"] == 1.0  # and nothing of the tweet's addresses


def test_only_refusals_of_a_dialogue_are_harmless(data: Any) -> None:
    dialogues = [
        "\n\nHuman: something bad?\n\nAssistant: I'm sorry, I can't.",
        "\n\nHuman: another thing?\n\nAssistant: Sure, do this.",
    ]
    lines = "".join(json.dumps({"chosen": each, "rejected": ""}) + "\n" for each in dialogues)
    found = labels(data("hh-refusals", "h.gz", gzip.compress(lines.encode())))
    assert found["I'm sorry, I can't."] == dict.fromkeys(LABELS, 0.0)
    assert "Sure, do this." not in found
    assert found["something bad?"][OVERALL] is None


def test_a_missing_file_and_another_one_are_told_apart_and_say_where_to_get_it(data: Any) -> None:
    folder = data("civil-comments", "c.csv", CIVIL.encode())
    (folder / "c.csv").write_text("changed", encoding="utf-8")
    with pytest.raises(
        SourceMissing, match=r"is not the file that the recipe was written for.*example\.org/set"
    ):
        list(sources.rows(folder))
    (folder / "c.csv").unlink()
    with pytest.raises(SourceMissing, match="--data"):
        list(sources.rows(folder))
