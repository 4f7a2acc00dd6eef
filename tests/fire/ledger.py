"""The ledger: what was acknowledged and what became of it, as seen from outside.

Knows what a reader is told, event by event, and the rules: every acknowledged message is answered once or refused with
a notice once, in order, one at a time; nothing is told twice; who reads anew reads the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ANSWERED = frozenset({"done"})


@dataclass
class Message:
    """One message as a reader sees it."""

    id: int
    author: str
    state: str
    reply_to: int | None
    blocks: list[str] = field(default_factory=list)
    open: str = ""
    ended: bool = False

    @property
    def html(self) -> str:
        return "".join(self.blocks) + self.open


@dataclass
class Story:
    """A conversation put together from its events, and every event that should not have come."""

    messages: dict[int, Message] = field(default_factory=dict)
    cursor: int = 0
    problems: list[str] = field(default_factory=list)
    pieces: int = 0  # events that brought text

    def hear(self, number: int, kind: str, data: Mapping[str, Any]) -> None:
        """One event."""
        if number <= self.cursor:
            self.problems.append(f"event {number} came after {self.cursor}")
        self.cursor = max(self.cursor, number)
        if kind == "cleared":
            self.problems.append("the conversation was cleared")
        elif kind == "said":
            self._said(data)
        else:
            self._grown(data, ended=kind == "ended")

    def _said(self, data: Mapping[str, Any]) -> None:
        message = Message(data["message"], data["author"], data["state"], data["reply_to"], [data["html"]])
        if message.id in self.messages:
            self.problems.append(f"message {message.id} began twice")
        if message.author == "model":
            earlier = [one for one in self.messages.values() if one.author == "model"]
            if any(not one.ended for one in earlier):
                self.problems.append(f"answer {message.id} began while another was under way")
            if any((one.reply_to or 0) > (message.reply_to or 0) for one in earlier):
                self.problems.append(f"answer {message.id} came out of order")
        self.messages[message.id] = message

    def _grown(self, data: Mapping[str, Any], *, ended: bool) -> None:
        message = self.messages.get(data["message"])
        if message is None or message.ended:
            self.problems.append(f"message {data['message']} went on though it had ended or never begun")
            return
        if "add" in data:
            message.open += data["add"]
        elif message.author == "model":
            message.blocks[data["from"] :] = data["blocks"]
            message.open = data.get("open", "")
        if ended:
            message.ended, message.state = True, data["state"]
        else:
            self.pieces += 1

    def answers(self, question: int) -> list[Message]:
        return [one for one in self.messages.values() if one.author == "model" and one.reply_to == question]

    def notices(self, question: int) -> list[Message]:
        return [one for one in self.messages.values() if one.author == "house" and one.reply_to == question]

    def is_over(self, question: int) -> bool:
        message = self.messages.get(question)
        return message is not None and message.ended


@dataclass
class Account:
    """One conversation: what was acknowledged of it, by the key it was sent with, and what its reader saw."""

    name: str
    acknowledged: dict[str, int] = field(default_factory=dict)  # key -> message
    order: list[int] = field(default_factory=list)  # as they were first acknowledged
    story: Story = field(default_factory=Story)
    refused: int = 0  # tries that were not acknowledged: 503, 429, a connection cut
    doubled: int = 0  # keys that were delivered again after their message was safe
    problems: list[str] = field(default_factory=list)

    def acknowledge(self, key: str, message: int, *, duplicate: bool) -> None:
        known = self.acknowledged.setdefault(key, message)
        if known != message:
            self.problems.append(f"key {key} is message {known} and message {message}")
        if message not in self.order:
            self.order.append(message)
        self.doubled += duplicate

    @property
    def is_settled(self) -> bool:
        return all(self.story.is_over(message) for message in self.order)

    def texts(self) -> list[str]:
        """What was answered, in the order of the questions."""
        return ["".join(one.html for one in self.story.answers(message)) for message in self.order]


@dataclass
class Ledger:
    """Every conversation of a scenario."""

    accounts: list[Account] = field(default_factory=list)

    def account(self, name: str) -> Account:
        self.accounts.append(Account(name))
        return self.accounts[-1]

    @property
    def acknowledged(self) -> int:
        return sum(len(account.order) for account in self.accounts)

    @property
    def answered(self) -> int:
        return sum(self._outcome(account, message) == "answered" for account, message in self._all())

    @property
    def refused(self) -> int:
        """Tries that were not acknowledged."""
        return sum(account.refused for account in self.accounts)

    @property
    def doubled(self) -> int:
        return sum(account.doubled for account in self.accounts)

    @property
    def is_settled(self) -> bool:
        return all(account.is_settled for account in self.accounts)

    def unsettled(self) -> str:
        return ", ".join(
            f"{account.name}: {message}"
            for account, message in self._all()
            if not account.story.is_over(message)
        )

    def problems(self) -> list[str]:
        """Everything against the rules; empty when the promise was kept."""
        found = []
        for account in self.accounts:
            found += [f"{account.name}: {one}" for one in (*account.problems, *account.story.problems)]
            found += [f"{account.name}: {one}" for one in _uncalled(account)]
        for account, message in self._all():
            if self._outcome(account, message) not in ("answered", "refused"):
                found.append(f"{account.name}: message {message} {self._outcome(account, message)}")
        return found

    def _all(self) -> Iterable[tuple[Account, int]]:
        return [(account, message) for account in self.accounts for message in account.order]

    def _outcome(self, account: Account, message: int) -> str:
        """`answered` or `refused`, each exactly once; else what is wrong."""
        story = account.story
        answers, notices = story.answers(message), story.notices(message)
        if message not in story.messages:
            return "was lost"
        if len(answers) > 1 or len(notices) > 1:
            return f"has {len(answers)} answers and {len(notices)} notices"
        whole = [one for one in answers if one.state in ANSWERED and one.ended]
        if whole and not notices:
            return "answered"
        if notices and not whole:
            return "refused"
        return (
            f"ended as {story.messages[message].state} with {len(whole)} answers and {len(notices)} notices"
        )


def _uncalled(account: Account) -> Iterable[str]:
    """What nobody was told to be safe is there once at most as well, and only by a key that was sent."""
    said = [one.id for one in account.story.messages.values() if one.author == "person"]
    for message in said:
        if message not in account.order:
            yield f"message {message} is there, and nobody was told so"
