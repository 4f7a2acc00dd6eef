"""The ledger itself sees what it is there to see."""

from __future__ import annotations

import pytest

from tests.fire.ledger import Account, Ledger


def told(*events: tuple[str, dict]) -> Ledger:
    """A conversation in which message 1 was acknowledged, and these events were told after it."""
    account = Account("ann")
    account.acknowledge("k", 1, duplicate=False)
    first = ("said", {"message": 1, "author": "person", "html": "Hi", "state": "queued", "reply_to": None})
    for number, (kind, data) in enumerate((first, *events), start=1):
        account.story.hear(number, kind, data)
    return Ledger([account])


def begun(message: int, author: str = "model", state: str = "answering") -> tuple[str, dict]:
    return "said", {"message": message, "author": author, "html": "", "state": state, "reply_to": 1}


def ended(message: int, state: str = "done") -> tuple[str, dict]:
    return "ended", {"message": message, "state": state, "from": 0, "blocks": ["<p>Hello</p>"]}


def test_an_answer_and_a_refusal_with_a_notice_are_in_order():
    assert told(begun(2), ended(2), ended(1)).problems() == []
    assert told(begun(2, "house", "done"), ended(1, "refused")).problems() == []


@pytest.mark.parametrize(
    ("events", "seen"),
    [
        ((), "with 0 answers and 0 notices"),
        ((begun(2), ended(2, "failed"), ended(1, "failed")), "with 0 answers and 0 notices"),
        ((begun(2), ended(2), begun(3), ended(3), ended(1)), "has 2 answers"),
        ((begun(2), ended(2), ended(1), ended(2)), "went on though it had ended"),
        ((begun(2), begun(2), ended(2), ended(1)), "began twice"),
        ((begun(2), begun(3), ended(3), ended(2), ended(1)), "while another was under way"),
        ((begun(2), ended(2), ended(1), ("cleared", {})), "was cleared"),
    ],
)
def test_what_is_against_the_rules_is_named(events: tuple, seen: str):
    assert any(seen in problem for problem in told(*events).problems())


def test_a_message_that_nobody_was_told_of_and_one_that_is_nowhere_are_named():
    ledger = told(begun(2), ended(2), ended(1))
    ledger.accounts[0].acknowledge("other", 7, duplicate=False)
    ledger.accounts[0].acknowledge("k", 8, duplicate=True)
    assert "ann: message 7 was lost" in ledger.problems()
    assert "ann: key k is message 1 and message 8" in ledger.problems()


def test_an_event_that_comes_again_is_named():
    ledger = told(begun(2), ended(2), ended(1))
    ledger.accounts[0].story.hear(2, *begun(9))
    assert "ann: event 2 came after 4" in ledger.problems()
