"""What the generator of training conversations promises."""

import random
from pathlib import Path

import pytest
import yaml

from inference.training import evaluate, topics
from inference.training.apart import NEAR, HeldOut, trigrams
from inference.training.conversations import Conversations, lines
from inference.training.questions import Questions

QUESTIONS = Path(__file__).parents[2] / "starter_questions.yaml"


@pytest.fixture(scope="module")
def lists() -> topics.Lists:
    return topics.load()


@pytest.fixture(scope="module")
def held_out() -> HeldOut:
    return HeldOut(evaluate.lines(evaluate.read(QUESTIONS)))


def drawn(lists: topics.Lists, held_out: HeldOut, *, count: int, seed: int) -> list[str]:
    conversations = Conversations(Questions(lists, held_out=held_out))
    rng = random.Random(seed)
    return list(lines(conversations.draw(rng) for _ in range(count)))


def test_every_pattern_can_be_drawn(lists: topics.Lists) -> None:
    questions = Questions(lists, held_out=HeldOut(()))
    rng = random.Random(1)
    for topic in (*lists.topics, lists.off_topic):
        for pattern in (*topic.asks, *topic.goals, *topic.things, *topic.situations):
            for _ in range(3):
                text = questions.patterns.draw(pattern, rng)
                assert text
                assert not set("(){}|") & set(text), pattern


def test_thirty_topics_or_more_have_answers_and_wordings(lists: topics.Lists) -> None:
    assert len(lists.topics) >= 30
    for topic in lists.topics:
        assert topic.answers, topic.name
        assert topic.asks or topic.goals, topic.name


def test_the_same_seed_draws_the_same_conversations(lists: topics.Lists, held_out: HeldOut) -> None:
    assert drawn(lists, held_out, count=30, seed=7) == drawn(lists, held_out, count=30, seed=7)
    assert drawn(lists, held_out, count=30, seed=7) != drawn(lists, held_out, count=30, seed=8)


def test_no_training_line_is_near_a_test_question(lists: topics.Lists, held_out: HeldOut) -> None:
    """Measured afresh over some thousand lines of the recipe's own generator, without its filter's index."""
    questions = [(q, trigrams(q)) for q in held_out.questions]
    for line in drawn(lists, held_out, count=600, seed=1):
        grams = trigrams(line)
        for question, wanted in questions:
            overlap = len(grams & wanted) / len(grams | wanted)
            assert overlap < NEAR, f"{line!r} is near {question!r}"


def test_the_filter_has_little_to_do(lists: topics.Lists, held_out: HeldOut) -> None:
    """The questions were written apart from the wordings: of what would be drawn freely, hardly a line is dropped."""
    free = drawn(lists, HeldOut(()), count=400, seed=2)
    near = [line for line in free if held_out.near(line)]
    assert len(near) < 0.05 * len(free), near[:20]


def test_names_of_the_test_questions_are_never_trained() -> None:
    trained = {name.lower() for name in topics.load().names}
    asked = {q.required[0].lower() for q in evaluate.read(QUESTIONS) if q.topic == "name"}
    assert not trained & asked


def test_a_name_is_answered_as_it_was_said(lists: topics.Lists) -> None:
    conversations = Conversations(Questions(lists, held_out=HeldOut(())))
    rng = random.Random(3)
    told = lists.frames["name_known"]
    seen = 0
    for _ in range(400):
        talk = conversations.draw(rng)
        for exchange in talk.exchanges:
            for pattern in told:
                start, end = pattern.split("{name}")
                if exchange.answer.startswith(start) and exchange.answer.endswith(end) and start:
                    name = exchange.answer[len(start) : len(exchange.answer) - len(end)]
                    assert any(name in e.question for e in talk.exchanges), (name, talk)
                    seen += 1
    assert seen > 20


def test_every_required_fact_stands_in_each_answer_of_its_topic(lists: topics.Lists) -> None:
    """A right answer can be right: the facts asked for are facts that were taught."""
    taught = {topic.name: topic.answers for topic in lists.topics}
    for entry in yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))["topics"]:
        for answer in taught[entry["topic"]]:
            assert any(fact in answer for fact in entry["required"]), (entry["topic"], answer)


def test_every_refusal_is_honest_about_the_starter_model(lists: topics.Lists) -> None:
    for answer in lists.off_topic.answers:
        assert "starter model" in answer
        assert any(word in answer for word in evaluate.REFUSES)


def test_clinc_is_read_where_it_is_given(tmp_path: Path) -> None:
    file = tmp_path / "data_full.json"
    file.write_text(
        '{"train": [["book a flight", "book_flight"], ["who made you", "who_made_you"]], "oos": [["hum", "oos"]]}',
        encoding="utf-8",
    )
    assert topics.load(clinc=file).everyday == ("book a flight", "hum")
