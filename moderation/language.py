"""Who can judge a text: which of it is English, which Chinese, and whether most of it is neither.

Knows scripts, common English words, and one model that tells languages of Latin letters apart (py3langid: NumPy, no
network). Short or doubtful Latin text counts as English, since what is passed over is not judged: a wrong word more to
read costs a little time, a threat held for Portuguese costs the screen. For the same reason a text of several languages
is taken apart, and an English sentence in a page of German is found.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from moderation.normalise import ScoringCopy
from moderation.vocabulary import vocabulary

Language = Literal["en", "zh", "unsupported"]

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
KANA = "\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f"
LATIN = "a-z\u00aa\u00ba\u00df-\u00f6\u00f8-\u024f\u1e00-\u1eff"
RUNS = re.compile(
    f"(?P<latin>[{LATIN}]+)|(?P<han>[{HAN}]+)|(?P<kana>[{KANA}]+)"
    f"|(?P<other>(?:(?![{LATIN}{HAN}{KANA}])[^\\W\\d_])+)"
)
FOREIGN = re.compile(f"(?![{LATIN}])[^\\W\\d_]")  # a letter that is not Latin
WORD = re.compile(r"\S+")
SENTENCE_ENDS = re.compile(r"[.!?;\n。！？；]")

# Common words that make a text English without asking the model: half of those of three letters and more. Of 3,000
# English queries 99.5 % have so many, of 3,000 rude tweets 95 %, of 112 short sentences in 14 other languages 1 %.
ENGLISH = 0.5
ENGLISH_BARE = 0.7  # where accents or disguises were taken off: bare Vietnamese looks like English
LONG_WORD = re.compile(r"[a-z]{3,}")
# How much likelier another language must be than English, as the logarithm of the ratio: 97 % of those 112 are.
SURE = 4.0
SAMPLE = 300  # characters from the start, the middle and the end tell what most of a long text is
PIECE, STEP = 6, 3  # words: so many of a foreign text are looked at together, to find English among them
DENSE = 2  # letters of a Latin word's worth that one Chinese, Japanese or Korean character stands for
CHINESE_RUN = 6  # Chinese characters in a row: seldom Japanese, and then reading them as Chinese does no harm
MOSTLY_KANA = 0.2  # of the characters of a sentence; Japanese is seldom below, Chinese seldom above

Span = tuple[int, int]
Sort = Literal["foreign", "doubtful", "english"]
SORTS: tuple[Sort, ...] = ("foreign", "doubtful", "english")  # the later one wins


@dataclass(frozen=True, slots=True)
class Reading:
    """The parts that can be judged, and the language of most of the text."""

    language: Language
    english: str = ""
    chinese: str = ""


class Gate:
    """Tells languages apart. Safe for any number of threads."""

    def __init__(self) -> None:
        self._model = _languages()

    def read(self, copy: ScoringCopy, original: str) -> Reading:
        """`copy` is the classifier's copy of `original`: disguised English is English there."""
        if not FOREIGN.search(copy.text):
            return self._latin(copy, original, [(0, len(copy.text))])
        runs = list(_runs(copy.text))
        latin = [(start, end) for kind, start, end in runs if kind == "latin"]
        read = self._latin(copy, original, latin)
        chinese = "".join(copy.text[start:end] for kind, start, end in runs if kind == "han")
        weights: dict[Language, int] = {
            read.language: sum(_letters(copy.text[start:end]) for start, end in latin),
            "zh": DENSE * len(re.findall(f"[{HAN}]", chinese)),
        }
        others = (copy.text[start:end] for kind, start, end in runs if kind in ("kana", "other"))
        weights["unsupported"] = weights.get("unsupported", 0) + sum(map(_weight, others))
        return Reading(_most(weights), read.english, chinese)

    def _latin(self, copy: ScoringCopy, original: str, spans: Sequence[Span]) -> Reading:
        """Of the Latin parts: all of them, unless most is surely another language; then what is not surely so."""
        text = _joined(copy, spans)
        if self._sort(_sample(text), _sample(_written(copy, original, spans))) != "foreign":
            return Reading("en", english=text)
        words = [
            (start + word.start(), start + word.end())
            for start, end in spans
            for word in WORD.finditer(copy.text[start:end])
        ]
        sorts: list[Sort] = ["foreign"] * len(words)
        for at in (*range(0, len(words) - PIECE, STEP), max(len(words) - PIECE, 0)):
            piece = words[at : at + PIECE]
            found = self._sort(_joined(copy, piece), _written(copy, original, piece))
            sorts[at : at + PIECE] = [
                max(found, before, key=SORTS.index) for before in sorts[at : at + PIECE]
            ]
        english = _joined(copy, [word for word, sort in zip(words, sorts, strict=True) if sort != "foreign"])
        return Reading("en" if 2 * sorts.count("english") > len(words) else "unsupported", english=english)

    def _sort(self, bare: str, written: str) -> Sort:
        """Foreign is what is surely no English, neither as it is written nor without accents and disguise."""
        if _english(bare, share=ENGLISH if bare == written else ENGLISH_BARE):
            return "english"
        doubt = self._doubt(written)
        if doubt < SURE:
            return "english" if doubt < 0 else "doubtful"
        return "english" if bare != written and self._doubt(bare) < 0 else "foreign"

    def _doubt(self, text: str) -> float:
        """How much likelier than English the likeliest other language is; below 0 English is."""
        ranked = self._model.rank(text)
        if ranked[0][0] == "en":
            return -1.0
        return math.log(ranked[0][1]) - math.log(max(dict(ranked)["en"], 1e-30))


@lru_cache(maxsize=1)
def _languages() -> Any:
    """Loading takes most of a second and 80 MB: once in a process."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _english(text: str, *, share: float) -> bool:
    words, ranks = LONG_WORD.findall(text), vocabulary().ranks
    return bool(words) and sum(word in ranks for word in words) >= share * len(words)


def _runs(text: str) -> Iterator[tuple[str, int, int]]:
    """Parts of one script after another, each with what follows it and has none. Han in a Japanese sentence is kana."""
    found: list[tuple[str, int, int]] = []
    for hit in RUNS.finditer(text):
        kind = str(hit.lastgroup)
        if found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1], hit.end())
        else:
            found.append((kind, hit.start() if found else 0, hit.end()))
    ends = [start for _, start, _ in found[1:]] + [len(text)]
    whole = [(kind, start, end) for (kind, start, _), end in zip(found, ends, strict=True)]
    at = 0
    while at < len(whole):
        sentence = _east_asian(text, whole, at)
        share = sum(_count(KANA, text[s:e]) for _, s, e in sentence)
        japanese = share > MOSTLY_KANA * sum(_count(HAN + KANA, text[s:e]) for _, s, e in sentence)
        for kind, start, end in sentence:
            short = kind == "han" and _count(HAN, text[start:end]) < CHINESE_RUN
            yield ("kana" if short and japanese else kind), start, end
        at += len(sentence)


def _east_asian(text: str, runs: Sequence[tuple[str, int, int]], at: int) -> Sequence[tuple[str, int, int]]:
    """The runs from `at` on that make one sentence of Han and kana, or the one run of something else."""
    end = at
    while end < len(runs) and runs[end][0] in ("han", "kana"):
        end += 1
        if SENTENCE_ENDS.search(text, runs[end - 1][1], runs[end - 1][2]):
            break
    return runs[at : max(end, at + 1)]


def _joined(copy: ScoringCopy, spans: Sequence[Span]) -> str:
    return " ".join(copy.text[start:end] for start, end in spans)


def _written(copy: ScoringCopy, original: str, spans: Sequence[Span]) -> str:
    """The same parts as they were written, in small letters."""
    parts = (copy.origin(start, end) for start, end in spans if start < end)
    return " ".join(original[start:end] for start, end in parts).lower()


def _sample(text: str) -> str:
    if len(text) <= 3 * SAMPLE:
        return text
    middle = (len(text) - SAMPLE) // 2
    return " ".join((text[:SAMPLE], text[middle : middle + SAMPLE], text[-SAMPLE:]))


def _count(characters: str, text: str) -> int:
    return len(re.findall(f"[{characters}]", text))


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _weight(text: str) -> int:
    return sum(DENSE if char > "\u3040" else 1 for char in text if char.isalpha())


def _most(weights: dict[Language, int]) -> Language:
    """Another language only where it is more than both of ours together."""
    if weights["unsupported"] > weights.get("en", 0) + weights["zh"]:
        return "unsupported"
    return "zh" if weights["zh"] > weights.get("en", 0) else "en"
