"""The lists that training draws from: topics, frames, what is off topic, names, and clinc-oos where it is given.

Knows the files beside it. How they become questions and conversations stands in `questions` and `conversations`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent

# clinc-oos intents that our own topics answer, or that make no sense as a first question.
OVERLAPPING = frozenset(
    [
        "greeting",
        "goodbye",
        "thank_you",
        "what_is_your_name",
        "what_can_i_ask_you",
        "are_you_a_bot",
        "who_made_you",
        "who_do_you_work_for",
        "where_are_you_from",
        "user_name",
        "change_user_name",
        "change_ai_name",
        "change_language",
        "yes",
        "no",
        "maybe",
        "repeat",
        "cancel",
        "reset_settings",
        "change_accent",
        "change_speed",
        "sync_device",
    ]
)


@dataclass(frozen=True, slots=True)
class Topic:
    """One thing people ask about. Each list holds patterns."""

    name: str
    answers: tuple[str, ...]
    asks: tuple[str, ...] = ()
    goals: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    situations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lists:
    """All that training draws from."""

    topics: tuple[Topic, ...]
    off_topic: Topic
    frames: dict[str, Any]
    words: dict[str, str]
    names: tuple[str, ...]
    everyday: tuple[str, ...]  # clinc-oos questions, where given


def load(*, clinc: Path | None = None, answers: int | None = None) -> Lists:
    """Everything from this folder, and the everyday questions from clinc-oos' `data_full.json`.

    `answers` keeps only the first so many of each topic: one is learned in half the time of two.
    """
    known = _yaml("topics.yaml")
    other = _yaml("off_topic.yaml")
    return Lists(
        topics=tuple(_topic(name, entry, answers) for name, entry in known["topics"].items()),
        off_topic=_topic("off_topic", {**other, "answers": other["refusals"]}, answers),
        frames=_frames(answers),
        words={**known["words"], **other["words"]},
        names=tuple(_yaml("names.yaml")["names"].split()),
        everyday=everyday(clinc) if clinc else (),
    )


def everyday(file: Path) -> tuple[str, ...]:
    """The questions of clinc-oos, all splits, without the intents that overlap with ours."""
    splits = json.loads(file.read_text(encoding="utf-8"))
    lines = {text for split in splits.values() for text, intent in split if intent not in OVERLAPPING}
    return tuple(sorted(lines))


def _topic(name: str, entry: dict[str, Any], answers: int | None) -> Topic:
    wordings = {way: tuple(entry.get(way, ())) for way in ("asks", "goals", "things", "situations")}
    return Topic(name, answers=tuple(entry["answers"][:answers]), **wordings)


def _frames(answers: int | None) -> dict[str, Any]:
    frames = _yaml("frames.yaml")
    for said in ("name_told", "name_known", "name_unknown"):
        frames[said] = frames[said][:answers]
    return frames


def _yaml(name: str) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
    return value
