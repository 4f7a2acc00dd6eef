"""What stands in a message of ours, as Slack's blocks: the model's Markdown, the house's sentences, the buttons.

Knows Block Kit and the names of our buttons. Leaves what a pressed button does to `actions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.markup.slack import mrkdwn_escaped, neutral
from bot.notices import notice

Block = dict[str, Any]

FEEDBACK = "frontdesk_feedback"
AGAIN = "frontdesk_again"
NEW = "frontdesk_new"
STOP = "frontdesk_stop"

EXCERPT = 700  # characters; escaped they are still within the 4,000 that chat.update takes as text
SENTENCE = 590  # characters of one element; escaped they are within the 3,000 that a text object takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a message says: the model's Markdown (neutral already), the house's sentences below it, the buttons last."""

    markdown: str = ""
    sentences: tuple[str, ...] = ()
    buttons: tuple[Block, ...] = ()

    @property
    def below(self) -> list[Block]:
        """What stands below the model's words."""
        small = bool(self.markdown)
        return [*_sentences(self.sentences, small=small), *self.buttons]

    @property
    def blocks(self) -> list[Block]:
        """All of it."""
        return [*([{"type": "markdown", "text": self.markdown}] if self.markdown else []), *self.below]

    @property
    def excerpt(self) -> str:
        """What notifications and screen readers tell instead of blocks."""
        return mrkdwn_escaped(neutral(self.markdown or "\n".join(self.sentences))[:EXCERPT])

    @property
    def alone(self) -> str:
        """All its words as Markdown, for a workspace that takes no blocks."""
        return "\n\n".join(filter(None, (self.markdown, *map(neutral, self.sentences))))


def answered(answer_id: int, thread: str, language: str) -> tuple[Block, ...]:
    """The buttons below a finished answer."""
    return (
        {
            "type": "context_actions",
            "elements": [
                {
                    "type": "feedback_buttons",
                    "action_id": FEEDBACK,
                    "positive_button": _thumb("button_helpful", f"{answer_id}:1", language),
                    "negative_button": _thumb("button_unhelpful", f"{answer_id}:-1", language),
                }
            ],
        },
        {
            "type": "actions",
            "elements": [
                _button(AGAIN, "button_again", str(answer_id), language),
                _button(NEW, "button_new", thread, language),
            ],
        },
    )


def stoppable(thread: str, language: str) -> tuple[Block, ...]:
    """The button below an answer that is still growing, where Slack offers none of its own."""
    return ({"type": "actions", "elements": [_button(STOP, "button_stop", thread, language)]},)


def _sentences(sentences: Sequence[str], *, small: bool) -> list[Block]:
    """In small print below an answer, as what it says where there is none."""
    texts = [
        {"type": "mrkdwn", "text": mrkdwn_escaped(neutral(sentence[at : at + SENTENCE]))}
        for sentence in sentences
        for at in range(0, len(sentence), SENTENCE)
    ]
    if small:
        return [{"type": "context", "elements": [text]} for text in texts]
    return [{"type": "section", "text": text} for text in texts]


def _thumb(name: str, value: str, language: str) -> dict[str, Any]:
    label = notice(name, language)
    return {"text": _plain(label), "accessibility_label": label, "value": value}


def _button(action_id: str, name: str, value: str, language: str) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": action_id,
        "text": _plain(notice(name, language)),
        "value": value,
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}
