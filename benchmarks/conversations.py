"""The load: seeded conversations of mixed length under one system prompt; none goes on before its answer has ended.

Knows words and clocks. Who answers is passed in.
"""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from inference.chat import Turn
from inference.random_model import ENDS, STARTS, WORDS

# A persona of the usual length. Every word is one token of the random models, and about one of any other.
SYSTEM = (
    "You keeps the quiet desk near the old door. The guest asks and the answer opens the light. Every question finds "
    "a kind letter before the evening. Our city sends a new guest again and again, and the small desk waits with time. "
    "They reads the letter here, or asks soon. This garden opens after the morning."
)

# Words in what people write: a few in most chats, a paragraph now and then.
LENGTHS = (4, 6, 9, 12, 16, 24, 40, 64)


@dataclass(frozen=True, slots=True)
class Load:
    """The same seed makes the same questions and arrivals. `gap`: mean seconds between two arrivals."""

    conversations: int
    turns: int
    tokens: int  # of each answer
    seed: int = 0
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class Script:
    """One person's part. `arrives`: seconds after the beginning."""

    arrives: float
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """`times`: time.perf_counter() at each token, or at each piece where only pieces can be seen."""

    text: str
    times: Sequence[float]
    tokens: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer as the one who asked sees them. `asked`: seconds since the load began; `times`: seconds
    since it was asked."""

    conversation: int
    turn: int
    asked: float
    times: list[float]
    tokens: int
    prompt_tokens: int


Ask = Callable[[Sequence[Turn], int], Answer]  # the conversation so far and how many tokens to answer; blocks


def scripts(load: Load) -> list[Script]:
    rng = random.Random(load.seed)  # seeded on purpose
    arrives, made = 0.0, []
    for _ in range(load.conversations):
        questions = tuple(_question(rng, words=rng.choice(LENGTHS)) for _ in range(load.turns))
        made.append(Script(arrives, questions))
        arrives += rng.expovariate(1 / load.gap) if load.gap else 0.0
    return made


def _question(rng: random.Random, *, words: int) -> str:
    return f"{rng.choice(STARTS)} {' '.join(rng.choices(WORDS, k=words - 1))}{rng.choice(ENDS)}"


def play(load: Load, ask: Ask) -> list[Exchange]:
    """All conversations at once, one thread each."""
    with ThreadPoolExecutor(max_workers=load.conversations) as people:
        began = time.perf_counter()
        talks = [
            people.submit(_talk, number, script, load.tokens, ask, began)
            for number, script in enumerate(scripts(load))
        ]
        return [exchange for talk in talks for exchange in talk.result()]


def _talk(number: int, script: Script, tokens: int, ask: Ask, began: float) -> list[Exchange]:
    time.sleep(max(0.0, began + script.arrives - time.perf_counter()))
    turns, exchanges = [Turn("system", SYSTEM)], []
    for turn, question in enumerate(script.questions):
        turns.append(Turn("user", question))
        asked = time.perf_counter()
        answer = ask(turns, tokens)
        turns.append(Turn("assistant", answer.text))
        times = [at - asked for at in answer.times]
        exchanges.append(Exchange(number, turn, asked - began, times, answer.tokens, answer.prompt_tokens))
    return exchanges
