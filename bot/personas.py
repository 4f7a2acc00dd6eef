"""Personas and sites: who answers, with which words, on which channel and website; read from one YAML file.

Knows the file's shape and checks it whole. Does not know who is asking or what the model says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Generic, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

BUNDLED = Path(__file__).parent / "personas.yaml"

Origin = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+$")]
SiteKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


T = TypeVar("T")


class PersonasError(Exception):
    """The personas file cannot be used; the message names the file and every mistake in it."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Frozen, Generic[T]):
    """The same in each language; English stands in for a missing one."""

    en: T
    zh: T | None = None

    def of(self, language: str) -> T:
        """The words for `language` ("zh…" is Chinese, all else English)."""
        return self.zh if self.zh is not None and language.lower().startswith("zh") else self.en


class Persona(_Frozen):
    """A system prompt, a voice and the limits of an answer."""

    system: str = ""
    model: str = "default"
    max_tokens: int = Field(512, ge=1)
    temperature: float = Field(0.0, ge=0.0, le=2.0)
    greeting: Words[str]
    suggestions: Words[tuple[str, ...]] = Words(en=())


class Site(_Frozen):
    """A website that may carry the widget."""

    persona: str
    title: Words[str] = Words(en="Frontdesk")
    origins: tuple[Origin, ...] = ()


class Personas(_Frozen):
    """The whole file."""

    version: str
    personas: dict[str, Persona]
    channels: dict[str, str]
    sites: dict[SiteKey, Site] = {}

    @model_validator(mode="after")
    def _names_exist(self) -> Personas:
        named = {f"channels.{name}": persona for name, persona in self.channels.items()}
        named |= {f"sites.{key}": site.persona for key, site in self.sites.items()}
        unknown = [
            f"{where} names the persona “{name}”"
            for where, name in named.items()
            if name not in self.personas
        ]
        if "default" not in self.channels:
            unknown.append("channels has no default")
        if unknown:
            raise ValueError(f"{'; '.join(unknown)}; known personas: {', '.join(sorted(self.personas))}")
        return self

    def name_for(self, *, channel: str, site: str, override: str | None = None) -> str:
        """Which persona speaks: the place's own, else the site's, else the channel's."""
        if override in self.personas:
            return str(override)
        if channel == "web" and site in self.sites:
            return self.sites[site].persona
        return self.channels.get(channel, self.channels["default"])


def load(path: Path | None = None) -> Personas:
    """Read and check the file at `path`, or the bundled one. Raises PersonasError naming all mistakes."""
    path = path or BUNDLED
    try:
        return Personas.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PersonasError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.YAMLError as error:
        raise PersonasError(f"{path}: is not YAML: {error}") from None
    except ValidationError as error:
        mistakes = [
            f"  {'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors(include_url=False)
        ]
        raise PersonasError("\n".join([f"{path}:", *mistakes])) from None
