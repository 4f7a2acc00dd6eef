"""What is kept of a verdict: everything that led to it, and of the text no more than somebody may need to see."""

from __future__ import annotations

import hashlib
import threading

import pytest

from bot.metrics import Metrics
from bot.record import KEPT_CHARS, Passed, Record, digest, judged, judged_beside
from moderation import Finding, Scores, Verdict

SCORES = Scores({"violence": 0.91234, "overall": 0.95}, "en", "mini-1", (1.0,))
VIOLENT = Finding("classifier", "review", "violence", "about it", None, score=0.91234, threshold=0.85)
EMAIL = Finding("pii", "redact", "pii", "an e-mail", (3, 10), "[EMAIL_1]")


def verdict(action: str, *findings: Finding, text: str = "") -> Verdict:
    return Verdict(action, findings, text, "p1", SCORES)  # type: ignore[arg-type]


def test_scores_thresholds_and_the_hash_of_the_text_as_it_was_judged_are_kept() -> None:
    row = judged(verdict("review", VIOLENT), "original", direction="input", keeps_text=True)
    assert row.text_hash == hashlib.sha256(b"original").hexdigest()
    assert row.findings == (
        {
            "check": "classifier",
            "category": "violence",
            "action": "review",
            "score": 0.9123,
            "threshold": 0.85,
            "span": None,
        },
    )
    assert (row.scores, row.language, row.model) == ({"violence": 0.9123, "overall": 0.95}, "en", "mini-1")
    assert (row.policy, row.action, row.text, row.waits) == ("p1", "review", "original", True)


def test_what_was_allowed_is_kept_without_its_text() -> None:
    row = judged(verdict("allow"), "hello", direction="input", keeps_text=True)
    assert (row.text, row.waits) == (None, False)
    assert row.text_hash == digest("hello")


@pytest.mark.parametrize(("keeps_text", "asks"), [(False, True), (True, False)])
def test_where_no_text_is_kept_nobody_is_asked(keeps_text: bool, asks: bool) -> None:
    row = judged(verdict("block", VIOLENT), "oh", direction="input", keeps_text=keeps_text, asks=asks)
    assert (row.action, row.text, row.waits) == ("block", None, False)


def test_personal_data_is_nothing_to_ask_about_and_never_part_of_what_is_kept() -> None:
    told = "hi ann@a.b"
    row = judged(verdict("redact", EMAIL), told, direction="input", keeps_text=True)
    assert (row.text, row.waits) == (None, False)
    both = judged(verdict("redact", EMAIL, VIOLENT), told, direction="input", keeps_text=True)
    assert (both.text, both.waits) == ("hi [EMAIL_1]", True)
    blocked = Finding("pii", "block", "secret", "", (3, 10))
    row = judged(verdict("block", blocked, VIOLENT), told, direction="input", keeps_text=True)
    assert row.text == "hi [removed]"


def test_what_a_rule_stopped_before_anybody_looked_for_personal_data_is_kept_without_it() -> None:
    rule = Finding("rules/bomb", "block", "illicit/violent", "asks how", (0, 5))
    row = judged(verdict("block", rule), "bombs for ann@example.com", direction="input", keeps_text=True)
    assert (row.text, row.waits) == ("bombs for [removed]", True)


async def test_a_long_text_is_made_ready_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def find(text: str) -> tuple[()]:
        threads.append(threading.current_thread().name)
        return ()

    monkeypatch.setattr("bot.record.find", find)
    for text in ("short", "long " * 1_000):
        await judged_beside(verdict("block", VIOLENT), text, direction="input", keeps_text=True)
    assert [name == threading.main_thread().name for name in threads] == [True, False]


@pytest.mark.parametrize("category", ["length", "failed"])
def test_what_is_too_long_or_was_not_judged_waits_for_nobody(category: str) -> None:
    finding = Finding("check", "review", category)
    assert not judged(verdict("review", finding), "x", direction="output", keeps_text=True).waits


def test_a_book_is_not_kept_whole() -> None:
    row = judged(verdict("review", VIOLENT), "x" * 100_000, direction="input", keeps_text=True)
    assert row.text == "x" * KEPT_CHARS


def test_what_passed_adds_up_to_one_row_with_the_highest_scores() -> None:
    passed = Passed()
    assert passed.rows() == ()
    for text, violence in (("One. ", 0.1), ("Two. ", 0.3), ("Three.", 0.2)):
        passed.add(Verdict("allow", (), text, "p1", Scores({"violence": violence}, "en", "mini-1")), text)
    (row,) = passed.rows()
    assert (row.action, row.scores, row.language, row.text, row.waits) == (
        "allow",
        {"violence": 0.3},
        "en",
        None,
        False,
    )
    assert row.text_hash == digest("One. Two. Three.")


def test_an_answer_is_counted_written_down_and_offered_help_once() -> None:
    metrics = Metrics()
    record = Record(metrics=metrics, channel="web", keeps_text=True)
    care = Finding("classifier", "review", "self-harm", notice={"en": "call"})
    record.hear(verdict("allow"), "fine ")
    record.hear(verdict("review", care), "hm ")
    record.hear(verdict("review", Finding("topic", "review", "topic/x", notice={"en": "other"})), "so ")
    assert [row.action for row in record.found()] == ["review", "review"]
    assert record.found() == ()
    record.hear(verdict("block", VIOLENT), "no")
    assert [row.action for row in record.end()] == ["block", "allow"]
    assert record.end() == ()
    assert record.help == {"en": "call"}
    sample = metrics.registry.get_sample_value
    labels = {"channel": "web", "direction": "output"}
    for action, category in (("allow", "none"), ("review", "self-harm"), ("review", "topic/x")):
        found = {**labels, "action": action, "category": category}
        assert sample("frontdesk_verdicts_total", found) == 1


def test_a_verdict_counts_under_each_category_that_decided_and_no_other() -> None:
    metrics = Metrics()
    hate = Finding("classifier", "block", "hate")
    unknown = Scores({}, "unsupported", "mini-1")
    metrics.judged(
        Verdict("block", (VIOLENT, hate, Finding("own", "block")), "", "p1", unknown),
        channel="api",
        direction="input",
    )
    sample = metrics.registry.get_sample_value
    labels = {"channel": "api", "direction": "input", "action": "block"}
    found = [
        sample("frontdesk_verdicts_total", {**labels, "category": c}) for c in ("hate", "own", "violence")
    ]
    assert found == [1, 1, None]
    assert sample("frontdesk_unsupported_language_total", {"channel": "api", "direction": "input"}) == 1


def test_a_judgement_that_failed_in_the_shadow_is_counted_as_a_failure() -> None:
    metrics = Metrics()
    record = Record(metrics=metrics, channel="web", keeps_text=True)
    record.hear(verdict("review", Finding("classifier", "review", "failed")), "hm")
    assert metrics.registry.get_sample_value("frontdesk_screen_failures_total") == 1


def test_what_is_found_again_in_the_next_window_asks_nobody_twice() -> None:
    record = Record(metrics=Metrics(), channel="web", keeps_text=True)
    worse = Finding("classifier", "block", "violence")
    for found in ((VIOLENT,), (VIOLENT,), (worse,)):
        record.hear(verdict(found[0].action, *found), "hm ")
    record.hear(verdict("allow"), "fine ")
    record.hear(verdict("review", VIOLENT), "again ")
    rows = [row for row in record.end() if row.action != "allow"]
    assert [(row.action, row.waits) for row in rows] == [
        ("review", True),
        ("review", False),
        ("block", True),
        ("review", True),
    ]
