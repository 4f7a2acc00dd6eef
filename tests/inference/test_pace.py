"""What an engine learns about its own speed."""

import pytest

from inference.pace import Pace


def paced(*steps: tuple[int, float]) -> Pace:
    pace = Pace()
    for rows, seconds in steps:
        pace.on_step(rows=rows, seconds=seconds)
    return pace


def test_nothing_is_known_before_anything_was_measured():
    pace = Pace()
    assert (pace.step(4), pace.prompt_token, pace.speed) == (0, 0, 0)


def test_a_step_of_more_rows_than_were_seen_is_extrapolated():
    pace = paced(*[(rows, 0.030 + 0.005 * rows) for rows in (1, 2, 4, 1, 2, 4)])
    assert pace.step(16) == pytest.approx(0.110, rel=0.02)


def test_one_size_alone_tells_nothing_of_others():
    assert paced((4, 0.05), (4, 0.05)).step(16) == pytest.approx(0.05)


def test_noise_never_makes_more_rows_faster_or_a_step_free():
    pace = paced((1, 0.5), (8, 0.01), (1, 0.5), (8, 0.01))
    assert pace.step(1) == pace.step(16) > 0


def test_a_machine_that_slows_down_is_noticed():
    pace = paced(*[(1, 0.01)] * 1000, *[(1, 0.1)] * 5000)
    assert pace.step(1) == pytest.approx(0.1, rel=0.05)


def test_reading_is_timed_by_the_token():
    pace = Pace()
    pace.on_prefill(tokens=200, seconds=1.0)
    assert pace.prompt_token == pytest.approx(0.005)


def test_a_busy_engines_speed_is_measured_and_an_idle_ones_only_shows_what_it_can_at_least():
    pace = Pace()
    pace.on_second(tokens_per_second=40.0, saturated=False)
    pace.on_second(tokens_per_second=10.0, saturated=False)
    assert pace.speed == 40.0
    for _ in range(50):
        pace.on_second(tokens_per_second=80.0, saturated=True)
    assert pace.speed == pytest.approx(80.0, rel=0.01)
