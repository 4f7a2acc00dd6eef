"""From the engine's ids to pieces and an end, without an engine."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inference.request import Finish
from worker.jobs import Ended, Failed, Piece
from worker.telling import HANDED_BACK, Live, Telling

if TYPE_CHECKING:
    from tests.worker.conftest import JobMaker, Model


def telling(model: Model, job: JobMaker, hurries: list[bool], **fields: object) -> Telling:
    return Telling(job(**fields), model.chat.tokenizer, wake=hurries.append)


def ids(model: Model, text: str) -> list[int]:
    found: list[int] = model.chat.tokenizer.encode(text).ids
    return found


def test_only_the_first_text_is_in_a_hurry(model: Model, job: JobMaker) -> None:
    hurries: list[bool] = []
    told = telling(model, job, hurries)
    first, second, *_ = ids(model, " the old garden")
    told.on_token(first)
    (piece,) = told.drain()
    told.on_token(second)
    assert hurries == [True, False]
    assert isinstance(piece, Piece)
    assert (piece.index, piece.ids, piece.text) == (0, (first,), " the")
    assert told.drain() == [Piece(piece.job, 1, 1, (second,), " old")]
    assert told.drain() == []


def test_half_a_character_is_held_and_its_ids_are_told(model: Model, job: JobMaker) -> None:
    told = telling(model, job, [])
    halves = ids(model, "é")
    assert len(halves) == 2
    told.on_token(halves[0])
    (first,) = told.drain()
    told.on_token(halves[1])
    (second,) = told.drain()
    assert isinstance(first, Piece)
    assert isinstance(second, Piece)
    assert (first.text, second.text) == ("", "é")
    assert (first.ids, second.ids) == ((halves[0],), (halves[1],))


def test_the_end_counts_what_was_emitted_before_a_resume(model: Model, job: JobMaker) -> None:
    told = telling(model, job, [], emitted=(5, 6, 7), shown=2)
    told.on_token(8)
    told.on_finish(Finish("length"))
    *_, ended = told.drain()
    assert isinstance(ended, Ended)
    assert (ended.reason, ended.completion_tokens) == ("length", 4)
    assert told.done.is_set()
    assert told.drain() == []


def test_text_left_over_from_an_earlier_attempt_comes_with_the_first_new_token(
    model: Model, job: JobMaker
) -> None:
    emitted = ids(model, " the old garden")
    told = telling(model, job, [], emitted=tuple(emitted), shown=len(" the"))
    assert told.drain() == []
    (token, *_) = ids(model, " near")
    told.on_token(token)
    (piece,) = told.drain()
    assert isinstance(piece, Piece)
    assert (piece.index, piece.ids) == (len(emitted), (token,))
    assert piece.text.startswith(" old garden n")


def test_half_a_character_shown_at_the_end_is_not_shown_again(model: Model, job: JobMaker) -> None:
    half = ids(model, "é")[0]
    told = telling(model, job, [])
    told.on_token(half)
    told.on_finish(Finish("length"))
    piece, _ = told.drain()
    assert isinstance(piece, Piece)
    assert piece.text == "\ufffd"
    again = telling(model, job, [], emitted=(half,), shown=1)
    again.on_finish(Finish("length"))
    (ended,) = again.drain()
    assert isinstance(ended, Ended)


def test_tokens_after_a_stop_string_are_not_told(model: Model, job: JobMaker) -> None:
    told = telling(model, job, [], stop=(" old",))
    for token in ids(model, " the old garden"):
        told.on_token(token)
    piece, ended = told.drain()
    assert isinstance(piece, Piece)
    assert isinstance(ended, Ended)
    assert (piece.text, ended.reason, ended.completion_tokens) == (" the", "stop", 2)
    assert told.over


@pytest.mark.parametrize(
    ("prepare", "code"),
    [("handed_back", HANDED_BACK), ("superseded", "superseded"), ("", "engine")],
)
def test_an_end_that_is_none_is_told_as_a_failure(
    model: Model, job: JobMaker, prepare: str, code: str
) -> None:
    told = telling(model, job, [])
    if prepare:
        setattr(told, prepare, True)
    told.on_finish(Finish("cancelled") if prepare else Finish("error", "secret: out of memory at 0x1"))
    (failed,) = told.drain()
    assert isinstance(failed, Failed)
    assert failed.code == code
    assert "secret" not in failed.message


def test_a_wrong_option_is_a_value_error_and_the_deadline_is_turned_into_our_clock(
    model: Model, job: JobMaker
) -> None:
    told = telling(model, job, [], deadline=time.time() + 5)
    deadline = told.request().deadline
    assert deadline is not None
    assert 4 < deadline - time.monotonic() <= 5
    with pytest.raises(ValueError, match="top_p"):
        telling(model, job, [], top_p=2.0).request()


def test_stopping_reaches_only_the_lower_attempts_of_one_job(model: Model, job: JobMaker) -> None:
    cancelled: list[str] = []
    live = Live(cancel=cancelled.append)
    asked = job(id="a", attempt=1)
    for one in (asked, replace(asked, attempt=2), replace(asked, id="b")):
        assert live.add(Telling(one, model.chat.tokenizer, wake=lambda _: None))
    assert not live.add(Telling(asked, model.chat.tokenizer, wake=lambda _: None)), "it is carried already"
    live.stop("a", below=2)
    assert cancelled == ["a:1"]
    assert live.hand_back() == 3
    late = Telling(replace(asked, id="c"), model.chat.tokenizer, wake=lambda _: None)
    assert live.add(late)
    assert late.handed_back
