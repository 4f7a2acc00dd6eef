"""What must not be in a log: secrets that we were told of, what looks like one, and what is called one.

Knows shapes and names. Leaves lines, and where they go, to `logs` here and in the bot.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

HIDDEN = "[secret]"
LONGEST_VALUE = 8192  # characters of one value, so that a huge message does not become a huge line
SHORTEST_SECRET = 6  # characters; hiding every "a" would hide everything
DEEPEST = 4  # levels of a value that are looked at one by one; what lies deeper is text

# What looks like a secret is hidden also when nobody told us about it.
SHAPES = re.compile(
    r"xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|(?<=hooks\.slack\.com/services/)[\w/]+"  # Slack
    r"|(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}"  # Telegram, also inside its API's addresses
    r"|\bfd-[A-Za-z0-9_-]{16,}|\bsk-[A-Za-z0-9_-]{16,}"  # our keys, and OpenAI's
    r"|\bhf_[A-Za-z0-9]{16,}|\bgh[a-z]_[A-Za-z0-9]{16,}"  # the model hub's, and GitHub's
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # JSON web tokens
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?i:(?<=bearer )|(?<=authorization: basic ))[\w.~+/=-]{4,}"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # user:password@ in an address
)
_CALLED = (
    r"token|secret|password|passwd|passphrase|authorization|cookie|ticket|credentials?"
    r"|api[_-]?keys?|private[_-]?key"
)
NAMES = re.compile(rf"(?i)({_CALLED})['\"]?$")
# token=… in an address or a dataclass, "token": "…" in JSON or a dictionary that became text
ASSIGNED = re.compile(
    rf"(?i)((?:{_CALLED})(?:\\?['\"]\s*:|\s*=)\s*b?)"
    r"(?:'[^'\n]*'|\\?\"[^\"\n]*\"|[^\s'\"&,;(){}\[\]<>]{4,})"
)

Event = MutableMapping[str, Any]


def hidden(secrets: Iterable[str]) -> Callable[[object, str, Event], Event]:
    """A processor that replaces secrets: those given, those that look like one, and values named like one."""
    told = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
    known = re.compile("|".join(map(re.escape, told))) if told else None

    def clean(value: object, depth: int = 0) -> object:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping) and depth < DEEPEST:
            return {
                str(clean(str(key))): _named(key, clean(inner, depth + 1)) for key, inner in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset) and depth < DEEPEST:
            return [clean(inner, depth + 1) for inner in value]
        text = value if isinstance(value, str) else repr(value)
        text = known.sub(HIDDEN, text) if known else text
        return _writable(ASSIGNED.sub(rf"\1{HIDDEN}", SHAPES.sub(HIDDEN, text)))

    def hide(_: object, __: str, event: Event) -> Event:
        return {name: _named(name, clean(value)) for name, value in event.items()}

    return hide


def passwords(url: str) -> Iterator[str]:
    """The password in an address, as it is written and as it is meant."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))


def _named(name: object, value: object) -> object:
    return HIDDEN if value and NAMES.search(str(name)) else value


def _writable(text: str) -> str:
    """Without unpaired surrogates, which no file takes, and not endless."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text)} characters)"
