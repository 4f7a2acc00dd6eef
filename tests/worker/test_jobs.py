"""What crosses the wire comes out as it went in, and nothing else is let in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worker.jobs import (
    AnswerJob,
    Ended,
    Event,
    Failed,
    JobMalformed,
    Piece,
    Progress,
    Result,
    Vector,
    decode_event,
    encode_event,
)

JOB = AnswerJob(
    id="a",
    attempt=2,
    model="starter",
    prompt=(1, 2),
    max_tokens=9,
    stop=("\n\n", "“终”"),
    emitted=(3,),
    shown=4,
    prefix=1,
    bulk=True,
    deadline=1.5,
    reply_to="r",
    correlation="c",
)


def changed(**fields: Any) -> str:
    return json.dumps({**json.loads(JOB.encode()), **fields})


def test_a_job_survives_the_wire() -> None:
    assert AnswerJob.decode(JOB.encode()) == JOB


@pytest.mark.parametrize(
    "event",
    [
        Piece("a", 1, 3, (1, 2), "né\u2028"),
        Ended("a", 1, "stop", 3, 4, 5),
        Failed("a", 1, "engine", "no"),
        Progress("a", 1, 0.5, "half"),
        Vector("a", 1, 0, (0.5, -1.0)),
        Result("a", 1, {"any": [1, None]}),
    ],
)
def test_an_event_survives_the_wire(event: Event) -> None:
    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        (changed(kind="poem"), "no answer job"),
        (changed(version=1), "version 2"),
        (changed(version=True), "version 2"),
        (changed(prompt="1 2"), "prompt"),
        (changed(prompt=[1, True]), "prompt"),
        (changed(attempt="2"), "attempt"),
        (changed(stop=[1]), "stop"),
        (changed(bulk=1), "bulk"),
        (changed(prefix=None), "prefix"),
        (changed(seed=1), "seed"),
        (json.dumps({"kind": "answer", "version": 2, "id": "a"}), "missing"),
    ],
)
def test_what_is_no_job_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(JobMalformed, match=why):
        AnswerJob.decode(text)


def test_the_sender_of_an_unreadable_job_can_be_told() -> None:
    with pytest.raises(JobMalformed) as malformed:
        AnswerJob.decode(changed(version=7))
    assert (malformed.value.job, malformed.value.attempt, malformed.value.reply_to) == ("a", 2, "r")


@pytest.mark.parametrize(
    "text", ["", "{}", '{"kind": "piece", "version": 9}', '{"kind": "ended", "version": 1}']
)
def test_what_is_no_event_is_refused(text: str) -> None:
    with pytest.raises(JobMalformed):
        decode_event(text)
