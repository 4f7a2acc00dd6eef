"""What a model is called, `NAME@version:variant`, and the errors of those who look for one.

Knows words only. Which of them exist is the library's business.
"""

import re
from dataclasses import dataclass

# In the order of preference: what NAME alone means is the first of these that is there.
VARIANTS = (
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
    "float16",
    "bfloat16",
    "float32",
    "awq",
)

STARTER = "starter"
DEFAULT, CANARY = "default", "canary"
# Of classifiers: the one that `frontdesk models classify` asks, and the one that judges messages in place of the
# bundled one. Both are empty until somebody promotes one.
CLASSIFIER, MODERATION = "classifier", "moderation"
OF_CLASSIFIERS = (CLASSIFIER, MODERATION)
ALIASES = (DEFAULT, CANARY, *OF_CLASSIFIERS)

# One path component on every system, short enough for a metric label.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VERSION = re.compile(r"[0-9a-f]{8}")


class ModelNotFound(LookupError):
    """There is no such model; the message says which there are and what to do.

    LookupError
    └── ModelNotFound
        ├── ModelIncomplete
        │   └── ModelDamaged
        │       └── UnsafeFolder
        └── AliasesBroken
    """


class ModelIncomplete(ModelNotFound):
    """The folder is there, but a file or a fact is missing; the message names it."""


class ModelDamaged(ModelIncomplete):
    """The folder is not what its manifest says; the message names every file that differs."""


class UnsafeFolder(ModelDamaged):
    """The folder holds what must not be opened: links out, pickles, headers that lie. The message says which."""


class AliasesBroken(ModelNotFound):
    """aliases.json cannot be read or says nothing sensible. Who is serving keeps what it serves."""


class NoReference(ValueError):
    """The text is no model's name; the message says what one looks like."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name, and as much of version and variant as was said."""

    name: str
    version: str = ""
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Raises NoReference. Aliases are names here: who knows them asks for them first."""
        rest, colon, variant = text.partition(":")
        name, at, version = rest.partition("@")
        if not NAME.fullmatch(name):
            raise NoReference(
                f"{text[:80]!r} is no model name: letters, digits, dots, dashes and underscores, 64 at most."
            )
        if at and not VERSION.fullmatch(version):
            raise NoReference(f"{text[:80]!r} is no model name: a version is eight hexadecimal digits.")
        if colon and variant not in VARIANTS:
            raise NoReference(f"{text[:80]!r} is no model name: variants are {', '.join(VARIANTS)}.")
        return cls(name=name, version=version, variant=variant)

    @property
    def plain(self) -> bool:
        """A name and nothing else."""
        return not (self.version or self.variant)

    @property
    def canonical(self) -> bool:
        """One variant of one version: what stands on the wire and in metrics."""
        return bool(self.version and self.variant)

    def covers(self, other: "Reference") -> bool:
        """Whether `other` is among what this one may mean."""
        return (
            self.name == other.name
            and self.version in ("", other.version)
            and self.variant in ("", other.variant)
        )

    def __str__(self) -> str:
        version = f"@{self.version}" if self.version else ""
        variant = f":{self.variant}" if self.variant else ""
        return f"{self.name}{version}{variant}"


def is_path(text: str) -> bool:
    """What holds a slash, or begins with a dot or a tilde, is a path and never a name."""
    return "/" in text or "\\" in text or text.startswith((".", "~"))
