"""Every sentence of the house: there in both languages, with the same gaps to fill."""

from __future__ import annotations

import string

import pytest

from bot.notices import CATALOGUE, notice


def gaps(sentence):
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("name", CATALOGUE)
def test_both_languages_say_it_with_the_same_gaps(name):
    words = CATALOGUE[name]
    assert words.keys() == {"en", "zh"}
    assert gaps(words["en"]) == gaps(words["zh"])
    assert any("\u4e00" <= character <= "\u9fff" for character in words["zh"])


def test_an_unknown_language_is_answered_in_english():
    assert notice("stopped", "fr") == notice("stopped", "en") == "Stopped."
    assert notice("stopped", "zh-CN") == "已停止。"


def test_gaps_are_filled():
    assert "7 s" in notice("busy", "en", seconds=7)
