"""Measuring side by side: turns, arithmetic, crashes that cost one variant only. Nothing here is timed."""

import io
import json
import math
import random
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import psutil
import pytest
from rich.console import Console
from typer.testing import CliRunner

from inference import bench, opening, random_model
from inference.bench import Plan, Task, footprint, subject, timing
from inference.bench.plan import NotMeasured
from inference.cli import app
from inference.cli import bench as cli_bench
from inference.library import Library, manifest
from inference.library.shelf import Shelf
from inference.request import Finish
from tests.inference.readings import PLAN, VERSION, a_manifest, model, reading, report

# As short as can be: what is looked at is that there are figures, never how large they are.
SHORT = Plan(rounds=1, rows=(1, 2), tokens=2, firsts=(8, 1024), seconds=0.0, scored=64)

PATIENCE = 60.0


# -- turns ---------------------------------------------------------------------------------------------------------


def test_variants_take_turns_there_and_back_and_are_scored_once(tmp_path):
    models, taken = [model(name, folder=tmp_path) for name in ("float32", "int8")], []

    def turn(task):
        taken.append((Path(task.path).name, task.score))
        return reading()

    bench.measure(models, plan=PLAN, turn=turn)
    assert [name for name, _ in taken] == ["float32", "int8", "int8", "float32", "float32", "int8"]
    assert [scored for _, scored in taken] == [True, True, False, False, False, False]


def test_a_variant_that_fails_is_out_and_the_others_go_on(tmp_path):
    models = [model(name, folder=tmp_path) for name in ("float32", "int8", "awq")]
    turns = count()

    def turn(task):
        if Path(task.path).name == "awq":
            return reading(error="It broke.") if next(turns) == 1 else reading()
        return reading()

    made = bench.measure(
        models, plan=PLAN, turn=turn, broken={"small@0123abcd:float16": "It lacks model.bin."}
    )
    errors = {each.variant: each.error for each in made.variants}
    assert errors == {
        "float32": "",
        "int8": "",
        "awq": "It broke. (in round 2; it went well before)",
        "float16": "It lacks model.bin.",
    }
    assert made.choice.variant in ("float32", "int8")


def test_where_all_fail_there_is_a_report_without_a_choice(tmp_path):
    made = bench.measure(
        [model("int8", folder=tmp_path)], plan=PLAN, turn=lambda task: reading(error="It broke.")
    )
    assert (made.choice, made.measured, made.against) == (None, [], "")
    json.dumps(made.to_json(), allow_nan=False)


# -- one turn, with a clock that is made up ------------------------------------------------------------------------


class SlowEngine:
    """Reads ten tokens a second, then makes one for each row every half second. Its clock is what it tells."""

    context_length = 200

    def __init__(self):
        self.now = 0.0
        self.asked = []

    def submit(self, request, *, on_token, on_finish):
        self.asked.append(request)
        self.now += len(request.prompt) / 10
        for _ in range(request.sampling.max_tokens):
            self.now += 0.5
            on_token(1)
        on_finish(Finish("length"))


def timed(engine, **plan):
    return timing.Timing(engine, range(50), plan=Plan(seconds=0.0, **plan), clock=lambda: engine.now)


def test_the_first_token_is_waited_for_with_each_length_of_prompt_and_clipping_is_said():
    found, notes = timed(SlowEngine()).firsts()
    assert found == {
        "128": {"tokens": 128, "seconds": pytest.approx(13.3)},
        "1024": {"tokens": 199, "seconds": pytest.approx(20.4)},
    }
    assert notes == ["its context takes 199 tokens of prompt, so 1024 were not measured"]


def test_speed_counts_the_tokens_of_all_rows_until_the_last():
    engine = SlowEngine()
    assert timed(engine, prompt=10, tokens=4).speed(1) == pytest.approx(4 / 3)
    assert timed(engine, prompt=10, tokens=4).speed(8) == pytest.approx(32 / 24)
    assert all(request.sampling.ignore_eos for request in engine.asked)


def test_no_prompt_is_asked_twice_so_that_nothing_is_remembered():
    engine = SlowEngine()
    timed(engine, prompt=12, tokens=1, rows=(8,)).speed(4)
    asked = [request.prompt for request in engine.asked if len(request.prompt) == 12]
    assert len(set(asked)) == len(asked) == 4


def test_a_short_context_is_never_overrun():
    engine = SlowEngine()
    engine.context_length = 16
    both = timed(engine)
    both.firsts()
    both.speed(8)
    assert all(len(each.prompt) + each.sampling.max_tokens <= 16 for each in engine.asked)


def test_an_engine_that_fails_or_ends_early_is_not_measured():
    class Failing(SlowEngine):
        def submit(self, request, *, on_token, on_finish):
            on_finish(Finish("error", error="out of memory"))

    class Brief(SlowEngine):
        def submit(self, request, *, on_token, on_finish):
            on_finish(Finish("stop"))

    with pytest.raises(NotMeasured, match="out of memory"):
        timed(Failing()).speed(1)
    with pytest.raises(NotMeasured, match="made 0 tokens where 2 were asked for"):
        timed(Brief()).speed(1)


def test_a_figure_is_repeated_as_long_as_the_plan_allows():
    values, clock = iter([5.0, 1.0, 3.0, 99.0]), iter([0.0, 0.4, 0.9, 1.2])
    plan = Plan(seconds=1.0)
    assert timing.repeated(lambda: next(values), plan=plan, clock=lambda: next(clock)) == 3.0
    values = iter(range(100))
    assert timing.repeated(lambda: next(values), plan=replace(plan, repeats=5), clock=lambda: 0.0) == 2


def test_sentences_are_taken_from_any_text():
    assert timing.sentences("One here. Two there! 你好,欢迎。再见了您。")[:4] == [
        "One here.",
        "Two there!",
        "你好,欢迎。",
        "再见了您。",
    ]
    assert len(timing.sentences("short")) == 64


def test_the_bundled_text_is_plain_varied_and_long_enough():
    text = bench.TEXT.read_text(encoding="utf-8")
    assert 7_000 < len(text) < 12_000
    assert len(timing.sentences(text)[0]) > 20
    assert "def " in text
    assert "你好" in text


def test_memory_is_read_for_this_process_and_a_cpu_has_none_of_a_gpu():
    assert 10**6 < footprint.resident() <= footprint.peak()
    with footprint.device_memory("cpu") as lowest:
        pass
    assert lowest.taken is None


def test_a_gpu_is_watched_while_the_block_runs(monkeypatch):
    frees = iter([1000, 700])
    monkeypatch.setattr(footprint, "_gpu_free", lambda: next(frees, 900))
    with footprint.device_memory("cuda") as lowest:
        deadline = time.monotonic() + PATIENCE
        while lowest.least == 1000 and time.monotonic() < deadline:
            time.sleep(0.005)
    assert lowest.taken == 300


# -- with real processes and real models ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_words(tmp_path_factory):
    """A text that the random model could have said: of any other it knows nothing."""
    rng = random.Random(0)
    said = [
        f" {rng.choice(random_model.STARTS)} {' '.join(rng.choices(random_model.WORDS, k=6))}."
        for _ in range(40)
    ]
    file = tmp_path_factory.mktemp("text") / "own.txt"
    file.write_text("".join(said), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """A data folder whose library has one small model as float32 and int8."""
    data = tmp_path_factory.mktemp("data")
    (data / "models").mkdir()
    shelf = Shelf(data / "models")
    for variant in ("float32", "int8"):
        with shelf.staging() as room:
            random_model.make(room, quantization=variant)
            shelf.install(room, a_manifest(variant=variant, files=manifest.digests(room)))
    return data


@pytest.fixture
def data(stocked, tmp_path):
    return Path(shutil.copytree(stocked, tmp_path / "data"))


@pytest.fixture
def run(data, monkeypatch):
    monkeypatch.setattr(bench, "QUICK", SHORT)
    environment = {"COLUMNS": "80", "FRONTDESK_DATA": str(data)}
    return lambda *args: CliRunner().invoke(app, ["bench", *map(str, args)], env=environment)


def task_of(folder, text, **plan):
    return Task(path=str(folder), text=str(text), device="cpu", plan=replace(SHORT, **plan), score=True)


def folder_of(data, variant):
    return data / "models" / "small" / VERSION / variant


def test_a_turn_in_a_process_of_its_own_brings_every_figure(stocked, own_words):
    took = bench.in_a_process(task_of(folder_of(stocked, "int8"), own_words))
    assert took.error == ""
    assert (took.device, took.runs_as) == ("cpu", "int8_float32")
    assert took.load_seconds > 0
    assert all(speed > 0 for speed in took.per_second.values())
    assert list(took.per_second) == ["1", "2"]
    assert took.first_token["1024"]["tokens"] == 511
    assert all(found["seconds"] > 0 for found in took.first_token.values())
    assert 10**6 < took.memory < 10**9
    assert took.device_memory is None
    assert took.room > 0
    assert 0 < took.loss < math.log(took.vocabulary)
    assert took.scored == 63  # of 64 tokens, the first is not scored
    assert len(took.notes) == 1


def test_a_broken_variant_is_told_and_the_other_measured(data, own_words):
    broken = folder_of(data, "int8") / "model.bin"
    broken.write_bytes(broken.read_bytes()[:1000].ljust(broken.stat().st_size, b"\0"))
    models, unopened = bench.variants_of(Library(root=data / "models"), "small")
    made = bench.measure(models, plan=SHORT, text=own_words, device="cpu", broken=unopened)
    float32, int8 = made.variants
    assert (float32.error, float32.drift) == ("", 0)
    assert "model.bin" in int8.error
    assert made.choice.variant == "float32"


def test_a_variant_that_cannot_even_be_opened_is_told_too(data):
    (folder_of(data, "int8") / "model.bin").unlink()
    models, unopened = bench.variants_of(Library(root=data / "models"), "small")
    assert [each.variant for each in models] == ["float32"]
    assert list(unopened) == [f"small@{VERSION}:int8"]
    assert "model.bin" in unopened[f"small@{VERSION}:int8"]


def test_a_name_means_all_its_variants_and_a_variant_itself(stocked):
    library = Library(root=stocked / "models")

    def named(reference):
        return sorted(each.variant for each in bench.variants_of(library, reference)[0])

    assert named("small") == named(f"small@{VERSION}") == ["float32", "int8"]
    assert named("small:int8") == named(str(folder_of(stocked, "int8"))) == ["int8"]
    assert named("default") == [""]  # nothing was promoted: the starter


ENDINGS = {
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "was killed, most likely since memory ran out",
    "import os; os.abort()": "was ended by SIGABRT",
    "import sys; sys.exit('no such thing')": "ended with status 1 before it was done. Its last words: no such thing",
    "print('half a rea', end='')": "ended with status 0 before it was done",
}


@pytest.mark.parametrize("program", ENDINGS)
def test_a_process_that_crashes_is_a_sentence(program, tmp_path):
    took = bench.in_a_process(task_of(tmp_path, tmp_path), command=[sys.executable, "-c", program])
    assert ENDINGS[program] in took.error


def test_a_process_that_hangs_is_ended(tmp_path):
    forever = [sys.executable, "-c", "import time; time.sleep(600)"]
    took = bench.in_a_process(task_of(tmp_path, tmp_path), command=forever, patience=0.2)
    assert took.error == "It was not done after 0.2 seconds, and was ended."


def test_a_turn_ends_with_the_bench_that_asked_for_it_however_that_ends(stocked, own_words):
    task = task_of(folder_of(stocked, "float32"), own_words, seconds=600.0, repeats=10**9)
    program = f"from inference import bench; bench.in_a_process(bench.Task.from_json({task.to_json()!r}))"
    asking = subprocess.Popen([sys.executable, "-c", program])
    try:
        [child] = wait_for(lambda: psutil.Process(asking.pid).children())
    finally:
        asking.kill()
        asking.wait()
    try:
        wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    finally:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_shows_a_table_a_picture_and_a_recommendation_and_keeps_the_figures(
    run, data, own_words, tmp_path
):
    result = run(
        "small", "--quick", "--text", own_words, "--picture", tmp_path / "picture.png", "--device", "cpu"
    )
    assert result.exit_code == 0, result.output
    assert "Recommended: " in result.output
    assert f"Now: frontdesk models promote small@{VERSION}:" in result.output
    assert "★" in result.output
    table = [line for line in result.output.splitlines() if line.startswith(("float32", "int8"))]
    assert len(table) == 2
    assert "…" not in result.output
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    for variant in ("float32", "int8"):
        kept = manifest.verify(folder_of(data, variant))
        assert kept.speed["per_second"].keys() == {"1", "2"}
        assert kept.speed["machine"]["device"] == "cpu"
        assert kept.speed["text"]["name"] == "own.txt"


def test_the_command_gives_json_to_programs_and_nothing_else(run, own_words):
    result = run("small:int8", "--quick", "--text", own_words, "--json")
    value = json.loads(result.stdout)
    assert [each["variant"] for each in value["variants"]] == ["int8"]
    assert value["recommended"]["variant"] == "int8"
    assert value["plan"]["rounds"] == 1


def test_a_plain_folder_is_measured_and_said_not_to_be_kept(run, folder):
    result = run(folder, "--quick", "--rounds", "1")
    assert result.exit_code == 0, result.output
    assert "Not kept: " in result.output
    assert "Recommended: float32 is the only variant" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "There is no model named 'nobody'"),
        (["small", "--device", "tpu"], "There is no device 'tpu'. Choose one of auto, cpu, cuda."),
        (["small", "--text", "/no/such/file"], "cannot be read"),
        (["small", "--text", "EMPTY"], "holds no text to measure with"),
        (["small", "--picture", "/no/such/folder/picture.png"], "There is no folder /no/such/folder"),
        (["small", "--picture", "picture.jpg"], "ends in .png, not picture.jpg"),
    ],
)
def test_mistakes_are_told_at_once_in_a_sentence(run, tmp_path, arguments, said):
    (tmp_path / "empty.txt").write_text(" ")
    result = run(*(str(tmp_path / "empty.txt") if each == "EMPTY" else each for each in arguments))
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_where_nothing_could_be_measured_the_command_fails_and_says_why(run, data):
    for variant in ("float32", "int8"):
        file = folder_of(data, variant) / "model.bin"
        file.write_bytes(bytes(file.stat().st_size))
    result = run("small", "--quick")
    assert result.exit_code == 1
    assert result.output.count("was not measured.") == 2


@pytest.mark.parametrize("gpu", [None, 12_345_000_000])
def test_all_figures_stand_side_by_side_in_eighty_columns(tmp_path, gpu):
    names = ("float32", "int8_bfloat16", "awq")
    rounds = [reading(10_123, memory=23_456_000_000, device_memory=gpu, load_seconds=0.0123)] * 3
    made = report(tmp_path, dict.fromkeys(names, rounds))
    for each in made.variants:
        each.disk = 16_060_000_000
    file = io.StringIO()
    cli_bench.show(made, Console(file=file, width=80))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines[:7])) <= 80
    for line in (line for line in lines[:7] if line.startswith(names)):
        assert line.split()[1:4] == ["2,531", "10,123", "1.00"]
        assert "16,060" in line
        assert "23,456" in line
        assert (gpu is None) is ("12,345" not in line)
        assert line.rstrip().endswith(" 0.00")


def test_a_text_of_one_token_is_said_to_be_too_short(stocked, tmp_path):
    (tmp_path / "short.txt").write_text("a", encoding="utf-8")
    took = bench.in_a_process(task_of(folder_of(stocked, "float32"), tmp_path / "short.txt"))
    assert took.error == "The text is too short to be scored; give a longer one with --text."


# -- the other kinds -----------------------------------------------------------------------------------------------


class Reader:
    """Stands in for a classifier and an embedder: what it says of a text is how long it is."""

    device, compute_type = "cpu", "int8_float32"

    def __init__(self, says=float):
        self.says = says
        self.closed = False
        self.asked = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.closed = True

    def classify(self, texts):
        self.asked.append(len(texts))
        return [{"short": self.says(1 / len(text)), "long": self.says(1 - 1 / len(text))} for text in texts]

    def embed(self, texts):
        self.asked.append(len(texts))
        return [(self.says(len(text)), 1.0) for text in texts]


def texts_read(monkeypatch, tmp_path, own_words, kind, reader):
    monkeypatch.setattr(opening, f"open_{kind}", lambda model, device: reader)
    ticks = count()
    return subject._texts(
        model("int8", folder=tmp_path, kind=kind),
        task_of(tmp_path, own_words),
        text="One. Two of them. Three.",
        begun=0,
        clock=lambda: next(ticks) * 0.5,
    )


@pytest.mark.parametrize(("kind", "says"), [("classifier", [1 / 4, 3 / 4]), ("embedder", [4.0, 1.0])])
def test_a_model_that_reads_is_measured_in_texts(monkeypatch, tmp_path, own_words, kind, says):
    reader = Reader()
    took = texts_read(monkeypatch, tmp_path, own_words, kind, reader)
    assert took.per_second == {"1": 2.0, "2": 4.0}  # each call takes half a second of this clock
    assert (took.runs_as, took.first_token, took.loss) == ("int8_float32", {}, None)
    assert took.outputs[0] == says
    assert len(took.outputs) == subject.COMPARED
    assert reader.asked[0] == 2  # not timed
    assert reader.closed


def test_a_model_that_says_what_is_no_number_is_not_measured(monkeypatch, tmp_path, own_words):
    with pytest.raises(NotMeasured, match="not a number"):
        texts_read(monkeypatch, tmp_path, own_words, "embedder", Reader(says=lambda value: math.nan))
