"""Who is decoded together: order, options, lengths and room, without a model."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.cohorts import BULK_LATER, Line, Room, Window
from inference.request import Finish, Request, Sampling
from inference.row import Row, key_of

WIDE = Window(longer=1000, shorter=1000, forced=1000)
NARROW = Window(longer=4, shorter=2, forced=8)
EMPTY = Room(rows=100, tokens=1_000_000, resting=True, reads=lambda rows, tokens: True)


def row(
    name: str,
    *,
    length: int = 10,
    arrived: float = 0.0,
    emitted: int = 0,
    budget: int = 20,
    prefix: int = 0,
    bulk: bool = False,
    **sampling: float,
) -> Row:
    request = Request(
        id=name,
        prompt=tuple(range(length)),
        sampling=Sampling(max_tokens=100, **sampling),
        emitted=tuple(range(emitted)),
        bulk=bulk,
    )
    key = key_of(request, budget=budget, ends=(1,), prefix=request.prompt[:prefix])
    return Row(
        request,
        lambda _: None,
        lambda _: None,
        budget=budget,
        key=key,
        arrived=arrived,
        resumed=request.emitted,
    )


def line(*rows: Row) -> Line:
    line = Line()
    for one in rows:
        line.add(one)
    return line


def names(line: Line, *, window: Window = WIDE, room: Room = EMPTY) -> list[str]:
    cohort = line.take(window=window, room=room)
    return [row.request.id for row in cohort.rows] if cohort else []


def test_nobody_waiting_makes_no_cohort():
    assert line().take(window=WIDE, room=EMPTY) is None


def test_those_that_fit_are_taken_in_order_of_arrival_and_leave_the_line():
    waiting = line(row("b", arrived=2), row("a", arrived=1), row("c", arrived=3, temperature=0.7))
    assert names(waiting) == ["a", "b"]
    assert names(waiting) == ["c"]
    assert len(waiting) == 0


def test_options_that_round_to_the_same_share_a_cohort():
    waiting = line(
        row("a", temperature=0.7, top_p=0.9, top_k=40),
        row("b", temperature=0.68, top_p=0.91, top_k=64),
        row("c", temperature=0.7, top_p=0.5),
    )
    assert names(waiting) == ["a", "b"]


def test_a_longer_prompt_joins_within_the_window_and_a_shorter_one_within_its_own():
    rows = [row("first", length=100), row("long", length=104), row("longer", length=105)]
    rows += [row("short", length=98), row("shorter", length=97)]
    assert names(line(*rows), window=NARROW) == ["first", "long", "short"]


def test_the_cohort_reads_its_shortest_prompt_at_once_and_knows_its_spread():
    cohort = line(row("a", length=100), row("b", length=103)).take(window=NARROW, room=EMPTY)
    assert cohort is not None
    assert (cohort.base, cohort.spread, cohort.companion) == (100, 3, None)


def test_a_resumed_row_is_read_as_far_as_its_prompt_beside_a_companion():
    cohort = line(row("a", length=10, emitted=5)).take(window=NARROW, room=EMPTY)
    assert cohort is not None
    assert (cohort.base, cohort.companion) == (10, tuple(range(10)))


def test_a_row_that_is_as_short_makes_the_companion_needless():
    cohort = line(row("a", length=10, emitted=5), row("b", length=10)).take(window=NARROW, room=EMPTY)
    assert cohort is not None
    assert (len(cohort.rows), cohort.base, cohort.companion) == (2, 10, None)


def test_what_takes_too_long_to_feed_by_steps_is_read_anew():
    cohort = line(row("a", length=10, emitted=9)).take(window=NARROW, room=EMPTY)
    assert cohort is not None
    assert (cohort.base, cohort.companion) == (19, None)


def test_a_prompt_of_one_token_is_decoded_alone():
    waiting = line(row("a", length=1), row("b", length=2), row("c", length=1))
    assert [names(waiting), names(waiting), names(waiting)] == [["a"], ["b"], ["c"]]


def test_a_repetition_penalty_needs_prompts_of_one_length():
    penalised = {"repetition_penalty": 1.2}
    rows = [row("a", **penalised), row("b", length=11, **penalised), row("c", **penalised)]
    rows.append(row("d", emitted=2, **penalised))
    waiting = line(*rows)
    assert [names(waiting), names(waiting), names(waiting)] == [["a", "c"], ["b"], ["d"]]


def test_rows_of_another_prefix_are_not_mixed_in():
    waiting = line(row("a", length=30, prefix=20), row("b", length=30), row("c", length=31, prefix=20))
    assert names(waiting) == ["a", "c"]


def test_people_go_before_bulk_and_bulk_never_starves():
    waiting = line(row("bulk", bulk=True, arrived=0), row("now", arrived=5, temperature=1.0))
    assert names(waiting) == ["now"]
    old = line(row("bulk", bulk=True, arrived=0), row("now", arrived=BULK_LATER + 1, temperature=1.0))
    assert names(old) == ["bulk"]


def test_a_cancelled_row_is_passed_over():
    gone = row("gone")
    gone.cancelled = True
    assert names(line(gone, row("a"))) == ["a"]


def test_no_more_rows_and_tokens_are_taken_than_there_is_room_for():
    rows = [row(str(number), length=10, budget=20, arrived=number) for number in range(5)]
    assert names(line(*rows), room=dataclasses.replace(EMPTY, rows=3)) == ["0", "1", "2"]
    assert names(line(*rows), room=dataclasses.replace(EMPTY, tokens=61)) == ["0", "1"]
    assert names(line(*rows), room=dataclasses.replace(EMPTY, reads=lambda n, tokens: n * tokens <= 20)) == [
        "0",
        "1",
    ]


def test_nobody_passes_a_first_row_that_finds_no_room():
    waiting = line(row("large", length=1000), row("small"))
    assert names(waiting, room=dataclasses.replace(EMPTY, tokens=100, resting=False)) == []
    assert names(waiting, room=dataclasses.replace(EMPTY, tokens=100)) == ["large"]  # alone, at rest


lengths = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 30), st.booleans()), min_size=1, max_size=40)


@given(lengths, st.integers(1, 9), st.integers(50, 5000), st.integers(0, 50), st.integers(0, 50))
def test_every_row_is_taken_once_and_no_cohort_breaks_its_bounds(rows, most, tokens, longer, shorter):
    waiting = line(
        *(
            row(str(number), length=length, emitted=emitted, bulk=bulk, arrived=number)
            for number, (length, emitted, bulk) in enumerate(rows)
        )
    )
    window = Window(longer=longer, shorter=shorter, forced=10)
    room = Room(rows=most, tokens=tokens, resting=True, reads=lambda n, tokens: True)
    taken: list[str] = []
    while len(waiting):
        first = next(iter(waiting))
        cohort = waiting.take(window=window, room=room)
        assert cohort is not None
        assert cohort.rows[0] is first
        assert len(cohort.rows) <= most
        assert len(cohort.rows) == 1 or sum(one.size for one in cohort.rows) <= tokens
        assert cohort.base >= 2 or len(cohort.rows) == 1
        assert all(one.prompt - cohort.base <= longer + shorter for one in cohort.rows)
        taken += [one.request.id for one in cohort.rows]
    assert sorted(taken) == sorted(str(number) for number in range(len(rows)))


@pytest.mark.parametrize("ends", [(), (3, 5)])
def test_an_interrupted_row_resumes_from_all_it_has_made(ends):
    one = row("a", length=10, emitted=2, budget=20)
    one.made = [7, 8, 9, *ends]
    one.interrupt()
    assert one.resumed == (0, 1, 7, 8, 9, *ends)
    assert one.budget == 17 - len(ends)
    assert one.length == 15 + len(ends)


def test_only_the_first_end_of_a_row_counts():
    one = row("a")
    assert one.end(Finish("stop"))
    assert not one.end(Finish("cancelled"))
    assert one.finish == Finish("stop")
