"""A double of Slack that keeps Slack's promises and watches ours: every call is held against Slack's own reference.

    async with SlackDouble.open() as slack:
        slack.url = "http://127.0.0.1:8080/slack/events"        # or let the app connect: Socket Mode
        asked = await slack.say(slack.ann, slack.general, f"{slack.mention} hello")
        (answer,) = await slack.until(lambda: slack.answers(asked))
        assert answer.text == "Hello!" and not slack.violations

Knows Slack as far as Frontdesk uses it. Leaves to the tests what the adapter should do with it.
"""

from tests.slack_double.delivery import Delivery, Undelivered
from tests.slack_double.double import Elsewhere, SlackDouble, in_thread
from tests.slack_double.faults import Call, Fault
from tests.slack_double.message import Message
from tests.slack_double.state import Channel, Session, Workspace

__all__ = [
    "Call",
    "Channel",
    "Delivery",
    "Elsewhere",
    "Fault",
    "Message",
    "Session",
    "SlackDouble",
    "Undelivered",
    "Workspace",
    "in_thread",
]
