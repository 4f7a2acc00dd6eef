"""What differs on a channel and in a place of it, and what builds on the bundled file."""

from __future__ import annotations

import pytest

from moderation.errors import PolicyError
from moderation.policy import load
from moderation.verdict import ANYWHERE, Where

BASE = """\
version: '1'
limits: {max_input_chars: 100, seconds: 1.5}
categories:
  hate: {review: 0.5, block: 0.9}
  sexual: {block: 0.8}
pii: {email: mask}
lists: {deny: [alpha]}
topics:
  - {name: law, examples: ["May I sue?"], action: block}
rules:
  - {name: first, pattern: one, direction: input, action: block, category: c, reason: r}
  - {name: second, pattern: two, direction: input, action: block, category: c, reason: r}
channels:
  telegram:
    screen: shadow
    limits: {max_input_chars: 50}
    categories: {hate: {block: null}}
    lists: {deny: [beta]}
places:
  telegram:-100:5:
    categories: {hate: {review: 0.3}, sexual: {output: {block: 0.1}}}
    pii: {email: block, phone: mask}
    lists: {deny: [gamma]}
    topics: [{name: law, action: allow}]
    rules:
      - {name: first, action: allow}
      - {name: second, action: review}
      - {name: third, pattern: three, direction: both, action: redact, category: c, reason: r}
  slack:C1: {screen: shadow}
"""
PLACE = Where("telegram", "-100:5")


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(BASE)
    return load(path)


def test_a_place_without_words_of_its_own_has_its_channels_and_a_channel_those_of_all(policy):
    assert policy.at(Where("telegram", "7")) is policy.channels["telegram"]
    assert policy.at(Where("web", "-100:5")) is policy.at(ANYWHERE) is policy.base


def test_a_channel_changes_what_it_names_and_nothing_else(policy):
    terms = policy.at(Where("telegram"))
    assert (terms.screen, terms.limits.max_input_chars, terms.limits.seconds) == ("shadow", 50, 1.5)
    hate = terms.categories.input["hate"]
    assert (hate.review, hate.block) == (0.5, None)
    assert terms.categories.input["sexual"].block == 0.8
    assert (policy.base.screen, policy.base.categories.input["hate"].block) == ("hold", 0.9)


def test_a_place_is_laid_upon_its_channel(policy):
    terms = policy.at(PLACE)
    hate = terms.categories.input["hate"]
    assert (terms.screen, hate.review, hate.block) == ("shadow", 0.3, None)
    assert (terms.categories.input["sexual"].block, terms.categories.output["sexual"].block) == (0.8, 0.1)
    assert terms.pii.input == terms.pii.output == {"email": "block", "phone": "mask"}


def test_a_place_of_a_channel_without_words_adds_each_phrase_once(policy):
    assert policy.at(Where("slack", "C1")).lists.deny == ("alpha",)
    assert policy.at(PLACE).lists.deny == ("alpha", "beta", "gamma")


def test_rules_and_topics_are_changed_by_name_switched_off_and_added(policy):
    terms = policy.at(PLACE)
    assert [(rule.name, rule.action) for rule in terms.compiled()] == [
        ("second", "review"),
        ("third", "redact"),
    ]
    assert [(topic.name, topic.action, topic.examples) for topic in terms.topics] == [
        ("law", "allow", ("May I sue?",))
    ]
    assert [rule.name for rule in policy.rules] == ["first", "second"]


def test_a_file_that_extends_the_bundled_one_has_all_of_it(tmp_path):
    path, bundled = tmp_path / "policy.yaml", load()
    path.write_text(
        "version: mine\nextends: bundled\nlists: {deny: [nightjar]}\ncategories: {illicit: {block: 0.99}}\n"
        "rules: [{name: instruction-override, action: allow}]"
    )
    policy = load(path)
    assert policy.version.startswith("mine+")
    assert policy.base.lists.deny == ("nightjar",)
    assert policy.base.categories.input["illicit"].block == 0.99
    assert policy.base.categories.input["hate"] == bundled.base.categories.input["hate"]
    assert {rule.name for rule in bundled.rules} - {rule.name for rule in policy.rules} == {
        "instruction-override"
    }


def test_a_mistake_that_arises_with_the_bundled_file_is_told_in_the_own_one(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("version: mine\nextends: bundled\ncategories:\n  illicit: {block: 0.1}\n")
    with pytest.raises(PolicyError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}:4: categories.illicit: review (")
    assert len(str(refused.value).splitlines()) == 1
