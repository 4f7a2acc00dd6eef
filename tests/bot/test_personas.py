"""Who speaks where, from one file that is checked whole."""

from __future__ import annotations

import pytest

from bot import personas
from bot.personas import PersonasError

HOUSE = """
version: "7"
personas:
  host: {greeting: {en: Hello}}
  cook: {greeting: {en: "Hungry?", zh: "饿了吗？"}, system: You cook., max_tokens: 9}
channels: {default: host, slack: cook}
sites:
  kitchen: {persona: cook, origins: ["https://kitchen.example"]}
"""


@pytest.fixture
def house(tmp_path):
    file = tmp_path / "personas.yaml"
    file.write_text(HOUSE)
    return personas.load(file)


def test_the_bundled_file_is_good():
    bundled = personas.load()
    assert bundled.name_for(channel="web", site="demo") == "host"
    assert bundled.personas["host"].greeting.of("zh-CN") != bundled.personas["host"].greeting.of("en")


def test_a_place_of_its_own_mind_goes_before_its_site_and_the_site_before_the_channel(house):
    assert house.name_for(channel="web", site="kitchen") == "cook"
    assert house.name_for(channel="web", site="kitchen", override="host") == "host"
    assert house.name_for(channel="slack", site="") == "cook"
    assert house.name_for(channel="telegram", site="") == "host"
    assert house.name_for(channel="telegram", site="", override="gone") == "host"


def test_english_stands_in_for_a_missing_translation(house):
    assert house.personas["host"].greeting.of("zh") == "Hello"
    assert house.personas["cook"].greeting.of("zh") == "饿了吗？"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not YAML"),
        ("version: '1'\npersonas: {}\nchannels: {default: host}", "names the persona “host”"),
        (HOUSE.replace("default: host, ", ""), "channels has no default"),
        (HOUSE.replace("https://kitchen.example", "kitchen"), "sites.kitchen.origins.0"),
        (HOUSE.replace("max_tokens: 9", "max_tokens: 0, moood: 1"), "moood"),
    ],
)
def test_every_mistake_is_named_with_its_file(tmp_path, text, told):
    file = tmp_path / "personas.yaml"
    file.write_text(text)
    with pytest.raises(PersonasError) as caught:
        personas.load(file)
    assert told in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(PersonasError, match="cannot be read"):
        personas.load(tmp_path / "none.yaml")
