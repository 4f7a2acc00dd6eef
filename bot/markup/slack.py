"""The model's Markdown as Slack takes it, and a person's Slack text as Markdown.

Knows Slack's limits, its mentions and its escapes. Leaves blocks and fences to `splitting`, sending to the channel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from bot.markup import splitting
from bot.markup.outline import JOINER
from bot.markup.splitting import Part

__all__ = [
    "LIMIT",
    "Part",
    "between",
    "cut",
    "from_slack",
    "mrkdwn_escaped",
    "neutral",
    "part",
    "parts",
    "reach",
]

LIMIT = 11_000  # Slack takes 12,000 characters a call and refuses messages from about 13,172 in sum

# The sign after which a joiner makes words of a mention. Slack may take off one backslash as Markdown does, read a
# link's target as it reads what stands in <...>, and know signs by their entities.
_CALLS = r"(?:!\\?(?i:channel|here|everyone|group|subteam)|@\\?[UWB][A-Z0-9]|#\\?[CDG][A-Z0-9])"
_SIGN = r"&(?i:#0{0,4}(?:33|35|64)|#x0{0,4}(?:21|23|40)|excl|num|commat);"
_ALL = r"(?=(?i:channel|here|everyone)(?![A-Za-z0-9]|/[A-Za-z0-9]))"  # @here/maps is a package
_IN_SIGNS = (
    rf"<(?=\\?(?:{_CALLS}|!\\?&|{_SIGN}))"
    rf"|(?<=\])\((?=[ <]?\\?{_CALLS})"
    rf"|;(?=\\?(?:{_CALLS}|{_SIGN}))"
    rf"|(?:(?<=&#64)|(?<=&#x40)|(?<=&commat));{_ALL}"
)
_PERHAPS = re.compile(rf"{_IN_SIGNS}|@{_ALL}")
_MENTION = re.compile(rf"{_IN_SIGNS}|(?<![A-Za-z0-9])@{_ALL}")  # you@here.example is an address
_HALF_MENTION = re.compile(
    r"(?:(?:<|(?<=\])\([ <]?|;)(?:\\?(?:[!@#]\\?[A-Za-z0-9]{0,8}|&[#A-Za-z0-9]{0,8})?)?|[;@][A-Za-z]{0,8}[/.-]?)\Z"
)
_LONGEST_HALF = 16

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_UNESCAPES = {escape: sign for sign, escape in _ESCAPES.items()}
_SLACK_SIGN = re.compile(r"<([^<>\n]+)>|&(?:amp|lt|gt);")


def parts(markdown: str, limit: int = LIMIT, *, start: int = 0) -> list[Part]:
    """A whole text (from `start` on) as messages of at most `limit` characters: neutral, each valid by itself.

    A part that would show nothing (blank lines alone) is left out.
    """
    found = splitting.split(markdown, limit=limit, heavy=_mentions, start=start)
    return [_neutral(markdown, part) for part in found]


def part(markdown: str, start: int, end: int) -> Part:
    """One message that carries `markdown[start:end]`: its `text` is `opening` + `body` + `closing`."""
    return _neutral(markdown, splitting.part(markdown, start, end))


def between(markdown: str, start: int, end: int, *, begins: bool = False) -> str:
    """What is appended to an open message that shows the text up to `start`, so that it shows it up to `end`.

    `begins`: the message begins there, what stands before is in another and makes no address of a mention.
    """
    pieces = []
    if begins and start < end and _PERHAPS.match(markdown, start):
        pieces.append(markdown[start] + JOINER)
        start += 1
    for mention in _MENTION.finditer(markdown, start, end + _LONGEST_HALF):
        if mention.start() < end:
            pieces.append(markdown[start : mention.end()] + JOINER)
            start = mention.end()
    return "".join(pieces) + markdown[start:end]


def cut(
    markdown: str, done: int, limit: int = LIMIT, *, after: int | None = None, ended: bool = False
) -> int | None:
    """Where the open message that begins at `done` must end, or None while it may go on.

    Once it says an offset it says the same of every longer text. `after`: the message should end soon (it grows old),
    any border of blocks from this offset on will do. `ended`: nothing follows, what fits may stay in one message.
    """
    return splitting.cut(markdown, done, limit=limit, heavy=_mentions, after=after, ended=ended)


def reach(markdown: str, done: int, limit: int = LIMIT) -> int:
    """How far a growing text may be shown in the open message that begins at `done`: never beyond a later `cut`,
    never into what may become a mention. When the text has ended, all of it up to `cut` may be shown.
    """
    half = _HALF_MENTION.search(markdown, max(0, len(markdown) - _LONGEST_HALF))
    until = max(done, half.start()) if half else len(markdown)
    return splitting.reach(markdown, done, limit=limit, heavy=_mentions, until=until)


def neutral(text: str) -> str:
    """The same to the eye, but it calls nobody: an invisible character breaks each mention."""
    return _MENTION.sub(rf"\g<0>{JOINER}", text)


def mrkdwn_escaped(text: str) -> str:
    """A plain sentence for fields that Slack reads as mrkdwn."""
    return re.sub("[&<>]", lambda sign: _ESCAPES[sign[0]], text)


def from_slack(text: str, names: Mapping[str, str], *, bot: str = "") -> str:
    """What a person typed, as plain Markdown text. `names` of people, groups and channels by id; mentions of `bot` (its
    user id) at the start are left out."""
    if bot:
        text = re.sub(rf"\A\s*(?:<@{re.escape(bot)}(?:\|[^<>]*)?>[\s,:]*)+", "", text)

    def said(sign: re.Match[str]) -> str:
        return _UNESCAPES.get(sign[0]) or _in_brackets(sign[1], names)

    return _SLACK_SIGN.sub(said, text)


def _mentions(text: str) -> list[int]:
    """What counts twice: each that is a mention wherever a message begins."""
    return [mention.start() for mention in _PERHAPS.finditer(text)]


def _neutral(markdown: str, part: Part) -> Part:
    body = between(markdown, part.start, part.end, begins=True)
    return replace(part, opening=neutral(part.opening), body=body)


def _in_brackets(inside: str, names: Mapping[str, str]) -> str:
    """What a person sees of `<...>`."""
    target, _, label = (_unescaped(each) for each in inside.partition("|"))
    kind, name = target[:1], target[1:]
    if kind in ("@", "#"):
        return kind + (names.get(name) or label or name).removeprefix(kind)
    if kind == "!":
        return label or "@" + names.get(name.removeprefix("subteam^"), name.removeprefix("subteam^"))
    address = target.removeprefix("mailto:").removeprefix("tel:")
    if address != target and label in ("", address):
        return address
    return target if label in ("", target, target.partition("://")[2]) else f"[{label}]({target})"


def _unescaped(text: str) -> str:
    return re.sub("&(?:amp|lt|gt);", lambda escape: _UNESCAPES[escape[0]], text)
