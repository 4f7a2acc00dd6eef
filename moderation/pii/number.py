"""Payment cards and IBANs: numbers with a checksum and a form of their own.

Knows prefixes and lengths; the sums are python-stdnum's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stdnum import iban, luhn

from moderation.pii.found import Found

ISLAND = re.compile(
    r"\d(?:[^\d\n]{0,7}\d){3,}", re.ASCII
)  # a Mexican id has seven letters between its digits
AROUND = 8  # characters; letters that begin an Italian id, and what a look-ahead needs

# Not inside a word, a path, a decimal fraction or a longer number.
BEFORE = r"(?<![\w/@+])(?<!\d\.)(?<!\w-)"
AFTER = r"(?![\w@]|\.\d|-\w)"

CARD = re.compile(rf"{BEFORE}\d{{3,19}}(?:[ -]\d{{3,6}}(?!\d))*{AFTER}", re.ASCII)
SMALLEST_CARD = 12
GROUPS = 6  # four, and 19 digits take five; a security code may follow
GROUP = re.compile(r"\d+")
# Issuer prefixes with the lengths in use (ISO/IEC 7812 and the schemes' own pages).
ISSUERS = re.compile(
    r"(?P<visa>4(?:\d{12}|\d{15}|\d{18}))"
    r"|(?P<mastercard>(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12})"
    r"|(?P<american_express>3[47]\d{13})"
    r"|(?P<discover>(?:6011|64[4-9]\d|65\d{2})\d{12})"
    r"|(?P<diners_club>3(?:0[0-59]|[689]\d)\d{11})"
    r"|(?P<jcb>35(?:2[89]|[3-8]\d)\d{12})"
    r"|(?P<unionpay>62\d{14,17})"
    r"|(?P<maestro>(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15})"
    r"|(?P<mir>220[0-4]\d{12})"
    r"|(?P<rupay>(?:60|81|82)\d{14}|508\d{13})"
)

IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE | re.ASCII)
SHORTEST, LONGEST = 15, 34  # Norway; the standard's limit


@dataclass(frozen=True, slots=True)
class Island:
    """Digits that stand close together, with a few characters around them: where a number of any kind can be."""

    start: int
    end: int
    digits: int


def islands(text: str) -> list[Island]:
    return [
        Island(max(0, hit.start() - AROUND), hit.end() + AROUND, sum(map(str.isdigit, hit[0])))
        for hit in ISLAND.finditer(text)
    ]


def cards(text: str, island: Island) -> Iterator[Found]:
    if island.digits < SMALLEST_CARD:
        return
    for hit in CARD.finditer(text, island.start, island.end):
        groups = [group.span() for group in GROUP.finditer(text, *hit.span())]
        yield from _cards(text, groups)


def ibans(text: str, island: Island) -> Iterator[Found]:
    for hit in IBAN.finditer(text, island.start, island.end + 2 * LONGEST):
        if hit.start() >= island.end:
            return
        end = _iban_end(text, *hit.span())
        if end:
            yield Found("iban", hit.start(), end)


def _cards(text: str, groups: list[tuple[int, int]]) -> Iterator[Found]:
    """The first card among groups of digits, and those after it: a card may stand before its security code."""
    first = 0
    while first < len(groups):
        for last in range(min(len(groups), first + GROUPS), first, -1):
            issuer = _issuer("".join(text[start:end] for start, end in groups[first:last]))
            if issuer:
                yield Found("card", groups[first][0], groups[last - 1][1], issuer)
                first = last - 1
                break
        first += 1


def _issuer(digits: str) -> str:
    form = ISSUERS.fullmatch(digits)
    return str(form.lastgroup).replace("_", " ") if form and luhn.is_valid(digits) else ""


def _iban_end(text: str, start: int, end: int) -> int:
    """Where an IBAN that begins at `start` ends; words may follow it that could be its groups."""
    places = [at for at in range(start, end) if text[at].isalnum()][:LONGEST]
    for size in range(len(places), SHORTEST - 1, -1):
        stop = places[size - 1] + 1
        if stop < len(text) and text[stop].isalnum() and text[stop].isascii():
            continue
        if iban.is_valid("".join(text[at] for at in places[:size])):
            return stop
    return 0
