"""The policy file: read whole, or refused with every mistake in it."""

from __future__ import annotations

import pytest

from moderation.errors import PolicyError
from moderation.policy import load

RULE = """
  - name: greeting
    pattern: '\\bhello\\b'
    direction: both
    action: redact
    category: test
    reason: a test
    replacement: "[x]"
"""


def write(tmp_path, text):
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_bundled_policy_is_valid():
    policy = load()
    assert policy.version
    assert policy.max_input_chars == 16_000
    assert {rule.name for rule in policy.rules} >= {
        "weapon-instructions",
        "private-key",
        "instruction-override",
    }


def test_a_file_becomes_a_policy(tmp_path):
    policy = load(write(tmp_path, f"version: '1'\nlimits: {{max_input_chars: 9}}\nrules:{RULE}"))
    assert (policy.version, policy.max_input_chars, len(policy.rules)) == ("1", 9, 1)
    assert policy.rules[0].directions == ("input", "output")
    assert policy.rules[0].replacement == "[x]"


def test_all_mistakes_are_named_at_once_with_file_rule_and_remedy(tmp_path):
    path = write(
        tmp_path,
        "version: 1\nlimit: 3\nlimits: {max_input_chars: 0, other: 1}\nrules:\n"
        "  - {name: slow, pattern: '(a+)+', direction: both, action: block, category: c, reason: r}\n"
        "  - {name: odd, pattern: a, direction: sideways, action: explode, category: c, reason: r, also: 1}\n"
        "  - {name: twin, pattern: a, direction: input, action: block, category: c, reason: r}\n"
        "  - {name: twin, pattern: b, direction: input, action: block, category: c, reason: r}\n"
        "  - {name: said, pattern: b, direction: input, action: block, category: c, reason: r, replacement: x}\n"
        "  - {pattern: 3, direction: input}\n"
        "  - just text\n",
    )
    with pytest.raises(PolicyError) as refused:
        load(path)
    lines = str(refused.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    told = str(refused.value)
    for part in [
        "version: must be text",
        "the file: 'limit' is unknown; use version, limits, rules",
        "limits: max_input_chars must be a number above 0",
        "limits: 'other' is unknown",
        "rule 'slow': the pattern repeats a group that can match in several ways",
        "rule 'odd': direction 'sideways' is unknown; use one of input, output, both",
        "rule 'odd': action 'explode' is unknown; use one of review, redact, block",
        "rule 'odd': 'also' is unknown",
        "rule 'twin': this name is used more than once",
        "rule 'said': replacement is only for the action redact",
        "rule 6: name must be text",
        "rule 6: pattern must be text",
        "rule 7: must hold name, pattern",
    ]:
        assert part in told, part


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "is no YAML"),
        ("- a", "must hold version, limits and rules"),
        ("", "must hold version"),
        ("version: 'a'", "rules: must be a list"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, text, told):
    with pytest.raises(PolicyError, match=told):
        load(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PolicyError, match=r"gone\.yaml: cannot be read: No such file"):
        load(tmp_path / "gone.yaml")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"\xff\xfe\x00\x00")
    with pytest.raises(PolicyError, match="is no YAML"):
        load(path)
