"""The picture: what is drawn where, a PNG that shows something, and letters that fit a terminal."""

import io
import sys
from itertools import pairwise

import pytest
from PIL import Image
from rich.console import Console

from inference.bench import picture
from inference.bench.sketch import PLAIN, Sketch
from tests.inference.readings import drifted, reading, report

FOUR = {
    "float32": [reading(50)] * 3,
    "int8": [reading(130, loss=drifted(0.004))] * 3,
    "int8_float16": [reading(120, loss=drifted(0.0042))] * 3,
    "awq": [reading(160, loss=drifted(0.034))] * 3,
}


@pytest.fixture
def four(tmp_path):
    return report(tmp_path, FOUR)


def drawn(text_of, width=80, **options):
    file = io.StringIO()
    Console(file=file, width=width, **options).print(text_of)
    return file.getvalue().splitlines()


def test_speed_stands_against_drift_and_the_choice_is_marked(four):
    chart = picture.chart(four)
    assert {point.label: point.chosen for point in chart.points} == {
        "float32": False,
        "int8_float16": False,
        "int8": True,
        "awq": False,
    }
    places = {point.label: (chart.x.place(point.x), chart.y.place(point.y)) for point in chart.points}
    assert places["float32"][0] == 0
    assert 0 < places["int8"][0] < chart.x.place(chart.limit) < places["awq"][0] < 1
    assert places["float32"][1] < places["int8"][1] < places["awq"][1] <= 1


def test_a_lower_perplexity_is_drawn_where_no_drift_is(tmp_path):
    better = report(tmp_path, FOUR | {"int8": [reading(130, loss=drifted(-0.01))] * 3})
    chart = picture.chart(better)
    assert {chart.x.place(point.x) for point in chart.points if point.label in ("float32", "int8")} == {0}


def test_what_has_lost_its_mind_is_drawn_at_the_end_and_leaves_the_others_apart(tmp_path):
    chart = picture.chart(report(tmp_path, FOUR | {"awq": [reading(160, loss=5000.0)] * 3}))
    places = {point.label: chart.x.place(point.x) for point in chart.points}
    assert places["awq"] == pytest.approx(1)
    assert 0.2 < places["int8"] < 0.5


def test_without_a_float_variant_speed_stands_against_memory(tmp_path):
    chart = picture.chart(report(tmp_path, {name: FOUR[name] for name in ("int8", "awq")}))
    assert chart.x.name == "memory at its peak, MB"
    assert chart.limit is None
    assert all(0 < chart.x.place(point.x) <= 1 for point in chart.points)


def test_a_variant_of_unknown_drift_is_named_below(tmp_path):
    chart = picture.chart(report(tmp_path, FOUR | {"awq": [reading(160, loss=None)] * 3}))
    assert "awq" not in [point.label for point in chart.points]
    assert "drift unknown: awq" in chart.below


def test_speeds_far_apart_share_a_logarithmic_axis(tmp_path):
    far = report(tmp_path, {"float32": [reading(2)] * 3, "int8": [reading(150)] * 3})
    axis = picture.chart(far).y
    assert (axis.low, axis.high) == (1, 1000)
    assert [axis.place(speed) for speed in (1, 10, 100, 1000)] == pytest.approx([0, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("speed", [0.004, 0.9, 7, 99.5, 100, 4321, 98765])
def test_a_linear_axis_begins_at_nothing_and_ends_at_a_round_figure(tmp_path, speed):
    axis = picture.chart(report(tmp_path, {"float32": [reading(speed)] * 3})).y
    values = [value for value, _ in axis.ticks]
    assert values[0] == 0
    assert values[-2] < speed <= values[-1] * 1.000001
    assert 3 <= len(values) <= 6
    assert all(after - before == pytest.approx(values[1]) for before, after in pairwise(values))


def test_nothing_measured_is_nothing_drawn(tmp_path):
    broken = report(tmp_path, {"int8": [reading(error="It is broken.")]})
    with pytest.raises(picture.CannotDraw, match="No variant was measured"):
        picture.chart(broken)


def test_the_png_is_an_image_of_the_promised_size_that_shows_the_chosen_one(four, tmp_path):
    file = tmp_path / "picture.png"
    picture.save(four, file)
    with Image.open(file) as image:
        image.load()  # every check sum is looked at
        assert (image.format, image.size) == ("PNG", (picture.WIDTH, picture.HEIGHT))
        counts = {colour: count for count, colour in image.convert("RGB").getcolors(maxcolors=1 << 24)}
    assert max(counts, key=counts.get) == (255, 255, 255)  # a light ground
    assert counts[tuple(bytes.fromhex(picture.CHOSEN[1:]))] > 500
    assert 0.01 < 1 - counts[255, 255, 255] / sum(counts.values()) < 0.3


def test_without_matplotlib_a_sentence_says_how_to_get_it(four, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(picture.CannotDraw, match=r"frontdesk\[train\]"):
        picture.save(four, tmp_path / "picture.png")


def test_the_sketch_fits_eighty_columns_and_names_every_variant(four):
    lines = drawn(Sketch(picture.chart(four)))
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 20
    assert all(any(name in line for line in lines) for name in FOUR)
    assert any("★" in line and "int8" in line for line in lines)
    assert "\x1b" not in "".join(lines)


def test_the_sketch_is_coloured_where_the_terminal_is(four):
    lines = drawn(Sketch(picture.chart(four)), force_terminal=True, color_system="standard")
    assert any("\x1b[1;32m★" in line for line in lines)


def test_the_sketch_needs_ascii_only_where_there_is_no_more(four):
    lines = [line.plain for line in Sketch(picture.chart(four)).lines(width=80, letters=PLAIN)]
    assert "\n".join(lines).isascii()
    assert any("* int8" in line or "int8 *" in line for line in lines)


def test_variants_on_one_spot_share_a_label(tmp_path):
    same = report(tmp_path, {"float32": FOUR["float32"], "int8": FOUR["int8"], "int8_float16": FOUR["int8"]})
    lines = drawn(Sketch(picture.chart(same)))
    assert sum("int8" in line for line in lines) == 1
    assert any("int8, int8_float16" in line or "int8_float16, int8" in line for line in lines)


def test_crowded_labels_hide_neither_each_other_nor_a_dot(tmp_path):
    names = ("float32", "bfloat16", "float16", "int8_float32", "int8_bfloat16", "int8_float16", "int8", "awq")
    crowd = report(
        tmp_path,
        {name: [reading(100 + i, loss=drifted(0.004 + i / 5000))] * 3 for i, name in enumerate(names)},
    )
    lines = drawn(Sketch(picture.chart(crowd)))
    assert max(map(len, lines)) <= 80
    assert sum(line.count("●") + line.count("★") for line in lines) == len(
        {(point.x, point.y) for point in picture.chart(crowd).points}
    )
