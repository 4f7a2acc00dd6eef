"""What the channel keeps for long is encrypted with the operator's keys: sealed by the first, opened by each.

Knows Fernet. Leaves what is sealed, and where it lies, to `installation`.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from bot.channels.slack.settings import KEYS
from bot.variables import Misconfigured


class Unreadable(Exception):
    """No key opens it: it was sealed by one that is gone, or it is not what was sealed."""


class Vault:
    """One per process. Raises Misconfigured for a key that is none."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        try:
            known = [Fernet(key.get_secret_value()) for key in keys]
            self._first, self._all = known[0], MultiFernet(known)
        except (ValueError, IndexError):
            raise Misconfigured(
                f"{KEYS}: each is made by `frontdesk keys encryption`: 44 letters, digits and signs"
            ) from None

    def seal(self, text: str) -> str:
        """Encrypt it, with the first key."""
        return self._first.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> tuple[str, bool]:
        """What was sealed, and whether the first key did it: else it wants to be sealed anew. Raises Unreadable."""
        try:
            return self._first.decrypt(sealed).decode(), True
        except InvalidToken:
            pass
        try:
            return self._all.decrypt(sealed).decode(), False
        except InvalidToken:
            raise Unreadable from None
