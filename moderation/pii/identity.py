"""National ids: numbers that a state gives one person.

Knows their forms and the words that name them; the checksums are python-stdnum's. A form that other numbers have
too, with a checksum of one or two digits at most, counts only after such a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from moderation.pii import cues
from moderation.pii.found import Found
from moderation.pii.number import AFTER, BEFORE, Island

Valid = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Identity:
    """One kind of number. `module` of stdnum judges it, where its form leaves anything to judge; `cues` are the words
    of which one must stand before it."""

    name: str
    module: str = ""
    cues: tuple[str, ...] = ()

    def named(self, before: str) -> bool:
        return not self.cues or any(_stands(cue, before) for cue in self.cues)

    def valid(self, number: str) -> bool:
        return not self.module or _validator(self.module)(number)


def _stands(cue: str, before: str) -> bool:
    """Whether a word is there: a short one by itself, a long one also as a part ("Lohnsteuernummer")."""
    if cue not in before:
        return False
    return len(cue) > ALONE or re.search(rf"(?<![^\W_]){cue}(?![^\W_])", before) is not None


@cache
def _validator(module: str) -> Valid:
    valid: Valid = import_module(f"stdnum.{module}").is_valid
    return valid


@dataclass(frozen=True, slots=True)
class Form:
    """A way of writing, and the numbers that are written so. `digits`: the fewest it has."""

    digits: int
    pattern: re.Pattern[str]
    identities: tuple[Identity, ...]

    def possible(self, island: Island, before: str) -> bool:
        """Whether reading on is worth it: most forms ask for a word, and most texts hold none."""
        return island.digits >= self.digits and any(one.named(before) for one in self.identities)


def _form(digits: int, pattern: str, *identities: Identity, ignore_case: bool = False) -> Form:
    flags = re.ASCII | re.IGNORECASE if ignore_case else re.ASCII
    return Form(digits, re.compile(f"{BEFORE}{pattern}{AFTER}", flags), identities)


ALONE = 4  # letters of a cue that would be found inside other words: "sin" in "since"
SOCIAL = ("social security", "ssn")
TAX = ("tax", "steuer", "tin", "idnr", "id-nr", "identifikationsnummer")
PERSON = ("personal", "national", "identi", "id")

FORMS = (
    # The US number has no checksum; some areas and groups are never given.
    _form(9, r"(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}", Identity("us-ssn")),
    _form(9, r"(?!000|666|9\d\d)\d{3} ?(?!00)\d\d ?(?!0000)\d{4}", Identity("us-ssn", cues=SOCIAL)),
    _form(9, r"9\d\d-[5-9]\d-\d{4}", Identity("us-itin", "us.itin")),
    # QQ is never given: it is the one that British forms show.
    _form(
        6,
        r"(?!BG|GB|NK|KN|TN|NT|ZZ)(?:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]|QQ) ?\d\d ?\d\d ?\d\d ?[A-D]",
        Identity("uk-nino"),
    ),
    _form(10, r"\d{3}[ -]?\d{3}[ -]?\d{4}", Identity("uk-nhs", "gb.nhs", cues=("nhs",))),
    _form(17, r"[1-9]\d{5}(?:19|20)\d{9}[\dXx]", Identity("cn-resident-id", "cn.ric")),
    _form(
        11,
        r"(?:\d{11}|\d{2} \d{3} \d{3} \d{3}|\d{3}[ .]\d{3}[ .]\d{3}[ .]\d\d)",
        Identity("de-tax-id", "de.idnr", cues=TAX),
        Identity("br-cpf", "br.cpf", cues=("cpf",)),
        Identity("pl-pesel", "pl.pesel", cues=("pesel",)),
        Identity("tr-id", "tr.tckimlik", cues=("kimlik", "tckn", "tc")),
        Identity("no-id", "no.fodselsnummer", cues=("fødselsnummer", "fodselsnummer", *PERSON)),
    ),
    _form(11, r"\d{3}\.\d{3}\.\d{3}-\d\d", Identity("br-cpf", "br.cpf")),
    _form(
        13,
        r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3}[ /-]?\d\d",
        Identity("fr-nir", "fr.nir"),
    ),
    _form(8, r"\d{8}-?[A-HJ-NP-TV-Z]", Identity("es-dni", "es.dni")),
    _form(8, r"\d{8}-?[a-z]", Identity("es-dni", "es.dni", cues=("dni", "nif"))),
    _form(7, r"[XYZ]-?\d{7}-?[A-Z]", Identity("es-nie", "es.nie")),
    # Digits may be written as letters, where two people would have the same number.
    _form(
        4,
        r"[A-Z]{6}[\dLMNP-V]{2}[A-EHLMPRST][\dLMNP-V]{2}[A-Z][\dLMNP-V]{3}[A-Z]",
        Identity("it-codice-fiscale", "it.codicefiscale"),
        ignore_case=True,
    ),
    _form(
        9,
        r"\d{3}[ .-]?\d{3}[ .-]?\d{3}|\d{4}[ .]\d{2}[ .]\d{3}",
        Identity("nl-bsn", "nl.bsn", cues=("bsn", "burgerservice", "sofi")),
        Identity("ca-sin", "ca.sin", cues=("sin", "social insurance")),
        Identity("au-tfn", "au.tfn", cues=("tfn", "tax")),
        Identity("pt-nif", "pt.nif", cues=("nif", "contribuinte")),
    ),
    _form(12, r"[2-9]\d{3}[ -]\d{4}[ -]\d{4}", Identity("in-aadhaar", "in_.aadhaar")),
    _form(
        12,
        r"[2-9]\d{11}",
        Identity("in-aadhaar", "in_.aadhaar", cues=("aadhaar", "aadhar", "adhar", "uidai", "आधार")),
    ),
    _form(4, r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]", Identity("in-pan", "in_.pan")),
    _form(13, r"\d{6}-[1-8]\d{6}", Identity("kr-rrn", "kr.rrn")),
    _form(9, r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", Identity("fi-hetu", "fi.hetu")),
    _form(13, r"756\.?\d{4}\.?\d{4}\.?\d\d", Identity("ch-ahv", "ch.ssn")),
    _form(11, r"\d\d\.\d\d\.\d\d-\d{3}[.-]\d\d", Identity("be-national-number", "be.nn")),
    _form(
        10,
        r"(?:\d\d)?\d{6}[-+]?\d{4}",
        Identity("se-personnummer", "se.personnummer", cues=("personnummer", *PERSON)),
        Identity("dk-cpr", "dk.cpr", cues=("cpr",)),
    ),
    _form(7, r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d", Identity("mx-curp", "mx.curp")),
    _form(8, r"\d{1,2}\.\d{3}\.\d{3}-[\dKk]", Identity("cl-rut", "cl.rut")),
    _form(
        13,
        r"\d{13}",
        Identity("za-id", "za.idnr", cues=("south african", "rsa", *PERSON)),
        Identity("ro-cnp", "ro.cnp", cues=("cnp",)),
    ),
)


def identities(text: str, island: Island) -> Iterator[Found]:
    near = text[max(0, island.start - cues.REACH) : island.end].lower()
    for form in FORMS:
        if form.possible(island, near):
            yield from _identities(text, island, form)


def _identities(text: str, island: Island, form: Form) -> Iterator[Found]:
    for hit in form.pattern.finditer(text, island.start, island.end):
        before = cues.before(text, hit.start()).lower()
        for one in form.identities:
            if one.named(before) and one.valid(hit[0]):
                yield Found("national-id", *hit.span(), one.name)
                break
