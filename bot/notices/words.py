"""What a catalogue is: a name, and the sentence in each language."""

from typing import Literal

Language = Literal["en", "zh"]
Words = dict[str, dict[Language, str]]
