"""What a policy does with each kind of finding: a check for the moderator.

Knows treatments and words. What is found, and what a placeholder is, stands beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from moderation.pii.finder import Finder
from moderation.pii.found import Found, Kind
from moderation.pii.vault import Vault
from moderation.verdict import Action, Direction, Finding

# mask: a placeholder that is restored, where there is a vault; words without one. redact: words in any case.
Treatment = Literal["allow", "review", "mask", "redact", "block"]

WORDS: dict[Kind, str] = {
    "email": "[e-mail removed]",
    "phone": "[phone number removed]",
    "card": "[card number removed]",
    "iban": "[IBAN removed]",
    "ip": "[IP address removed]",
    "national-id": "[ID number removed]",
    "secret": "[key removed]",
}
WORDS_BY_DETAIL = {"private key": "[private key removed]", "password in an address": "[password removed]"}
ACTIONS: dict[Treatment, Action] = {
    "review": "review",
    "mask": "redact",
    "redact": "redact",
    "block": "block",
}
SHORT = 2_000  # characters that are read at once: 4 ms at the worst; a longer text is read beside the loop


class PiiCheck:
    """Finds what could give a person or an account away; what happens to a kind left out of `treatments` is allow."""

    name = "pii"

    def __init__(self, treatments: Mapping[Kind, Treatment], *, finder: Finder | None = None) -> None:
        self._treatments = {kind: treatment for kind, treatment in treatments.items() if treatment != "allow"}
        self._finder = finder or Finder()

    async def judge(
        self, text: str, *, direction: Direction, vault: Vault | None = None, system: str = ""
    ) -> Sequence[Finding]:
        """`vault`: where masked values go. `system`: what the house told the model; an address that stands there is
        the house's own, and answers may name it."""
        if not self._treatments or not text:
            return ()
        found = await self._find(text)
        counted = [one for one in found if one.kind in self._treatments]
        if direction == "output":
            counted = [one for one in counted if text[one.start : one.end] not in system]
            return [self._finding(one, None) for one in counted]
        return list(self._findings(text, counted, vault))

    async def _find(self, text: str) -> tuple[Found, ...]:
        if len(text) <= SHORT:
            return self._finder.find(text)
        return await asyncio.to_thread(self._finder.find, text)

    def _findings(self, text: str, found: Sequence[Found], vault: Vault | None) -> Iterator[Finding]:
        if vault is None:
            yield from (self._finding(one, None) for one in found)
            return
        masked = [one for one in found if self._treatments[one.kind] == "mask"]
        yield from (self._finding(one, None) for one in found if self._treatments[one.kind] != "mask")
        known = {(one.start, one.end): one for one in masked}
        for start, end, placeholder in vault.cover(text, masked):
            one = known.get((start, end))
            if one is not None:
                yield self._finding(one, placeholder)
            else:  # hidden before, or written as if it were a placeholder
                yield Finding(
                    check=self.name,
                    action="redact",
                    category="pii",
                    reason="hidden before, or like a placeholder in use",
                    span=(start, end),
                    replacement=placeholder,
                )

    def _finding(self, one: Found, placeholder: str | None) -> Finding:
        words = WORDS_BY_DETAIL.get(one.detail, WORDS[one.kind])
        return Finding(
            check=f"{self.name}/{one.kind}",
            action=ACTIONS[self._treatments[one.kind]],
            category="secret" if one.kind == "secret" else "pii",
            reason=one.detail or one.kind,
            span=(one.start, one.end),
            replacement=words if placeholder is None else placeholder,
        )
