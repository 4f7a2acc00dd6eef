"""What goes wrong on purpose: errors, 429, pages in HTML, answers lost after the deed was done.

Knows which calls a fault is meant for. Leaves carrying it out to the door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that came: its arguments as values. answer: what it was told, even if that was lost on the
    way; None: nothing."""

    method: str
    arguments: Mapping[str, Any]
    at: float
    answer: Mapping[str, Any] | None = None
    status: int = 200
    injected: bool = False

    @property
    def ok(self) -> bool:
        return bool(self.answer and self.answer.get("ok"))

    @property
    def error(self) -> str:
        return str((self.answer or {}).get("description", ""))

    @property
    def result(self) -> Any:
        return (self.answer or {}).get("result")


@dataclass(kw_only=True)
class Fault:
    """Something that goes wrong with the next `left` calls of a method ("*": any) that `when` says yes to.

    status: refused with it, in HTML when `html`. lost: it is done, but the connection drops before the answer.
    dropped: the connection drops, nothing is done. hang: seconds before anything happens.
    """

    method: str
    status: int = 0
    description: str = ""
    retry_after: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    html: bool = False
    lost: bool = False
    dropped: bool = False
    hang: float = 0.0
    left: int | None = 1  # None: always
    when: Callable[[Call], bool] | None = None
    hits: int = 0

    def takes(self, call: Call) -> bool:
        """Whether it befalls this call; counts."""
        meant = self.method in (call.method, "*") and (self.when is None or self.when(call))
        if not meant or self.left == 0:
            return False
        self.hits += 1
        self.left = None if self.left is None else self.left - 1
        return True

    def stop(self) -> None:
        """All is well again."""
        self.left = 0


@dataclass
class Faults:
    waiting: list[Fault] = field(default_factory=list)

    def for_call(self, call: Call) -> Fault | None:
        return next((fault for fault in self.waiting if fault.takes(call)), None)
