"""The bundled starter model, as people meet it: what it answers, what it declines, and what its folder holds.

The questions were written by hand, apart from what it was trained on (`training/test_conversations.py` checks that).
"""

from pathlib import Path

import pytest

from inference import library
from inference.chat import Chat, Turn
from inference.training import evaluate
from inference.training.evaluate import Result

QUESTIONS = Path(__file__).parents[1] / "starter_questions.yaml"

LARGEST = 12_000_000  # bytes: what a checkout carries for everybody


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return evaluate.answer_all(library.BUNDLED, evaluate.read(QUESTIONS))


def wrong(results: list[Result]) -> str:
    return "\n".join(f"{r.question.turns[-1]} -> {r.answer[:80]}" for r in results if not r.right)


def test_the_questions_are_a_hundred_and_fifty_forty_and_several_names() -> None:
    counted = evaluate.shares(Result(question, "") for question in evaluate.read(QUESTIONS))
    assert counted["known"][1] >= 150
    assert counted["off_topic"][1] >= 40
    assert counted["name"][1] >= 5


def test_it_knows_the_house(results: list[Result]) -> None:
    right, asked = evaluate.shares(results)["known"]
    assert right >= 0.7 * asked, f"{right} of {asked}\n{wrong(results)}"


def test_it_says_honestly_that_it_is_the_small_starter_model(results: list[Result]) -> None:
    right, asked = evaluate.shares(results)["off_topic"]
    assert right >= 0.8 * asked, f"{right} of {asked}\n{wrong(results)}"


def test_it_remembers_a_name_over_three_turns(results: list[Result]) -> None:
    right, asked = evaluate.shares(results)["name"]
    assert right >= 0.7 * asked, f"{right} of {asked}\n{wrong(results)}"


def test_every_answer_ends_by_itself(results: list[Result]) -> None:
    """The tour is meant to be long; anything else that runs on is a model that lost its way."""
    chat = Chat.load(library.BUNDLED)
    long = [r for r in results if r.question.topic != "tour" and chat.count(r.answer) >= evaluate.LONGEST]
    assert len(long) <= 4, wrong(long)


def test_the_folder_is_complete_small_and_says_what_it_is() -> None:
    folder = library.read_folder(library.BUNDLED, name="starter")
    assert folder.context_length == 1024
    assert folder.licence == "Apache-2.0"
    assert sum(file.stat().st_size for file in library.BUNDLED.rglob("*") if file.is_file()) <= LARGEST


def test_the_card_names_what_it_was_trained_on() -> None:
    card = (library.BUNDLED / "README.md").read_text(encoding="utf-8")
    for word in ("clinc-oos", "CC BY 3.0", "Apache-2.0", "frontdesk train starter"):
        assert word in card


def test_a_prompt_costs_what_training_saw() -> None:
    """Template and tokenizer at run time are those of training: roles are single tokens, words begin with a space."""
    chat = Chat.load(library.BUNDLED)
    ids = chat.prompt(
        [Turn("system", "Be brief."), Turn("user", "Hello"), Turn("assistant", "Hi"), Turn("user", "Hello")]
    )
    tokens = chat.tokens(ids)
    assert tokens[0] == "<|system|>"
    assert tokens[-1] == "<|assistant|>"
    assert tokens.count("<|end|>") == 4
    assert tokens.count("ĠHello") == 2
