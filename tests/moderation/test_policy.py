"""The policy file: read whole, or refused with every mistake in it and its line."""

from __future__ import annotations

import pytest

from moderation.categories import LABELS
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


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "policy.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def refused(path):
    with pytest.raises(PolicyError) as error:
        load(path)
    lines = str(error.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:") for line in lines]


def test_the_bundled_policy_is_valid_and_never_blocks_by_the_hate_head():
    policy = load()
    assert policy.max_input_chars == 16_000
    assert {rule.name for rule in policy.rules} >= {
        "weapon-instructions",
        "private-key",
        "instruction-override",
    }
    for categories in (policy.base.categories.input, policy.base.categories.output):
        assert set(categories) == set(LABELS)
        # hate's own score, what follows hate's (overall), and what is only a signal
        assert [categories[name].block for name in ("hate", "overall", "jailbreak", "self-harm")] == [
            None
        ] * 4


def test_the_bundled_policy_offers_help_in_both_languages_to_whoever_may_hurt_themselves():
    policy = load()
    for notice in (
        policy.base.categories.input["self-harm"].help.words(),
        next(rule.notice for rule in policy.rules if rule.name == "self-harm-instructions"),
    ):
        assert "988" in notice["en"]
        assert "12356，其他" in notice["zh"]


def test_a_file_becomes_a_policy(write):
    policy = load(write(f"version: '1'\nlimits: {{max_input_chars: 9}}\nrules:{RULE}"))
    assert (policy.max_input_chars, len(policy.rules)) == (9, 1)
    assert policy.rules[0].directions == ("input", "output")
    assert policy.rules[0].replacement == "[x]"
    assert policy.base.categories.input == {}  # what is not named is allowed


def test_a_file_edited_without_a_new_version_is_another_one_all_the_same(write):
    first = load(write("version: '1'\nscreen: hold")).version
    second = load(write("version: '1'\nscreen: shadow")).version
    assert first != second
    assert {version.partition("+")[0] for version in (first, second)} == {"1"}
    assert len(first.partition("+")[2]) == 8
    assert load(write("version: '1'\nscreen: hold")).version == first


def test_empty_sections_are_empty(write):
    parts = ["limits", "categories", "pii", "lists", "topics", "rules", "channels", "places"]
    policy = load(write("version: '1'\n" + "".join(f"{part}:\n" for part in parts)))
    assert policy.base == load(write("version: '1'")).base


def test_what_differs_by_direction_is_laid_upon_what_does_not(write):
    policy = load(
        write(
            "version: '1'\n"
            "categories: {sexual: {review: 0.5, block: 0.9, output: {block: 0.7}, input: {block: null}}}\n"
            "pii: {email: mask, card: block, output: {email: allow}}"
        )
    )
    sexual = policy.base.categories
    assert (sexual.input["sexual"].review, sexual.input["sexual"].block) == (0.5, None)
    assert (sexual.output["sexual"].review, sexual.output["sexual"].block) == (0.5, 0.7)
    assert policy.base.pii.input == {"email": "mask", "card": "block"}
    assert policy.base.pii.output == {"email": "allow", "card": "block"}


def test_an_anchor_is_written_once_and_used_twice(write):
    policy = load(
        write(
            "version: '1'\ncategories:\n  hate: &same {review: 0.5}\n  violence: {<<: *same, block: 0.9}\n"
            "  sexual: *same"
        )
    )
    found = policy.base.categories.input
    assert (found["violence"].review, found["violence"].block, found["sexual"].review) == (0.5, 0.9, 0.5)


MISTAKES = """\
version: 1
limit: 3
limits: {max_input_chars: 0, seconds: true, other: 1}
screen: hodl
unsupported: mask
categories:
  hate: {review: 0.9, block: 0.5}
  sexuall: {review: 0.9}
  violence: {reviw: 0.5, block: 1.2}
  illicit: 3
  self-harm:
    review: .nan
    output:
      block: "high"
    help: {zh: hm}
pii: {emial: mask, phone: msk, output: {card: 1}}
lists: {deny: ["", 3, "\\u200b"], allow: word}
topics:
  - {name: law, examples: [], similarity: 2}
rules:
  - {name: slow, pattern: '(a+)+', direction: both, action: block, category: c, reason: r}
  - {name: odd, pattern: a, direction: sideways, action: explode, category: c, reason: r, also: 1}
  - {name: twin, pattern: a, direction: input, action: block, category: c, reason: r}
  - {name: twin, pattern: b, direction: input, action: block, category: c, reason: r}
  - {name: said, pattern: b, direction: input, action: block, category: c, reason: r, replacement: x}
  - {pattern: 3, direction: input}
  - just text
channels:
  web: {categories: {harassment: {block: 0.1}}}
  telegram: 3
places:
  nowhere: {screen: hold}
  web:1:
    categories: {harassment: {review: 0.5}}
    version: 3
screen: shadow
since: 2026-99-99
"""


def test_all_mistakes_are_named_at_once_each_with_its_line_and_a_remedy(write):
    told = refused(write(MISTAKES))
    for mistake in [
        "1: version: must be text, such as '2026-11-01' in quotes",
        "2: limit: is unknown here; did you mean limits?",
        "3: limits.max_input_chars: must be above 0",
        "3: limits.other: is unknown here; use one of max_input_chars, seconds",
        "3: limits.seconds: must be a number, such as 0.8",
        "5: unsupported: 'mask' is unknown; use one of allow, review, block",
        "7: categories.hate: review (0.9) is above block (0.5)",
        "8: categories.sexuall: is unknown here; did you mean sexual?",
        "9: categories.violence.block: must be 1 or less",
        "9: categories.violence.reviw: is unknown here; did you mean review?",
        "10: categories.illicit: must hold review, block, action, notice, help, input, output",
        "12: categories.self-harm.review: must be a number",
        "14: categories.self-harm.output.block: must be a number, such as 0.8",
        "15: categories.self-harm.help: en must be given",
        "16: pii.emial: is unknown here; did you mean email?",
        "16: pii.phone: 'msk' is unknown; did you mean mask?",
        "16: pii.output.card: '1' is unknown; use one of allow, review, mask, redact, block",
        "17: lists.deny.1: must be text, and not empty",
        "17: lists.deny.2: must be text (put it in quotes)",
        "17: lists.deny.3: nothing is left of this phrase",
        "17: lists.allow: must be a list; write [] for none",
        "19: topics.law.examples: must hold at least 1",
        "19: topics.law.similarity: must be 1 or less",
        "21: rules.slow.pattern: repeats a group that can match in several ways",
        "22: rules.odd.action: 'explode' is unknown; use one of allow, review, redact, block",
        "22: rules.odd.also: is unknown here; use one of name, pattern",
        "22: rules.odd.direction: 'sideways' is unknown; use one of input, output, both",
        "24: rules.twin: this name is used more than once, first in line 23",
        "25: rules.said: replacement is only for the action redact",
        "26: rules.6: name must be given",
        "26: rules.6.pattern: must be text (put it in quotes)",
        "27: rules.7: must hold name, pattern",
        "30: channels.telegram: must hold what is different there",
        "32: places.nowhere: a place is named by channel and key",
        "34: places.web:1.categories.harassment: review (0.5) is above block (0.1)",
        "35: places.web:1.version: is unknown here",
        "36: 'screen' stands here twice, first in line 4; keep one",
        "37: since: cannot be read; put it in quotes",
    ]:
        assert [line for line in told if line.startswith(mistake)], (mistake, told)
    assert len(told) == len(set(told))
    numbers = [int(line.partition(":")[0]) for line in told]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "is no YAML"),
        ("version: 'a'\n  b: c", "2: is no YAML"),
        ("? [a]\n: b", "1: is no YAML: a key must be a word"),
        ("a: &a [*a]", "nested too deeply"),
        ("version: !odd 3", "1: version: cannot be read"),
        ("- a", "must hold version, limits and rules"),
        ("", "must hold version"),
        ("version: 'a'\nrules: 3", "2: rules: must be a list"),
        ("version: 'a'\nchannels: [web]", "2: channels: must hold a line `name: {...}` for each"),
        ("version: 'a'\ncategories: [hate]", "2: categories: must hold a line"),
        ("version: 'a'\npii: mask", "2: pii: must hold a line"),
        ("version: ''", "version: must be text"),
        ("version: 'a'\nextends: mine.yaml", "2: extends: 'mine.yaml' is unknown; use one of bundled"),
        ("screen: hold", "1: version: must be text"),
    ],
)
def test_a_file_of_another_shape_is_refused(write, text, told):
    assert any(told in line for line in refused(write(text)))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PolicyError, match=r"gone\.yaml: cannot be read: No such file"):
        load(tmp_path / "gone.yaml")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"\xff\xfe\x00\x00")
    with pytest.raises(PolicyError, match="is no YAML"):
        load(path)
