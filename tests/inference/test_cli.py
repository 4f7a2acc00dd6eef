"""The commands: models listed, shown, fetched, verified, promoted, taken back, removed; mistakes told in a sentence."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference.cli import app
from inference.library import hub
from inference.library.shelf import Shelf
from tests.inference.hub_server import COMMIT, Hub, repository, serving
from tests.inference.shelved import path_of, put

NAME = "qwen2.5-0.5b-instruct"


@pytest.fixture
def run(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "models" / "small")
    environment = {"COLUMNS": "200", "FRONTDESK_DATA": str(tmp_path)}
    return lambda *args: CliRunner().invoke(app, list(args), env=environment)


@pytest.fixture
def narrow(run, tmp_path):
    environment = {"COLUMNS": "80", "FRONTDESK_DATA": str(tmp_path)}
    return lambda *args: CliRunner().invoke(app, list(args), env=environment)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "models")


def said(result, code=0):
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def refused(result):
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def test_list_names_each_model_with_its_context_and_size(run):
    result = run("list")
    assert result.exit_code == 0
    assert "small" in result.output
    assert "512" in result.output
    assert "0.5 MB" in result.output


def test_list_tells_versions_variants_and_who_serves(run, shelf, folder):
    for changes in ({}, {"variant": "float32"}, {"source": "old", "created": "2020-01-01T00:00:00+00:00"}):
        made = put(shelf, folder, name=NAME, **changes)
    put(shelf, folder, name="second", engine="ctranslate2")
    assert run("promote", f"{NAME}:float32").exit_code == 0
    assert run("promote", "second", "--canary", "0.1").exit_code == 0
    lines = [line.split() for line in run("list").stdout.splitlines()]
    new = next(line for line in lines if line[:1] == [NAME])
    assert new[2:5] == ["int8,", "float32", "chat"]
    assert new[-2:] == ["default", "float32"]
    assert next(line for line in lines if line[:1] == [made.version])[1] == "int8"
    assert next(line for line in lines if line[:1] == ["second"])[-3:] == ["canary", "10%", "int8"]


def test_list_says_who_serves_before_anything_was_promoted(run):
    starter = next(line for line in run("list").stdout.splitlines() if "starter" in line)
    assert starter.split()[-1] == "default"


def test_list_says_what_is_not_complete_and_what_takes_room(run, shelf, folder):
    made = put(shelf, folder)
    (path_of(shelf, made) / "model.bin").unlink()
    (shelf.sources / "a--b").mkdir(parents=True)
    (shelf.sources / "a--b" / "x").write_bytes(b"x" * 123_000)
    output = run("list").stdout
    assert f"Not complete: {made.reference}. `frontdesk models verify` says why." in output
    assert "0.1 MB of fetched sources" in output


def test_tables_stand_in_eighty_columns_and_carry_no_colour_into_a_pipe(narrow, shelf, folder):
    for variant in ("int8", "float32", "bfloat16"):
        put(
            shelf,
            folder,
            name=NAME,
            variant=variant,
            speed={"summary": "41.2 tokens/s at 8 rows, +0.31 % drift"},
        )
    put(shelf, folder, name="x" * 64)
    assert narrow("promote", NAME).exit_code == 0
    for command in (("list",), ("show", NAME), ("verify",)):
        output = narrow(*command).stdout
        assert "\x1b" not in output
        tables = [
            line for line in output.splitlines() if not line.startswith(("int8:", "float32:", "bfloat16:"))
        ]
        assert max(map(len, tables)) <= 80 or "free." in max(tables, key=len)
        assert "…" not in output
    lines = narrow("list").stdout
    assert "default int8" in lines
    assert "x" * 64 in lines.replace("\n", "").replace(" ", "") or lines.count("x") >= 64


def test_json_lists_the_same_for_programs(run, shelf, folder):
    made = put(shelf, folder)
    run("promote", "desk")
    told = said(run("list", "--json"))
    assert [model["name"] for model in told["models"]] == ["starter", "desk", "small"]
    assert told["aliases"]["default"] == {
        "target": str(made.reference),
        "share": None,
        "previous": ["starter"],
    }
    assert told["models"][1]["variants"][0]["aliases"] == ["default"]
    assert told["disk"]["models"] > made.size


def test_show_tells_what_ends_an_answer_and_how_a_greeting_is_read(run):
    result = run("show", "small")
    assert result.exit_code == 0
    assert "<|im_end|>, <|endoftext|>" in result.output
    assert "user\\nHello<|im_end|>" in result.output


CHECK = {"name": "logits", "figure": 1.0, "rule": "at most", "limit": 2.0, "note": "", "passed": True}


def test_show_tells_of_each_variant_how_it_was_proved_and_where_it_is(run, shelf, folder):
    proved = put(shelf, folder, parity={"checks": [CHECK, CHECK]}, speed={"summary": "fast [bold]"})
    put(
        shelf,
        folder,
        variant="float32",
        parity={"checks": [CHECK, {**CHECK, "passed": False}]},
        accepted="why [not]",
        engine_reason="for a reason",
        notes=("capped",),
    )
    output = run("show", "desk").stdout
    for text in ("all 2 checks", "fast [bold]", "1 of 2 checks, accepted: why [not]", "not measured"):
        assert text in output
    assert f"int8: {path_of(shelf, proved)}" in output.splitlines()
    only = run("show", "desk:float32").stdout
    assert "all 2 checks" not in only
    for text in ("for a reason", "capped", "org/desk", "LlamaForCausalLM"):
        assert text in only


def test_show_json_lists_variants_each_with_its_path(run, shelf, folder):
    made = put(shelf, folder, licence="MIT")
    other = put(shelf, folder, variant="float32")
    told = said(run("show", "desk", "--json"))
    assert (told["name"], told["versions"]) == ("desk", [made.version])
    assert [each["reference"] for each in told["variants"]] == [str(made.reference), str(other.reference)]
    assert [Path(each["path"]) for each in told["variants"]] == [path_of(shelf, made), path_of(shelf, other)]
    first = told["variants"][0]
    assert (first["variant"], first["kind"], first["engine"], first["licence"]) == (
        "int8",
        "chat",
        "ctranslate2",
        "MIT",
    )
    assert first["size"] == sum(path.stat().st_size for path in path_of(shelf, made).iterdir())
    assert [each["variant"] for each in said(run("show", "desk:float32", "--json"))["variants"]] == [
        "float32"
    ]


def test_show_json_of_a_plain_folder_has_one_variant_with_its_path(run, shelf):
    told = said(run("show", "small", "--json"))
    (only,) = told["variants"]
    assert (told["name"], told["versions"], only["path"]) == ("small", [], str(shelf.root / "small"))
    assert said(run("show", "default", "--json"))["name"] == "starter"
    assert said(run("show", str(shelf.root / "small"), "--json"))["variants"][0]["kind"] == "chat"


@pytest.mark.parametrize("kind", ["chat", "embedder"])
def test_show_of_a_model_that_holds_no_conversation_says_so(run, shelf, folder, tmp_path, kind):
    shutil.copytree(folder, tmp_path / "bare", ignore=lambda *_: ["chat_template.jinja"])
    put(shelf, tmp_path / "bare", kind=kind, has_chat_template=False, end_tokens=("<end>",))
    output = run("show", "desk").stdout
    assert ("none: it has no chat template" in output) is (kind == "chat")
    assert ("<end>" in output) is (kind == "chat")


@pytest.mark.parametrize("name", ["other", "../nowhere", "no name"])
def test_show_of_no_model_is_a_sentence(run, name):
    result = run("show", name)
    assert result.exit_code == 1
    assert "Models here: " in result.output
    assert "Traceback" not in result.output


def test_random_writes_a_model_that_can_be_shown(run, tmp_path):
    folder = tmp_path / "models" / "made"
    assert run("random", str(folder)).exit_code == 0
    assert run("show", "made").exit_code == 0
    again = run("random", str(folder))
    assert (again.exit_code, "exists already" in again.output) == (1, True)
    unknown = run("random", str(tmp_path / "x"), "--shape", "huge")
    assert (unknown.exit_code, "tiny, 0.1b, 0.5b" in unknown.output) == (1, True)


def test_verify_tells_each_model_apart_and_fails_where_one_is_damaged(run, shelf, folder):
    good, bad = put(shelf, folder), put(shelf, folder, name="bad")
    assert run("verify").exit_code == 0
    (path_of(shelf, bad) / "config.json").write_text("{}")
    result = run("verify")
    assert result.exit_code == 1
    states = dict(line.split() for line in result.stdout.splitlines() if "@" in line or "small" in line)
    assert states == {"small": "unverified", str(good.reference): "verified", str(bad.reference): "damaged"}
    assert "changed: config.json" in result.stderr
    assert run("verify", "desk").exit_code == 0
    told = said(run("verify", "bad:int8", "--json"), code=1)
    assert (told["ok"], told["models"][0]["state"]) == (False, "damaged")
    assert "Models here" in refused(run("verify", "nobody"))


def test_verify_notices_aliases_that_lead_nowhere(run, shelf, folder):
    made = put(shelf, folder)
    run("promote", "desk")
    assert said(run("verify", "default", "--json"))["models"][0]["reference"] == str(made.reference)
    shutil.rmtree(shelf.root / "desk")
    told = said(run("verify", "--json"), code=1)
    assert [each["reference"] for each in told["models"] if each["state"] == "damaged"] == ["default"]
    (shelf.root / "aliases.json").write_text("{")
    assert "aliases.json is broken" in run("verify").stderr
    assert "aliases.json is broken" in refused(run("list"))


def test_promote_and_rollback_say_what_serves_now(run, shelf, folder):
    made = put(shelf, folder)
    assert (
        f"{made.reference} is the default now. `frontdesk models rollback` goes back to starter."
        in run("promote", "desk").stdout
    )
    assert "starter is the default again." in run("rollback").stdout
    assert "nothing to go back to" in refused(run("rollback"))
    told = said(run("promote", "desk", "--json"))
    assert told == {"alias": "default", "target": str(made.reference), "share": None, "previous": ["starter"]}
    assert said(run("rollback", "--json"))["target"] == "starter"


def test_promote_tells_what_the_bench_would_have_taken(run, shelf, folder):
    put(shelf, folder)
    other = put(shelf, folder, variant="float32")
    shelf.annotate(str(other.reference), speed={"recommended": True, "summary": "fast"})
    assert f"recommended {other.reference}" in run("promote", "desk:int8").stdout
    assert "recommended" not in run("promote", "desk:float32").stdout


def test_a_canary_is_tried_and_ended(run, shelf, folder):
    made = put(shelf, folder)
    assert (
        f"{made.reference} gets 10% of the conversations" in run("promote", "desk", "--canary", "0.1").stdout
    )
    assert "starter gets every conversation" in run("rollback", "--canary").stdout.replace(
        "the starter", "starter"
    )
    assert "no canary to end" in refused(run("rollback", "--canary"))
    told = said(run("promote", "desk", "--canary", "0.5", "--json"))
    assert told == {"alias": "canary", "target": str(made.reference), "share": 0.5, "previous": []}
    assert said(run("rollback", "--canary", "--json")) == {"alias": "canary", "target": None}
    for share in ("0", "1", "nan"):
        assert "share lies between 0 and 1" in refused(run("promote", "desk", "--canary", share))
    assert "is a path" in refused(run("promote", "./desk"))


def test_remove_says_what_went_and_what_may_not(run, shelf, folder):
    made = put(shelf, folder)
    run("promote", "desk")
    assert "is the default: it serves" in refused(run("remove", "desk", "--force"))
    run("promote", "starter")
    assert "`rollback` would go back to" in refused(run("remove", "desk"))
    assert said(run("remove", "desk", "--force", "--json")) == {"removed": [str(made.reference)]}
    assert run("remove", "small").stdout == "Removed: small\n"
    assert "no model named 'small'" in refused(run("remove", "small"))


def test_collect_says_what_was_swept_up(run, shelf):
    assert "nothing to sweep up" in run("collect").stdout
    for name in (".staging/dead", ".sources/a--b"):
        (shelf.root / name).mkdir(parents=True)
        (shelf.root / name / "x").write_bytes(b"x" * 140_000)
    assert run("collect").stdout.splitlines() == [
        "Swept up 1, 0.1 MB.",
        "Fetched sources take 0.1 MB: --sources removes them too.",
    ]
    assert said(run("collect", "--sources", "--json")) == {"removed": [".sources/a--b"], "size": 140_000}


def test_pull_reads_the_token_and_says_how_to_go_on(run, shelf, monkeypatch):
    with serving(Hub(repository(), token="secret")) as there:
        monkeypatch.setenv("HF_ENDPOINT", there.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        assert "is gated" in refused(run("pull", "org/tiny"))
        monkeypatch.setenv("HF_TOKEN", "secret")
        result = run("pull", "org/tiny@v1")
        path = shelf.sources / "org--tiny" / COMMIT
        assert result.stdout.splitlines() == [
            f"org/tiny at {COMMIT[:12]} is in {path}",
            f"Now: frontdesk models convert {path} --name tiny --to int8",
        ]
        assert said(run("pull", "org/tiny", "--json")) == {
            "id": "org/tiny",
            "revision": COMMIT,
            "path": str(path),
            "licence": "apache-2.0",
        }
        assert "no revision 'v9'" in refused(run("pull", "org/tiny@v9"))


def test_a_full_disk_is_a_sentence(run, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hub, "pull", full)
    assert "No space left on device. The library is as it was." in refused(run("pull", "org/tiny"))


@pytest.mark.parametrize(
    "command", ["list", "show", "pull", "verify", "remove", "promote", "rollback", "collect"]
)
def test_every_command_speaks_to_programs_too(run, command):
    assert "--json" in run(command, "--help").stdout
