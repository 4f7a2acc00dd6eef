"""Which variant is recommended, and that the sentence says why: at the edges above all."""

import math

import pytest

from inference.bench.recommend import Candidate, percent, recommend


def candidate(variant, speed, *, drift=0.0, memory=400, disk=400, noise=0.01, fits=True):
    return Candidate(
        variant=variant,
        speed=speed,
        memory=memory * 10**6,
        disk=disk * 10**6,
        drift=drift,
        noise=noise,
        fits=fits,
    )


FLOAT32 = candidate("float32", 50, memory=800, disk=800)
INT8 = candidate("int8", 130, drift=0.004, memory=300, disk=200)


def test_the_fastest_below_the_limit_is_taken():
    choice = recommend([FLOAT32, INT8])
    assert choice.variant == "int8"
    assert choice.reason == "int8 is the fastest with a perplexity drift below 1 % (0.4 %)."


def test_what_is_faster_and_was_passed_over_is_named_with_the_reason():
    awq = candidate("awq", 160, drift=0.034)
    large = candidate("bfloat16", 170, fits=False)
    strange = candidate("float16", 180, drift=None)
    choice = recommend([FLOAT32, INT8, awq, large, strange])
    assert choice.variant == "int8"
    assert "float16 is faster, but its drift is unknown" in choice.reason
    assert "bfloat16 is faster, but leaves no room for conversations" in choice.reason
    assert "awq is faster, but drifts by 3.4 %." in choice.reason


@pytest.mark.parametrize(("drift", "taken"), [(0.01, "int8"), (0.0101, "float32"), (-0.02, "int8")])
def test_the_limit_itself_is_still_allowed_and_a_lower_perplexity_is_no_drift(drift, taken):
    assert recommend([FLOAT32, candidate("int8", 130, drift=drift)]).variant == taken


def test_of_equally_fast_ones_the_one_with_less_memory_is_taken():
    slower = candidate("int8_float16", 128, drift=0.004, memory=250)
    choice = recommend([FLOAT32, INT8, slower])
    assert choice.variant == "int8_float16"
    assert "as fast as int8 within the noise of this machine and takes less memory (250 MB)" in choice.reason


def test_with_about_the_same_memory_less_disk_decides():
    choice = recommend(
        [candidate("float32", 100, memory=300, disk=600), candidate("float16", 99, memory=301, disk=300)]
    )
    assert choice.variant == "float16"
    assert "takes less room (301 MB of memory, 300 MB on disk)" in choice.reason


@pytest.mark.parametrize(("noise", "taken"), [(0.01, "int8"), (0.2, "int8_float16"), (None, "int8")])
def test_a_noisy_machine_makes_more_of_them_equal(noise, taken):
    near = candidate("int8_float16", 110, drift=0.004, memory=200, noise=noise)
    assert recommend([FLOAT32, INT8, near]).variant == taken


def test_one_variant_alone_is_taken_and_said_to_be_alone():
    choice = recommend([INT8])
    assert (choice.variant, "only variant" in choice.reason) == ("int8", True)


def test_one_variant_alone_that_drifts_too_far_is_taken_with_a_warning():
    choice = recommend([candidate("int8", 130, drift=0.2)])
    assert choice.variant == "int8"
    assert "its perplexity drift of 20 % is more than 1 %" in choice.reason


def test_where_no_drift_is_known_the_fastest_is_taken_and_the_doubt_said():
    choice = recommend([candidate("int8", 130, drift=None), candidate("awq", 160, drift=None)])
    assert choice.variant == "awq"
    assert "perplexity drift is unknown" in choice.reason


def test_a_known_drift_is_preferred_to_an_unknown_one():
    assert (
        recommend([candidate("awq", 160, drift=None), candidate("int8", 130, drift=0.02)]).variant == "int8"
    )


def test_where_all_drift_too_far_the_nearest_is_taken_not_the_fastest():
    choice = recommend([candidate("awq", 160, drift=0.08), candidate("int8", 130, drift=0.02)])
    assert choice.variant == "int8"
    assert (
        choice.reason == "No variant that fits has a perplexity drift below 1 %; int8's is the least (2 %)."
    )


def test_where_nothing_fits_the_smallest_is_taken_and_the_trouble_said():
    choice = recommend([candidate("float32", 50, fits=False), candidate("int8", 130, memory=300, fits=False)])
    assert choice.variant == "int8"
    assert "No variant leaves room for conversations on this machine" in choice.reason
    assert "(300 MB)" in choice.reason


def test_what_does_not_fit_is_never_preferred_to_what_does():
    assert recommend([candidate("float32", 50), candidate("int8", 130, fits=False)]).variant == "float32"


def test_where_nobody_could_tell_whether_it_fits_the_sentence_says_so():
    assert "could not be told" in recommend([candidate("int8", 130, fits=None), FLOAT32]).reason


@pytest.mark.parametrize("drift", [math.nan, math.inf])
def test_figures_that_are_no_numbers_are_never_recommended(drift):
    broken = candidate("float16", 500, drift=drift)
    assert recommend([broken]) is None
    assert recommend([FLOAT32, broken]).variant == "float32"
    assert recommend([broken, candidate("int8", 130, drift=None)]).variant == "int8"


def test_of_nothing_nothing_is_recommended():
    assert recommend([]) is None


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0 %"),
        (0.01, "1 %"),
        (0.00123, "0.12 %"),
        (-0.004, "-0.4 %"),
        (0.253, "25.3 %"),
        (1e9, "more than 1000 %"),
    ],
)
def test_percents_are_written_without_idle_zeros(share, said):
    assert percent(share) == said
