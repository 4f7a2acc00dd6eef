"""Topic limits: a text that means much the same as one of a topic's examples.

Knows embeddings and their cosine. Does not know which encoder makes them; where none is made, topics are off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moderation.verdict import Direction, Finding

if TYPE_CHECKING:
    from moderation.policy import Topic

NAME = "topics"  # the check, in findings and in failures

Embedding = tuple[float, ...]
Embed = Callable[[str], Awaitable[Embedding | None]]


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one place with their examples as rows of one matrix."""

    topics: tuple[Topic, ...] = ()
    rows: Any = None  # an array (examples, width) of vectors of length 1; None while there is none
    owners: tuple[int, ...] = ()  # each row's topic
    deaf: tuple[str, ...] = ()  # topics of which no example could be embedded: they are off

    @classmethod
    async def of(cls, topics: Sequence[Topic], embed: Embed) -> Topics:
        """Embeds the examples; those without an embedding (another language than the encoder's) are left out."""
        topics = tuple(topic for topic in topics if topic.action != "allow")
        made = [(at, await embed(text)) for at, topic in enumerate(topics) for text in topic.examples]
        kept = [(at, vector) for at, vector in made if vector is not None]
        heard = {at for at, _ in kept}
        return cls(
            topics=topics,
            rows=_matrix([vector for _, vector in kept]),
            owners=tuple(at for at, _ in kept),
            deaf=tuple(topic.name for at, topic in enumerate(topics) if at not in heard),
        )

    def near(self, embedding: Embedding | None, *, direction: Direction) -> list[Finding]:
        """A finding for each topic that is near enough."""
        if embedding is None or self.rows is None:
            return []
        return list(self._near(embedding, direction))

    def _near(self, embedding: Embedding, direction: Direction) -> Iterator[Finding]:
        best = [-1.0] * len(self.topics)
        for at, value in zip(self.owners, self.rows @ _unit(embedding), strict=True):
            best[at] = max(best[at], float(value))
        for topic, similarity in zip(self.topics, best, strict=True):
            if topic.direction in (direction, "both") and similarity >= topic.similarity:
                yield Finding(
                    check=f"{NAME}/{topic.name}",
                    action=topic.action,
                    category=f"topic/{topic.name}",
                    reason=f"{similarity:.2f} like an example; {topic.action} from {topic.similarity:g} on",
                    score=min(max(similarity, 0.0), 1.0),
                    threshold=topic.similarity,
                    notice=topic.notice.words() if topic.notice else {},
                )


def _matrix(vectors: list[Embedding]) -> Any:
    if not vectors:
        return None
    import numpy as np

    return np.stack([_unit(vector) for vector in vectors])


def _unit(vector: Embedding) -> Any:
    import numpy as np

    values = np.asarray(vector, np.float32)
    return values / max(float(np.linalg.norm(values)), 1e-12)
