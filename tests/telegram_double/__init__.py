"""A double of Telegram that keeps the Bot API's promises and watches ours: every call is held against aiogram's models.

    async with telegram_double() as telegram:
        ann = telegram.person("Ann")
        chat = telegram.private(ann)
        await telegram.say(ann, chat, "Hello")              # an update, for getUpdates or the webhook
        (answer,) = await telegram.until(lambda: telegram.answers_in(chat))
        assert answer.text == "Hello!" and not telegram.problems

Knows Telegram as far as Frontdesk uses it. Leaves to the tests what the adapter should do with it.
"""

from tests.telegram_double.delivery import Delivery
from tests.telegram_double.double import Elsewhere, TelegramDouble, in_thread, telegram_double
from tests.telegram_double.faults import Call, Fault
from tests.telegram_double.message import Message
from tests.telegram_double.state import Chat, Query, User

__all__ = [
    "Call",
    "Chat",
    "Delivery",
    "Elsewhere",
    "Fault",
    "Message",
    "Query",
    "TelegramDouble",
    "User",
    "in_thread",
    "telegram_double",
]
