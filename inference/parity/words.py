"""The gate's look at words: every token at its place, and every text read and written as transformers does.

Knows a made folder's vocabulary and tokenizer, and the source's tokenizer as transformers has loaded it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inference.parity import Check

TEXT = """The harbour office opens at nine. Ships that arrive earlier wait outside, and their captains drink coffee.
"How long?" asked the young sailor. "Until the tide turns," the old one said, and he laughed.
港口九点开门,早到的船在外面等候。Der Hafen öffnet um neun Uhr. def add(a, b):\n    return a + b  # 3.14159
"""
LINES = (*TEXT.splitlines(), "  two  spaces,\ttab", "naïve café ☕ 👋🏽", "0123456789", "don't WE'LL", "")


def same_words(made: Path, tokenizer: Any) -> Iterator[Check]:
    """Every token at its id in CTranslate2's vocabulary, and texts read and written as transformers does."""
    held: Mapping[str, int] = tokenizer.get_vocab()
    listed = json.loads((made / "vocabulary.json").read_text(encoding="utf-8"))
    moved = [t for t, i in held.items() if i < len(listed) and listed[i] != t]
    yield Check("tokens at another id", len(moved), "at most", 0, note=", ".join(map(repr, moved[:3])))
    yield Check("texts read otherwise", len(read_otherwise(made, tokenizer)), "at most", 0)


def read_otherwise(made: Path, tokenizer: Any) -> list[str]:
    """The lines that made/tokenizer.json reads or writes otherwise than transformers does with the source's."""
    from tokenizers import Tokenizer

    mine = Tokenizer.from_file(str(made / "tokenizer.json"))
    different = []
    for line in LINES:
        ids = tokenizer(line, add_special_tokens=False)["input_ids"]
        same = mine.encode(line, add_special_tokens=False).ids == ids
        if not same or mine.decode(ids, skip_special_tokens=False) != tokenizer.decode(
            ids, clean_up_tokenization_spaces=False
        ):
            different.append(line)
    return different
