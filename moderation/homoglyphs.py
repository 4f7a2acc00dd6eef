"""Letters that look like Latin ones: of other scripts, hooked and barred, small capitals, in circles and squares.

Knows single characters. Whether a word is a disguise at all is decided elsewhere.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Characters by what they look like, upper and lower case each by itself: a Greek capital nu is an N and its small
# letter a v. Cyrillic, Greek, Armenian, Cherokee, Lisu, Coptic, letters for phonetics, and a few signs.
_ALIKE = {
    "a": "аӑӓАӐӒαΑɑɐꭺᎪꓮⲁⲀ∀⍺",
    "b": "ƄƅЬьвВБβΒЪъᏏᏴꮟꓐⲃⲂᖯ",
    "c": "сСᏟꮯꓚⲥⲤҫҪ⊂𐐽",
    "d": "ԁԀᎠꭰꓓժᏧꮷꓒƍՁ",
    "e": "еЕёЁҽҼєЄεΕɛᎬꭼꓰⲉⲈэЭ℮әӘ∈ꬲꬴᴇƎǝ",
    "f": "ẝϝϜꓝքғҒ",
    "g": "ցԍԌɡᏀꮐꓖ",
    "h": "һҺнНΗᎻꮋꓧⲏⲎћЋհԋᏂꮒ",
    "i": "іІїЇιΙıɩꙇᎥꭵꓲⲓⲒɪւ",
    "j": "јЈϳͿյᎫꭻꓙ",
    "k": "кКκΚᏦꮶꓗⲕⲔқҚҡҠҝҜ",
    "l": "ӏӀƖᏞꮮꓡⳑⳐլʟ∣׀ǀ",
    "m": "мМΜᎷꮇꓟⲙⲘϻϺ",
    "n": "пПηΝиИոռꓠⲛⲚท",
    "o": "໐੦౦௦оОοΟσөӨօՕᎾꭴꓳⲟⲞסه०๐",
    "p": "рРρΡᏢꮲꓑⲣⲢþÞϸϷ",
    "q": "ԛԚզգϙ",
    "r": "гГᎡᏒꭱꮢꓣⲅꮁꭇᴦᲪꮧ",
    "s": "ѕЅᏕᏚꮥꮪꓢՏꜱʂ𐑈",
    "t": "тТτΤᎢꭲꓔⲧⲦէ",
    "u": "ʋυսцЦՍμꓴᴜʊ∪ᴗ",
    "v": "ѵѴνѶѷᏙꮩꓦ∨",
    "w": "ԝԜшШщЩωᎳꮃꓪⲱѡѠաɯ",
    "x": "хХχΧҳҲꓫⲭⲬ×ᕁᕽ",
    "y": "уУүҮΥγҰұўЎყᎩᎽꮍꓬⲩⲨ",
    "z": "ΖζᏃꮓꓜⲍⲌʐ",
}  # fmt: skip
LOOKS = {char: latin for latin, row in _ALIKE.items() for char in row}
# What stands for a letter by its own name: ƙ, ᴋ, 🅺, 🇰.
_NAMED = re.compile(
    r"(?:LATIN |(?:NEGATIVE |CIRCLED |CROSSED |PARENTHESIZED |SQUARED )+LATIN |REGIONAL INDICATOR SYMBOL )"
    r"(?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL )?([A-Z])(?: WITH(?:OUT)? .*)?"
)

# The same for a text whose case was folded: then only a small letter's look can count.
_SMALL = {char: latin for char, latin in LOOKS.items() if char == char.casefold()}
HOMOGLYPHS = {ord(char): _SMALL.get(char.casefold(), latin) for char, latin in LOOKS.items()}


@lru_cache(maxsize=4096)
def named(char: str) -> str:
    """The Latin letter that `char` is a form of by its name, in lower case; "" when it is none."""
    match = _NAMED.fullmatch(unicodedata.name(char, ""))
    return match[1].lower() if match else ""
