"""From readings to figures: medians, ratios, drift, and what is kept of them. No model, no clock, no process."""

import json
from dataclasses import asdict, replace

import pytest

from inference import bench
from tests.inference.readings import MACHINE, PLAN, a_manifest, drifted, model, reading, report


def test_figures_are_medians_over_the_rounds_and_memory_the_most_that_was_seen(tmp_path):
    rounds = [reading(100, memory=10, load_seconds=3), reading(300, memory=30), reading(200, memory=20)]
    figures = report(tmp_path, {"float32": rounds}).variants[0]
    assert figures.per_second == {"1": 50, "8": 200}
    assert figures.first_token["128"] == {"tokens": 128, "seconds": 0.064}
    assert (figures.memory, figures.load_seconds) == (30, 0.5)


def test_ratios_are_taken_within_a_round_so_that_a_slow_hour_takes_no_side(tmp_path):
    slow_hour = {
        "float32": [reading(100), reading(10), reading(50)],
        "int8": [reading(200), reading(20), reading(150)],
    }
    float32, int8 = report(tmp_path, slow_hour).variants
    assert float32.ratio == {"1": 1, "8": 1}
    assert int8.ratio == {"1": 2, "8": 2}
    assert int8.noise == pytest.approx((3 - 2) / 2 / 2)
    assert float32.noise == pytest.approx((100 - 10) / 2 / 50)


def test_a_single_round_has_no_noise_and_says_so(tmp_path):
    made = report(tmp_path, {"float32": [reading(100)]})
    assert made.variants[0].noise is None
    assert "Noise: unknown after a single round." in made.notes


def test_the_best_float_variant_comes_first_whatever_the_order_of_the_shelf(tmp_path):
    made = report(tmp_path, {name: [reading(100)] for name in ("awq", "int8", "float16", "float32")})
    assert [each.variant for each in made.variants] == ["float32", "float16", "int8", "awq"]
    assert (made.against, made.drift_from) == ("float32", "float32")


def test_drift_is_the_share_by_which_perplexity_is_higher(tmp_path):
    made = report(tmp_path, {"float16": [reading()], "int8": [reading(loss=drifted(0.0123))]})
    assert made.drift_from == "float16"
    assert [each.drift for each in made.variants] == pytest.approx([0, 0.0123])
    assert [each.perplexity for each in made.variants] == pytest.approx([20, 20.246])


def test_a_text_that_is_stranger_than_a_guess_gives_no_drift_and_says_so(tmp_path):
    lost = {"float32": [reading(loss=5000.0)], "int8": [reading(loss=5010.0)]}
    made = report(tmp_path, lost)
    assert [each.drift for each in made.variants] == [None, None]
    assert [each.perplexity for each in made.variants] == [None, None]
    assert any("--text" in note for note in made.notes)


def test_a_variant_that_lost_its_mind_has_a_drift_that_is_still_a_number(tmp_path):
    made = report(tmp_path, {"float32": [reading()], "int8": [reading(loss=5000.0)]})
    assert made.variants[1].drift > 1e300
    assert made.choice.variant == "float32"
    json.dumps(made.to_json(), allow_nan=False)


def test_without_a_float_variant_the_parity_report_gives_the_drift(tmp_path):
    int8, awq = model("int8", folder=tmp_path), model("awq", folder=tmp_path)
    figures = {
        "perplexity drift of the weights": 0.002,
        "perplexity drift as served here": 0.004,
        "logits": 0.5,
    }
    checks = [{"name": name, "figure": figure} for name, figure in figures.items()]
    proved = replace(int8, manifest=a_manifest(parity={"checks": checks}))
    readings = {int8.name: [reading()], awq.name: [reading(150)]}
    made = bench.reported([proved, awq], readings, plan=PLAN, text="bundled", machine=MACHINE)
    assert [each.drift for each in made.variants] == [0.004, None]
    assert made.drift_from == "source"
    assert made.choice.variant == "int8"


@pytest.mark.parametrize(("passed", "drift"), [(True, 0.0), (False, None)])
def test_an_encoder_decoder_has_its_drift_from_the_gate_alone(tmp_path, passed, drift):
    made = model("float32", folder=tmp_path, kind="seq2seq")
    proved = replace(made, manifest=a_manifest(variant="float32", parity={"checks": [], "passed": passed}))
    readings = {made.name: [reading(loss=None)]}
    assert bench.reported([proved], readings, plan=PLAN, text="", machine=MACHINE).variants[0].drift == drift


def test_without_any_of_them_the_figures_are_absolute_and_the_report_says_so(tmp_path):
    made = report(tmp_path, {"int8": [reading()]})
    assert (made.variants[0].drift, made.variants[0].perplexity) == (None, pytest.approx(20))
    assert any("no float variant" in note for note in made.notes)


def test_classifiers_drift_by_probability_and_embedders_by_angle(tmp_path):
    def with_outputs(*rows):
        return [reading(loss=None, outputs=[list(row) for row in rows])]

    judged = {"float32": with_outputs((0.9, 0.1), (0.5, 0.5)), "int8": with_outputs((0.88, 0.12), (0.5, 0.5))}
    assert report(tmp_path, judged, kind="classifier").variants[1].drift == pytest.approx(0.01)
    turned = {"float32": with_outputs((1, 0), (2, 0)), "int8": with_outputs((1, 0), (0, 3))}
    assert report(tmp_path, turned, kind="embedder").variants[1].drift == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("variant", "runs_as", "said"),
    [
        ("int8_float16", "int8_float32", ["this device runs it as int8_float32"]),
        ("float16", "float32", ["this device runs it as float32"]),
        ("int8", "int8_float32", []),
        ("int8", "float32", ["this device runs it as float32"]),
        ("float32", "float32", []),
    ],
)
def test_what_a_device_runs_otherwise_is_said(tmp_path, variant, runs_as, said):
    assert report(tmp_path, {variant: [reading(runs_as=runs_as)]}).variants[0].notes == said


@pytest.mark.parametrize(("room", "fits"), [(8 * 2048, True), (8 * 2048 - 1, False), (None, None)])
def test_what_leaves_no_room_for_conversations_does_not_fit(tmp_path, room, fits):
    made = report(tmp_path, {"int8": [reading(room=room)]})
    assert made.variants[0].fits is fits


def test_the_json_is_whole_and_plain(tmp_path):
    made = report(tmp_path, {"float32": [reading()] * 3, "int8": [reading(200, loss=drifted(0.004))] * 3})
    value = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert value["recommended"]["variant"] == "int8"
    assert (value["unit"], value["against"], value["text"]) == (
        "tokens",
        "float32",
        {"name": "bundled", "tokens": 2000},
    )
    assert value["machine"]["processor"] == "A processor"
    assert value["plan"] == {**asdict(PLAN), "rows": [1, 8], "firsts": [128, 1024]}
    int8 = value["variants"][1]
    assert int8["reference"] == "small@0123abcd:int8"
    assert int8["per_second"] == {"1": 50, "8": 200}
    assert int8["ratio"] == {"1": 2, "8": 2}


def test_a_manifest_keeps_what_was_measured_where_and_whether_it_is_the_one(tmp_path):
    made = report(tmp_path, {"float32": [reading()] * 3, "int8": [reading(200, loss=drifted(0.004))] * 3})
    float32, int8 = (made.speed_of(each) for each in made.variants)
    assert (float32["recommended"], int8["recommended"]) == (False, True)
    assert int8["machine"]["ctranslate2"] == "4.8.5"
    assert float32["summary"] == "25 tokens/s, 100 at 8 rows"
    assert int8["summary"] == "50 tokens/s, 200 at 8 rows, recommended"


def test_who_is_measured_alone_is_not_preferred_to_anybody(tmp_path):
    alone = report(tmp_path, {"int8": [reading()] * 3})
    assert alone.choice.variant == "int8"
    kept = alone.speed_of(alone.variants[0])
    assert (kept["recommended"], kept["summary"]) == (False, "25 tokens/s, 100 at 8 rows")


@pytest.mark.parametrize(("speeds", "busy"), [((100, 110, 118), False), ((100, 110, 140), True)])
def test_a_busy_machine_is_told(tmp_path, speeds, busy):
    notes = report(tmp_path, {"float32": [reading(speed) for speed in speeds]}).notes
    assert any("busy" in note for note in notes) is busy
