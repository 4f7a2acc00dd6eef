"""Every sentence that the house itself says, in English and Simplified Chinese: the one catalogue.

Knows words only: not when they are said, nor where they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.notices.house import HOUSE
from bot.notices.slack import SLACK
from bot.notices.telegram import TELEGRAM
from bot.notices.words import Language, Words

CATALOGUE: Words = {**HOUSE, **SLACK, **TELEGRAM}


def notice(name: str, language: str = "en", **values: object) -> str:
    """The sentence `name` in `language` ("zh…" is Chinese, all else English), with its values filled in.

    Raises KeyError for a name that is not in the catalogue.
    """
    return CATALOGUE[name][_chosen(language)].format(**values)


def own(words: Mapping[str, str], language: str) -> str:
    """What the operator's policy says in `language`, English standing in; empty when it says nothing."""
    return words.get(_chosen(language)) or words.get("en", "")


def _chosen(language: str) -> Language:
    return "zh" if language.lower().startswith("zh") else "en"
