"""Where people of one channel become known in another: the addresses that channels offer, and invitations to them.

Knows which channels offer one. Leaves tokens and persons to the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.messages import Person
from bot.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """One per process; channels fill it as they open."""

    store: Store
    _addresses: dict[str, str] = field(default_factory=dict)

    def offer(self, channel: str, address: str) -> None:
        """Let people of other channels become known in this one at an address that holds {token}."""
        self._addresses[channel] = address

    async def invitations(self, person: Person) -> list[str]:
        """The addresses where a person can become known, each good once and for a while. Raises StoreUnavailable."""
        there = await self.store.elsewhere(person, self._addresses.keys())
        return [
            self._addresses[channel].replace("{token}", await self.store.invite(person)) for channel in there
        ]

    async def invited(self, token: str) -> Person | None:
        """Who got the token of an invitation, while it is good. Raises StoreUnavailable."""
        return await self.store.invited(token)

    async def link(self, token: str, person: Person) -> bool:
        """From now on a person is the one who got the token. Raises StoreUnavailable."""
        return await self.store.link(token, person)
