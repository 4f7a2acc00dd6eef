"""A policy: one YAML file read into frozen values, or refused with every mistake in it.

Knows the file's shape. Leaves judging to the checks, and which file is used to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from moderation.errors import PolicyError
from moderation.patterns import PatternError, compile_pattern
from moderation.rules import Rule
from moderation.verdict import Action, Direction

BUNDLED = Path(__file__).with_name("policy.yaml")
DIRECTIONS: dict[str, tuple[Direction, ...]] = {
    "input": ("input",),
    "output": ("output",),
    "both": ("input", "output"),
}
ACTIONS: tuple[Action, ...] = ("review", "redact", "block")  # a rule that allows would say nothing
REQUIRED = ("name", "pattern", "direction", "action", "category", "reason")
FIELDS = (*REQUIRED, "replacement")


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be said. `version` is kept with every verdict; `max_input_chars` in characters."""

    version: str
    max_input_chars: int
    rules: tuple[Rule, ...]


def load(path: Path | None = None) -> Policy:
    """Reads a policy file, the bundled one when none is named. Raises PolicyError naming every mistake."""
    path = path or BUNDLED
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise PolicyError(f"{path}: must hold version, limits and rules; see {BUNDLED.name} for an example")
    reader = _Reader()
    policy = reader.policy(content)
    if reader.mistakes or policy is None:
        raise PolicyError("\n".join(f"{path}: {mistake}" for mistake in reader.mistakes))
    return policy


class _Reader:
    """Reads one file's content and collects what is wrong with it."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def policy(self, content: dict[Any, Any]) -> Policy | None:
        self._unknown(content, known=("version", "limits", "rules"), where="the file")
        version = content.get("version")
        if not isinstance(version, str) or not version:
            self.mistakes.append("version: must be text, such as '2026-11-01' in quotes")
        limit = self._limit(content.get("limits"))
        rules = self._rules(content.get("rules"))
        return None if self.mistakes else Policy(version=str(version), max_input_chars=limit, rules=rules)

    def _limit(self, limits: object) -> int:
        limits = limits if isinstance(limits, dict) else {}
        self._unknown(limits, known=("max_input_chars",), where="limits")
        limit = limits.get("max_input_chars")
        if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0:
            return limit
        self.mistakes.append("limits: max_input_chars must be a number above 0, such as 16000")
        return 0

    def _rules(self, rules: object) -> tuple[Rule, ...]:
        if not isinstance(rules, list):
            self.mistakes.append("rules: must be a list; write [] for none")
            return ()
        read = [self._rule(rule, number=number) for number, rule in enumerate(rules, start=1)]
        names = [rule.name for rule in read if rule]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.mistakes.append(f"rule {name!r}: this name is used more than once; give each rule its own")
        return tuple(rule for rule in read if rule)

    def _rule(self, rule: object, *, number: int) -> Rule | None:
        if not isinstance(rule, dict):
            self.mistakes.append(f"rule {number}: must hold {', '.join(REQUIRED)}")
            return None
        where = f"rule {rule.get('name') or number!r}"
        before = len(self.mistakes)
        self._unknown(rule, known=FIELDS, where=where)
        for field in FIELDS:
            value = rule.get(field)
            if (field in REQUIRED or value is not None) and (not isinstance(value, str) or not value):
                self.mistakes.append(f"{where}: {field} must be text (put it in quotes)")
        self._one_of(rule, "direction", tuple(DIRECTIONS), where=where)
        self._one_of(rule, "action", ACTIONS, where=where)
        if rule.get("replacement") is not None and rule.get("action") != "redact":
            self.mistakes.append(f"{where}: replacement is only for the action redact; remove it")
        if len(self.mistakes) > before:
            return None
        return self._compiled(rule, where=where)

    def _compiled(self, rule: dict[str, Any], *, where: str) -> Rule | None:
        try:
            pattern = compile_pattern(rule["pattern"])
        except PatternError as error:
            self.mistakes.append(f"{where}: the pattern {error}")
            return None
        return Rule(
            name=rule["name"],
            pattern=pattern,
            directions=DIRECTIONS[rule["direction"]],
            action=rule["action"],
            category=rule["category"],
            reason=rule["reason"],
            replacement=rule.get("replacement"),
        )

    def _one_of(self, rule: dict[Any, Any], field: str, known: tuple[str, ...], *, where: str) -> None:
        value = rule.get(field)
        if isinstance(value, str) and value and value not in known:
            self.mistakes.append(f"{where}: {field} {value!r} is unknown; use one of {', '.join(known)}")

    def _unknown(self, found: dict[Any, Any], *, known: tuple[str, ...], where: str) -> None:
        for key in found:
            if key not in known:
                self.mistakes.append(f"{where}: {key!r} is unknown; use {', '.join(known)}")
