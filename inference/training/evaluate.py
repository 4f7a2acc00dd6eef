"""What a starter model gets right: the fact in the answer, the honest refusal, the name after three turns.

Knows the question file and a model folder. It runs the real tokenizer and template, and decodes greedily in batches.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from inference.chat import Chat, Turn

SYSTEM = "You are Frontdesk, the assistant of this house. Be brief, friendly and honest."

# An honest refusal says both: what is speaking, and that it cannot.
REFUSES = ("can't", "don't know", "beyond me")

# The answers' beginning tells; only the tour is longer than this.
LONGEST = 160


@dataclass(frozen=True, slots=True)
class Question:
    topic: str  # "off_topic" and "name" are two of them
    turns: tuple[str, ...]  # what the visitor says; the last is the question
    required: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    question: Question
    answer: str

    @property
    def right(self) -> bool:
        if self.question.topic == "off_topic":
            return "starter model" in self.answer and any(word in self.answer for word in REFUSES)
        return any(fact in self.answer for fact in self.question.required)


def read(file: Path) -> list[Question]:
    """The questions of a file such as tests/starter_questions.yaml."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    known = [
        Question(entry["topic"], (question,), tuple(entry["required"]))
        for entry in content["topics"]
        for question in entry["questions"]
    ]
    other = [Question("off_topic", (question,), ()) for question in content["off_topic"]]
    names = [Question("name", tuple(entry["turns"]), (entry["name"],)) for entry in content["names"]]
    return known + other + names


def lines(questions: Iterable[Question]) -> list[str]:
    """What training has to stay away from. "What is my name?" can hardly be asked otherwise: the names are new."""
    return [question.turns[-1] for question in questions if question.topic != "name"]


def answer_all(folder: Path, questions: Sequence[Question], *, system: str = SYSTEM) -> list[Result]:
    """Asks the model every question; the earlier turns of a conversation are answered by the model too."""
    import ctranslate2

    chat = Chat.load(folder)
    generator = ctranslate2.Generator(str(folder), inter_threads=2, intra_threads=1)
    talks = [[Turn("system", system)] if system else [] for _ in questions]
    answers = [""] * len(questions)
    for number in range(max(len(question.turns) for question in questions)):
        asked = [i for i, question in enumerate(questions) if number < len(question.turns)]
        for i in asked:
            talks[i].append(Turn("user", questions[i].turns[number]))
        for i, answer in zip(asked, _generate(generator, chat, [talks[i] for i in asked]), strict=True):
            talks[i].append(Turn("assistant", answer))
            answers[i] = answer
    return [Result(question, answer) for question, answer in zip(questions, answers, strict=True)]


def _generate(generator: Any, chat: Chat, talks: list[list[Turn]]) -> list[str]:
    prompts = [chat.prompt(talk) for talk in talks]
    order = sorted(range(len(talks)), key=lambda i: len(prompts[i]))
    answers = [""] * len(talks)
    # Only prompts of one length share a batch, where each row's answer is the same as alone.
    for _, group in groupby(order, key=lambda i: len(prompts[i])):
        rows = list(group)
        results = generator.generate_batch(
            [chat.tokens(prompts[i]) for i in rows],
            max_length=LONGEST,
            include_prompt_in_result=False,
            end_token=list(chat.end_token_ids),
        )
        for i, result in zip(rows, results, strict=True):
            answers[i] = chat.tokenizer.decode(result.sequences_ids[0])
    return answers


def shares(results: Iterable[Result]) -> dict[str, tuple[int, int]]:
    """(right, asked) of the known topics together, of what is off topic, and of names."""
    counts = {"known": (0, 0), "off_topic": (0, 0), "name": (0, 0)}
    for result in results:
        kind = result.question.topic if result.question.topic in counts else "known"
        right, asked = counts[kind]
        counts[kind] = (right + result.right, asked + 1)
    return counts
