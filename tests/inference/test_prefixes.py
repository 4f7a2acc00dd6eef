"""Which beginnings are kept ready, and that they stay few."""

from inference.prefixes import ASKED, LEARNED, LIMIT, SHORT, Prefixes

LONG = tuple(range(100, 140))
PROMPT = (*LONG, 1, 2, 3)


def test_a_beginning_is_kept_once_it_was_asked_for_twice():
    prefixes = Prefixes((), tokens=1000)
    assert [prefixes.of(PROMPT, 40) for _ in range(ASKED)] == [(), LONG]
    assert (len(prefixes), prefixes.tokens) == (1, 40)


def test_nobody_else_gets_it_while_its_states_are_computed():
    prefixes = Prefixes((), tokens=1000)
    assert [prefixes.of(PROMPT, 40) for _ in range(ASKED + 2)] == [(), LONG, (), ()]
    prefixes.computed(LONG, well=True)
    assert prefixes.of(PROMPT, 40) == LONG


def test_one_whose_first_row_came_to_nothing_is_forgotten():
    prefixes = Prefixes((), tokens=1000)
    for _ in range(ASKED):
        prefixes.of(PROMPT, 40)
    prefixes.computed(LONG, well=False)
    assert (len(prefixes), prefixes.of(PROMPT, 40)) == (0, ())


def test_one_given_at_the_start_is_ready_at_once():
    assert Prefixes([LONG], tokens=1000).of(PROMPT, 40) == LONG


def test_a_short_one_and_one_that_leaves_no_prompt_are_not_worth_it():
    prefixes = Prefixes([LONG], tokens=1000)
    assert prefixes.of(PROMPT, SHORT - 1) == ()
    assert prefixes.of((*LONG, 1), 40) == ()
    assert prefixes.of(PROMPT, 0) == ()


def test_clients_of_the_api_cannot_take_every_place():
    prefixes = Prefixes((), tokens=10_000)
    for number in range(LIMIT):
        for _ in range(ASKED):
            prefixes.of((number,) * 30, 20)
        prefixes.computed((number,) * 20, well=True)
    assert len(prefixes) == LEARNED


def test_what_is_kept_is_bounded_in_number_and_in_tokens():
    many = Prefixes(((number,) * 20 for number in range(LIMIT + 5)), tokens=10_000)
    assert len(many) == LIMIT
    large = Prefixes(((number,) * 20 for number in range(5)), tokens=50)
    assert (len(large), large.tokens) == (2, 40)


def test_a_stream_of_one_off_beginnings_is_forgotten():
    prefixes = Prefixes((), tokens=1_000_000)
    for number in range(5000):
        assert prefixes.of((number,) * 30, 20) == ()
    assert len(prefixes) == 0
    assert len(prefixes._asked) <= 256
