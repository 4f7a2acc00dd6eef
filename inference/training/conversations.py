"""Whole conversations to train on: who says what, in which order, and what the starter model answers.

Knows questions and their answers as text. Tokens, loss and batches are the recipe's business.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from inference.training.questions import Questions, invented

# Topics that are easily taken for others need more practice, small talk less; the tour costs many tokens.
WEIGHTS = {"identity": 2.0, "languages": 1.5, "about": 1.5, "start": 1.5, "requirements": 1.3, "privacy": 1.5,
           "moderation": 1.3, "acknowledge": 0.5, "thanks": 0.8, "memory": 0.6, "tour": 0.5}  # fmt: skip

OFF_TOPIC = 0.22  # of all questions
NAMES = 0.4  # of all conversations


@dataclass(frozen=True, slots=True)
class Exchange:
    question: str
    answer: str


@dataclass(slots=True)
class Conversation:
    system: str  # "" for none
    exchanges: list[Exchange] = field(default_factory=list)


class Conversations:
    """Draws conversations; the same generator state draws the same ones."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._lists = questions.lists
        self._weights = [WEIGHTS.get(topic.name, 1.0) for topic in self._lists.topics]

    def draw(self, rng: random.Random, *, brief: bool = False) -> Conversation:
        """One conversation; a brief one is a single exchange, mostly without a system prompt."""
        talk = Conversation("" if brief and rng.random() < 0.75 else self._system(rng))
        if rng.random() < NAMES * (0.6 if brief else 1):
            talk.exchanges = self._with_name(rng, others=0 if brief else None)
        else:
            talk.exchanges = [self._exchange(rng) for _ in range(1 if brief else _turns(rng))]
        return talk

    @property
    def kinds(self) -> int:
        """How many kinds of questions `labelled` tells apart: the topics, and what is off topic."""
        return len(self._lists.topics) + 1

    def labelled(self, rng: random.Random) -> tuple[int, str, str]:
        """A question, its answer, and which kind it is."""
        kind = rng.randrange(self.kinds + 2)  # off topic has many words
        if kind >= len(self._lists.topics):
            answer = rng.choice(self._lists.off_topic.answers)
            return self.kinds - 1, self._questions.off_topic(rng), answer
        topic = self._lists.topics[kind]
        return kind, self._questions.about(topic, rng), rng.choice(topic.answers)

    def same(self, rng: random.Random, *, count: int) -> tuple[list[str], str]:
        """Several ways to ask the same, and the answer: what pre-training reads."""
        if rng.random() < OFF_TOPIC:
            refusal = rng.choice(self._lists.off_topic.answers)
            return [self._questions.off_topic(rng) for _ in range(count)], refusal
        topic = rng.choices(self._lists.topics, self._weights)[0]
        return [self._questions.about(topic, rng) for _ in range(count)], rng.choice(topic.answers)

    def name(self, rng: random.Random) -> str:
        if rng.random() < 0.5:
            return rng.choice(self._lists.names)
        return invented(rng).capitalize()

    def _system(self, rng: random.Random) -> str:
        prompts: list[str] = self._lists.frames["system_prompts"]
        chance = rng.random()
        if chance < 0.65:
            return prompts[0]
        return "" if chance < 0.82 else rng.choice(prompts)

    def _exchange(self, rng: random.Random) -> Exchange:
        chance = rng.random()
        if chance < OFF_TOPIC:
            return Exchange(self._questions.off_topic(rng), rng.choice(self._lists.off_topic.answers))
        if chance < OFF_TOPIC + 0.02:  # nobody has said a name in this conversation
            return self._named("name_ask", "name_unknown", rng)
        topic = rng.choices(self._lists.topics, self._weights)[0]
        return Exchange(self._questions.about(topic, rng), rng.choice(topic.answers))

    def _with_name(self, rng: random.Random, *, others: int | None = None) -> list[Exchange]:
        """A name is said, and asked for some turns later; `others` says how many come between."""
        name = self.name(rng)
        said = name.lower() if rng.random() < 0.25 else name
        talk = [self._other(rng)] if others is None and rng.random() < 0.25 else []
        talk.append(self._named("name_tell", "name_told", rng, said=said))
        between = rng.choice((0, 1, 1, 1, 2, 3)) if others is None else others
        talk += [self._other(rng) for _ in range(between)]
        talk.append(self._named("name_ask", "name_known", rng, answer=said))
        if rng.random() < 0.4:  # and once more
            talk += [self._other(rng) for _ in range(rng.choice((0, 1)))]
            talk.append(self._named("name_ask", "name_known", rng, answer=said))
        return talk

    def _other(self, rng: random.Random) -> Exchange:
        while True:  # not one that says the name is unknown
            exchange = self._exchange(rng)
            if exchange.answer not in self._lists.frames["name_unknown"]:
                return exchange

    def _named(
        self, asked: str, answered: str, rng: random.Random, *, said: str = "", answer: str = ""
    ) -> Exchange:
        question = self._questions.worded(asked, rng, keep=said)
        pattern = rng.choice(self._lists.frames[answered])
        return Exchange(question, pattern.replace("{name}", said or answer))


def _turns(rng: random.Random) -> int:
    return rng.choices((1, 2, 3, 4, 5, 6, 8), (62, 16, 9, 6, 4, 2, 1))[0]


def lines(conversations: Iterator[Conversation]) -> Iterator[str]:
    """Every question in them."""
    for talk in conversations:
        yield from (exchange.question for exchange in talk.exchanges)
