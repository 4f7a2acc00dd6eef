"""Beginnings that many prompts share, a system prompt most often: computed once, copied into every cohort after.

Knows which are kept. CTranslate2 keeps the states of a static prompt as long as its Generator lives, so what is once
let in stays: the list is short, bounded in tokens, and only takes what was asked for twice.
"""

from collections.abc import Iterable, Iterator

from inference.row import SHORTEST

LIMIT = 8  # personas of one house; more would rather be one-off system prompts of API clients
SHORT = 16  # tokens: below, copying states costs more calls than it saves reading
ASKED = 2  # times a beginning must be named before it is kept
REMEMBERED = 256  # candidates whose count is kept


class Prefixes:
    """Not safe for several threads: the engine asks under its lock."""

    def __init__(self, kept: Iterable[tuple[int, ...]], *, tokens: int) -> None:
        """`kept` from the start; all together hold `tokens` at most."""
        self._room = tokens
        self._kept: dict[tuple[int, ...], None] = {}
        self._asked: dict[tuple[int, ...], int] = {}
        for prefix in kept:
            self._keep(prefix)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def tokens(self) -> int:
        return sum(map(len, self._kept))

    def of(self, prompt: tuple[int, ...], length: int) -> tuple[int, ...]:
        """The prompt's first `length` tokens if they are kept (now), else nothing."""
        if length < SHORT or len(prompt) - length < SHORTEST:
            return ()
        prefix = prompt[:length]
        if prefix not in self._kept and self._often(prefix):
            self._keep(prefix)
        return prefix if prefix in self._kept else ()

    def _often(self, prefix: tuple[int, ...]) -> bool:
        if len(self._asked) >= REMEMBERED:
            self._asked.pop(next(iter(self._asked)))
        self._asked[prefix] = self._asked.get(prefix, 0) + 1
        return self._asked[prefix] >= ASKED

    def _keep(self, prefix: tuple[int, ...]) -> None:
        if len(self._kept) < LIMIT and len(prefix) >= SHORT and self.tokens + len(prefix) <= self._room:
            self._kept[prefix] = None
            self._asked.pop(prefix, None)
