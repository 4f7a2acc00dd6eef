"""Phone numbers, abroad and at home.

Knows how people write them and what else looks like them: order numbers, dates, ids. Whether a number can exist is
asked of phonenumbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber

from moderation.pii import cues
from moderation.pii.found import Found
from moderation.pii.number import Island

# Whose numbers are known without a country code. Each costs a little, and lets a few more numbers pass for phones.
REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "CN", "JP", "KR", "IN", "BR", "AU")

RUN = re.compile(
    r"(?<![\w@/=+#])(?<!\d[.,-])(?<![A-Za-z]-)(?:\+ ?)?\(?\d(?:[ .()/-]{0,3}\d){6,17}(?![\w@]|[-/]\w|[.,]\d)",
    re.ASCII,
)
DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[ ./-](?:0?[1-9]|1[0-2])[ ./-](?:0?[1-9]|[12]\d|3[01])|"
    r"(?:0?[1-9]|[12]\d|3[01])[ ./-](?:0?[1-9]|[12]\d|3[01])[ ./-](?:19|20)\d\d)(?!\d)"
)
SEPARATED = re.compile(r"\d[ .()/-]+\d")
NORTH_AMERICA = re.compile(
    r"(?:1[ .-]?)?(?:\([2-9]\d\d\)[ .-]?|[2-9]\d\d(?P<gap>[ .-]))\d{3}(?(gap)(?P=gap)|[ .-]?)\d{4}"
)
CHINESE_MOBILE = re.compile(r"1[3-9]\d[ -]?\d{4}[ -]?\d{4}")
OWN_FORM = re.compile(rf"{NORTH_AMERICA.pattern}|{CHINESE_MOBILE.pattern}")
MADE_UP = re.compile(r"(?:1[ .-]?)?\(?555\D")  # no area has it: people who need a number for an example do
AT_HOME = 9  # digits; "call 555-0100" names nobody without the area, and shorter numbers are anything
TOGETHER = 7  # groups of digits


class Phones:
    """Finds numbers with a country code, and those of `regions` as they are written at home."""

    def __init__(self, regions: Sequence[str] = REGIONS) -> None:
        self._regions = tuple(regions)

    def find(self, text: str, island: Island) -> Iterator[Found]:
        for run in RUN.finditer(text, island.start, island.end):
            for start, end in _parts(text, run):
                if self._is_phone(text, start, end):
                    yield Found("phone", start, end)
                    break

    def _is_phone(self, text: str, start: int, end: int) -> bool:
        written = text[start:end]
        size = sum(char.isdigit() for char in written)
        if size > 15 or DATE.search(written):
            return False
        if written.startswith("+"):
            return size >= 8 and _abroad(written, size=size)
        before = cues.before(text, start)
        if size < AT_HOME or cues.OTHER.search(before):
            return False
        named = cues.PHONE.search(before) is not None
        if written.startswith("00"):
            separated = SEPARATED.search(written) is not None
            return (named or separated) and _abroad(f"+{written[2:]}", size=size - 2)
        return self._at_home(written, named=named)

    def _at_home(self, written: str, *, named: bool) -> bool:
        if NORTH_AMERICA.fullmatch(written) and "US" in self._regions:
            return named or MADE_UP.match(written) is not None or self._exists(written, ("US",))
        if CHINESE_MOBILE.fullmatch(written) and "CN" in self._regions:
            return self._exists(written, ("CN",))
        own_form = written.startswith(("0", "(")) and SEPARATED.search(written) is not None
        regions = (
            [region for region in self._regions if region != "US"] if written[0] == "0" else self._regions
        )
        return (named or own_form) and self._exists(written, regions)

    def _exists(self, written: str, regions: Sequence[str]) -> bool:
        return any(_exists(written, region) for region in regions)


def _exists(written: str, region: str) -> bool:
    number = _number(written, region)
    if number is None:
        return False
    if region == "US":  # with Canada and the others that share its plan
        return phonenumbers.is_valid_number(number)
    return phonenumbers.is_valid_number_for_region(number, region)


def _abroad(written: str, *, size: int) -> bool:
    number = _number(written, None)
    if number is None:
        return False
    # A number of the right length in groups, or this long, is meant as one even if nobody was given it.
    meant = size >= 10 and phonenumbers.is_possible_number(number)
    return meant or phonenumbers.is_valid_number(number)


def _number(written: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(written, region)
    except NumberParseException:
        return None


def _parts(text: str, run: re.Match[str]) -> Iterator[tuple[int, int]]:
    """What of a run of digits may be one number: "call 415-555-2671 12 times". Forms of one country come first, since
    the whole is soon some number of another one."""
    start, end = run.span()
    spaces = [start + at for at, char in enumerate(run[0]) if char == " "][:TOGETHER]
    ends = [end, *reversed(spaces)]
    if not run[0].startswith("+"):
        starts = [start, *(at + 1 for at in spaces)]
        pairs = ((first, last) for first in starts for last in ends if first < last)
        yield from (pair for pair in pairs if OWN_FORM.fullmatch(text, *pair))
    yield from ((start, last) for last in ends)
