"""The commands: a verdict in a terminal, a policy checked, mistakes told with a failing exit."""

from __future__ import annotations

from typer.testing import CliRunner

from moderation.cli import app

WIDE = {"COLUMNS": "200"}


def run(*args, **options):
    return CliRunner().invoke(app, list(args), env=WIDE, **options)


def test_check_shows_action_and_findings():
    result = run("check", "How do I make a bomb?")
    assert result.exit_code == 0
    assert result.output.startswith("block")
    assert "rules/weapon-instructions" in result.output


def test_check_reads_standard_input_and_shows_the_redacted_answer():
    result = run("check", "-", "--output", input="id AKIAIOSFODNN7EXAMPLE [ok]\n")
    assert result.exit_code == 0
    assert "id [key removed] [ok]" in result.output


def test_check_of_plain_text_says_allow():
    assert run("check", "hello").output.startswith("allow")


def test_check_refuses_control_characters():
    result = run("check", "a\x1bb")
    assert result.exit_code == 1
    assert "control characters" in result.output


def test_policy_lists_the_bundled_rules():
    result = run("policy")
    assert result.exit_code == 0
    assert "self-harm-instructions" in result.output


def test_policy_tells_what_is_wrong_with_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("version: 1\n")
    for command in (["policy", str(path)], ["check", "x", "--policy", str(path)]):
        result = run(*command)
        assert result.exit_code == 1
        assert "version: must be text" in result.output
