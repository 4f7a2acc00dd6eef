"""Beginnings that many prompts share, a system prompt most often: computed once, copied into every cohort after.

Knows which are kept. CTranslate2 keeps the states of a static prompt as long as its Generator lives, so what is once
let in stays: the list is short, bounded in tokens, and only takes what was asked for twice.
"""

from collections.abc import Iterable, Iterator

from inference.row import SHORTEST

LIMIT = 8  # personas of one house
LEARNED = 4  # of them may be learned: API clients bring system prompts of their own
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
        self._learned = 0
        self._computing: set[tuple[int, ...]] = set()
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
        """The prompt's first `length` tokens if they are kept, or kept from now on; else nothing.

        Whoever is the first gets them, and nobody else until `computed`: on a GPU another replica would copy states
        that are still being written.
        """
        if length < SHORT or len(prompt) - length < SHORTEST:
            return ()
        prefix = prompt[:length]
        if prefix in self._computing:
            return ()
        if (
            prefix not in self._kept
            and self._learned < LEARNED
            and self._often(prefix)
            and self._keep(prefix)
        ):
            self._learned += 1
            self._computing.add(prefix)
        return prefix if prefix in self._kept else ()

    def computed(self, prefix: tuple[int, ...], *, well: bool) -> None:
        """A row with this beginning is over; `well` if it made a token, so that the states are there."""
        if prefix in self._computing:
            self._computing.discard(prefix)
            if not well:
                self._learned -= 1
                del self._kept[prefix]

    def _often(self, prefix: tuple[int, ...]) -> bool:
        if len(self._asked) >= REMEMBERED:
            self._asked.pop(next(iter(self._asked)))
        self._asked[prefix] = self._asked.get(prefix, 0) + 1
        return self._asked[prefix] >= ASKED

    def _keep(self, prefix: tuple[int, ...]) -> bool:
        if len(self._kept) == LIMIT or len(prefix) < SHORT or self.tokens + len(prefix) > self._room:
            return False
        self._kept[prefix] = None
        self._asked.pop(prefix, None)
        return True
