"""Regular expressions from a policy file: compiled, and refused where they could take for ever.

Knows how Python's `re` backtracks. Leaves what a pattern means to the rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from moderation.homoglyphs import HOMOGLYPHS

TOKENS = re.compile(
    r"(?P<atom>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[^()|*+?{\\\[])"  # an escape, a class, a plain character
    r"|(?P<open>\(\?#[^)]*\)|\((?:\?(?:[:=!>]|<[=!]|P<\w+>|P=\w+|[a-z-]+:))?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<repeat>[*+?]|\{\d*,?\d*\})(?P<manner>[?+]?)|(?P<brace>\{)",
    re.DOTALL,
)
ESCAPED_LETTER = re.compile(r"\\[xuUN0-7]")  # \x41 is an A that folding does not see
IN_CLASS = re.compile(r"\\.|.", re.DOTALL)
FIXED = re.compile(r"\{\d+\}")  # a repeat that can match in one way only


class PatternError(ValueError):
    """The pattern cannot be used; the message is a sentence that says what to write instead."""


@dataclass(slots=True)
class _Group:
    branches: bool = False  # it can match in several ways: an alternative or a repeat inside
    atomic: bool = False


@lru_cache(maxsize=1024)  # each place of a policy reads the same patterns again
def compile_pattern(source: str) -> re.Pattern[str]:
    """The pattern, ready to search a scoring copy; ignores case, "." also matches a newline.

    The copy has no capital letters, so the pattern's are made small and `re` need not ignore case, which takes three
    times as long.

    Raises PatternError when it is no regular expression, matches the empty text, or could backtrack without
    bound: "." repeated without an upper limit, or a repeated group that can match in several ways and is not
    possessive. Text is bounded as well (the policy's limit on input, a window on output).
    """
    try:
        case = re.IGNORECASE if ESCAPED_LETTER.search(source) else re.NOFLAG
        pattern = re.compile(TOKENS.sub(_folded, source).translate(HOMOGLYPHS), re.DOTALL | case)
    except re.error as error:
        raise PatternError(f"is no regular expression: {error}") from None
    if pattern.search(""):
        raise PatternError("matches the empty text, and so every text: make some part of it required")
    _refuse_slow(source)
    return pattern


def _folded(token: re.Match[str]) -> str:
    """A token of a pattern as the scoring copy has it."""
    atom = token["atom"]
    if not atom or atom.startswith("\\"):
        return token[0]
    if atom.startswith("["):
        return IN_CLASS.sub(lambda part: part[0] if part[0].startswith("\\") else part[0].lower(), atom)
    folded = atom.casefold()
    return folded if len(folded) == 1 else f"(?:{folded})"  # ß is ss


def _refuse_slow(source: str) -> None:
    stack = [_Group()]
    last: str | _Group = ""  # what a repeat would repeat
    for token in TOKENS.finditer(source):
        kind = token.lastgroup
        if kind == "open" and not token[0].startswith("(?#"):
            stack.append(_Group(atomic=token[0] in ("(?>", "(?=", "(?!", "(?<=", "(?<!")))
        elif kind == "close" and len(stack) > 1:
            last = stack.pop()
            stack[-1].branches |= last.branches and not last.atomic
        elif kind == "bar":
            stack[-1].branches = True
        elif token["repeat"]:
            _judge_repeat(token["repeat"], last, possessive=token["manner"] == "+")
            stack[-1].branches |= token["manner"] != "+" and not FIXED.fullmatch(token["repeat"])
        else:
            last = token[0]


def _judge_repeat(repeat: str, last: str | _Group, *, possessive: bool) -> None:
    unbounded = repeat in ("*", "+") or repeat.endswith(",}")
    if last == "." and unbounded and not possessive:
        raise PatternError(f"repeats '.' without a limit ('.{repeat}'): say how far, such as '.{{0,60}}'")
    if isinstance(last, _Group) and last.branches and repeat != "?" and not (possessive or last.atomic):
        raise PatternError(
            f"repeats a group that can match in several ways, '(...){repeat}', which may take for ever: "
            f"make the repeat possessive, '(...){repeat}+', or simplify the group"
        )
