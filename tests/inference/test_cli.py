"""The commands: models listed and shown, mistakes told in a sentence with a failing exit."""

import shutil

import pytest
from typer.testing import CliRunner

from inference.cli import app


@pytest.fixture
def run(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "models" / "small")
    environment = {"COLUMNS": "200", "FRONTDESK_DATA": str(tmp_path)}
    return lambda *args: CliRunner().invoke(app, list(args), env=environment)


def test_list_names_each_model_with_its_context_and_size(run):
    result = run("list")
    assert result.exit_code == 0
    assert "small" in result.output
    assert "512" in result.output
    assert "0.5 MB" in result.output


def test_show_tells_what_ends_an_answer_and_how_a_greeting_is_read(run):
    result = run("show", "small")
    assert result.exit_code == 0
    assert "<|im_end|>, <|endoftext|>" in result.output
    assert "user\\nHello<|im_end|>" in result.output


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
