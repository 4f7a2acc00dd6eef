"""Special tokens that people's text can never form: literals found and broken, a tokenizer that knows only ours.

Knows tokenizers and strings. Which texts are people's, and what a template makes of them, is the chat's business.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from tokenizers import AddedToken, Tokenizer

# Noncharacters: Unicode sets them aside for a program's own use, so no tokenizer or template means anything by them,
# and no person writes them. Where they come all the same they are replaced, as surrogates are, which nothing reads.
_CUT = "\ufdd0"  # stands inside a broken literal
_QUOTE = "\ufdd1"  # stands around a special token's private name
_UNUSABLE = re.compile(f"[\ud800-\udfff{_CUT}{_QUOTE}]")


def usable(text: str) -> str:
    """The text with U+FFFD for each character that cannot go into a prompt."""
    return _UNUSABLE.sub("\ufffd", text)


class Literals:
    """The literals of some tokens, found in a text. Looks only where one may begin: models have thousands of them."""

    def __init__(self, literals: Iterable[str]) -> None:
        self._all = frozenset(literals)
        self._lengths = sorted({len(literal) for literal in self._all}, reverse=True)
        firsts = "".join(re.escape(first) for first in sorted({literal[0] for literal in self._all}))
        self._starts = re.compile(f"[{firsts}]" if firsts else "(?!)")

    def at(self, text: str, start: int) -> str | None:
        """The longest literal that begins at `start` and was not broken."""
        for length in self._lengths:
            end = start + length
            if text[start:end] in self._all and text[end : end + 1] != _CUT:
                return text[start:end]
        return None

    def broken(self, text: str) -> str:
        """The text with a cut after the first character of each literal, and of what may become one at the end, where
        the template could put another content. Only the first character is left of a cut: trimming works as before."""
        tail = len(text.rstrip())

        def cut(hit: re.Match[str]) -> str:
            start = hit.start()
            whole = self.at(text, start) is not None
            return hit[0] + _CUT if whole or self._unfinished(text, start, tail) else hit[0]

        return self._starts.sub(cut, text)

    def named(self, text: str, names: dict[str, str]) -> str:
        """The text with every unbroken literal replaced by its name; what was broken keeps its cut."""
        parts, done = [""], 0
        for hit in self._starts.finditer(text):
            if hit.start() >= done and (literal := self.at(text, hit.start())) is not None:
                parts += text[done : hit.start()], names[literal]
                done = hit.start() + len(literal)
        return "".join([*parts, text[done:]])

    def replaced(self, text: str, by: str) -> str:
        """The text with `by` in place of every unbroken literal."""
        return self.named(text, dict.fromkeys(self._all, by))

    def _unfinished(self, text: str, start: int, tail: int) -> bool:
        if not 0 < tail - start < self._lengths[0]:
            return False
        return any(literal.startswith(text[start:tail]) for literal in self._all)


class Encoder:
    """A private copy of a tokenizer whose control tokens have names that no text can hold. Any thread may use it."""

    def __init__(self, tokenizer: Tokenizer, *, control: set[str]) -> None:
        added = tokenizer.get_added_tokens_decoder()
        self._literals = Literals(control)
        self._names = {literal: f"{_QUOTE}{n}{_QUOTE}" for n, literal in enumerate(sorted(control))}
        body = json.loads(tokenizer.to_str())
        self._copy = _without(body, control)
        renamed = [
            _renamed(token, self._names[token.content])
            for token in added.values()
            if token.content in control
        ]
        self._copy.add_special_tokens([*renamed, AddedToken(_CUT, normalized=False)])
        self._cut = self._copy.token_to_id(_CUT)
        # The copy numbers its added tokens anew; these are the model's numbers for them.
        self._ids = {
            self._copy.token_to_id(self._names.get(t.content, t.content)): i for i, t in added.items()
        }
        # Some vocabularies (SentencePiece) hold the literals as words too, and could spell one from plain text.
        self._spelt = {self._copy.token_to_id(literal) for literal in control} - {None}
        self._unknown = self._copy.token_to_id(str(_unknown_token(body["model"])))

    def encode(self, text: str) -> tuple[int, ...]:
        """Ids of a text whose unbroken literals are control tokens, and whose broken ones are words."""
        text = self._literals.named(text, self._names)
        ids = self._copy.encode(text.replace(_CUT, ""), add_special_tokens=False).ids
        if not self._spelt.isdisjoint(ids):
            ids = self._encode_apart(text)
        return tuple(self._ids.get(i, i) for i in ids)

    def _encode_apart(self, text: str) -> list[int]:
        """Cuts stay tokens of their own, so that nothing is spelt across one, and are dropped afterwards. What is
        spelt even so (a normaliser can turn look-alikes into a literal) is dropped too, but an honest unknown."""
        dropped = (self._spelt - {self._unknown}) | {self._cut}
        return [i for i in self._copy.encode(text, add_special_tokens=False).ids if i not in dropped]


def _without(body: dict[str, Any], control: set[str]) -> Tokenizer:
    others = [token for token in body["added_tokens"] if token["content"] not in control]
    without = {**body, "added_tokens": others, "post_processor": None, "truncation": None, "padding": None}
    copy: Tokenizer = Tokenizer.from_str(json.dumps(without))
    return copy


def _renamed(token: AddedToken, name: str) -> AddedToken:
    return AddedToken(
        name, single_word=token.single_word, lstrip=token.lstrip, rstrip=token.rstrip, normalized=False
    )


def _unknown_token(model: dict[str, Any]) -> str | None:
    if model.get("unk_id") is not None:  # a Unigram model names it by number
        return str(model["vocab"][model["unk_id"]][0])
    token: str | None = model.get("unk_token")
    return token
