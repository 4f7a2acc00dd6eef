"""Telegram's updates, in the shapes that Telegram sends them: what they mean for us, and what is read before what."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from bot.channels.telegram.api import Me
from bot.channels.telegram.events import HANDLED, UNSTORABLE, lane, read
from bot.channels.telegram.lanes import person
from bot.channels.telegram.meanings import (
    Commanded,
    DraftStopped,
    Edited,
    File,
    Meaning,
    Member,
    Migrated,
    Pressed,
    Reacted,
    Said,
    Sender,
)
from bot.channels.telegram.places import Spot
from bot.messages import Unreadable

ME = Me(id=7_000_000_001, username="Frontdesk_Bot", name="Frontdesk", reads_groups=True, topics=False)
ANN: dict[str, Any] = {
    "id": 42,
    "is_bot": False,
    "first_name": "Ann",
    "last_name": "Lee",
    "username": "ann",
    "language_code": "zh-hans",
}
LI: dict[str, Any] = {"id": 43, "is_bot": False, "first_name": "Li"}
US: dict[str, Any] = {"id": ME.id, "is_bot": True, "first_name": "Frontdesk", "username": "frontdesk_bot"}
ROBOT: dict[str, Any] = {"id": 99, "is_bot": True, "first_name": "Poll", "username": "poll_bot"}
ANONYMOUS: dict[str, Any] = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}
DIRECT: dict[str, Any] = {"id": 42, "type": "private", "first_name": "Ann"}
GROUP: dict[str, Any] = {"id": -1001, "type": "supergroup", "title": "Team"}
CHANNEL: dict[str, Any] = {"id": -1009, "type": "channel", "title": "News"}
THERE = Spot(ME.id, -1001)
SENDER = Sender(id=42, name="Ann Lee", language="zh-hans")


def update(**content: Any) -> dict[str, Any]:
    return {"update_id": 501, **content}


def message(text: str | None = "hello", *, chat: dict[str, Any] = DIRECT, **more: Any) -> dict[str, Any]:
    """A message's update; what is None is left out."""
    told = {"message_id": 7, "date": 1700000000, "chat": chat, "from": ANN, "text": text, **more}
    return update(message={name: value for name, value in told.items() if value is not None})


def mark(kind: str, text: str, part: str, **more: Any) -> dict[str, Any]:
    """An entity over a part of a text, as Telegram counts it."""
    before = text[: text.index(part)]
    offset, length = (len(each.encode("utf-16-le")) // 2 for each in (before, part))
    return {"type": kind, "offset": offset, "length": length, **more}


def mention(text: str, name: str = "@frontdesk_bot", **more: Any) -> dict[str, Any]:
    """A message in a group that has a mention in it."""
    return message(text, chat=GROUP, entities=[mark("mention", text, name)], **more)


def command(text: str, *, chat: dict[str, Any] = GROUP, **more: Any) -> dict[str, Any]:
    return message(text, chat=chat, entities=[mark("bot_command", text, text.split()[0])], **more)


def meant(body: dict[str, Any]) -> Meaning | None:
    before = copy.deepcopy(body)
    event = read(body, me=ME)
    assert body == before
    return event.meaning if event else None


def said(body: dict[str, Any]) -> Said:
    found = meant(body)
    assert isinstance(found, Said)
    return found


# -- what is said ----------------------------------------------------------------------------------------------


def test_in_a_private_chat_everything_is_for_us() -> None:
    body = message("hello")
    event = read(body, me=ME)
    assert event is not None
    assert event.meaning == Said(
        spot=Spot(ME.id, 42), message_id=7, sender=SENDER, text="hello", called=True, kind="text"
    )
    assert event.key == f"{ME.id}/501"
    assert event.raw == body
    assert lane(body) == "42/0"


def test_people_among_themselves_are_nothing_to_us() -> None:
    assert meant(message("lunch?", chat=GROUP)) is None


def test_a_mention_in_a_group_is_said_to_us_and_taken_out() -> None:
    found = said(mention("@frontdesk_bot what is new?"))
    assert (found.spot, found.text, found.called) == (THERE, "what is new?", True)


def test_a_name_is_the_same_in_small_and_capital_letters() -> None:
    assert said(mention("@FRONTDESK_bot hi", "@FRONTDESK_bot")).text == "hi"


def test_a_mention_behind_emoji_is_found_where_telegram_counts_it() -> None:
    found = said(mention("🎉🎉👩‍💻 @frontdesk_bot 你好"))
    assert "你好" in found.text
    assert "🎉🎉👩‍💻" in found.text
    assert "frontdesk_bot" not in found.text


@pytest.mark.parametrize(
    "body",
    [
        message("@frontdesk_bot hi", chat=GROUP),  # Telegram did not take it for a mention
        mention("@frontdesk_bot_2 hi", "@frontdesk_bot_2"),
        mention("@frontdesk hi", "@frontdesk"),
        message(
            "see @frontdesk_bot", chat=GROUP, entities=[mark("code", "see @frontdesk_bot", "@frontdesk_bot")]
        ),
        message("Li?", chat=GROUP, entities=[mark("text_mention", "Li?", "Li", user=LI)]),
        message("hi", chat=GROUP, reply_to_message=message("hi", chat=GROUP)["message"]),
    ],
)
def test_what_only_looks_like_a_call_is_none(body: dict[str, Any]) -> None:
    assert meant(body) is None


def test_we_are_called_by_name_where_nobody_types_it() -> None:
    text = "Frontdesk, are you there?"
    found = said(message(text, chat=GROUP, entities=[mark("text_mention", text, "Frontdesk", user=US)]))
    assert found.text == "are you there?"


def test_what_a_person_marked_is_kept_as_markdown() -> None:
    text = "@frontdesk_bot why is x == 1 wrong?"
    marks = [mark("mention", text, "@frontdesk_bot"), mark("code", text, "x == 1")]
    assert said(message(text, chat=GROUP, entities=marks)).text == "why is `x == 1` wrong?"


def test_a_reply_to_us_calls_us_and_quotes_nothing() -> None:
    ours = message("42", chat=GROUP, **{"from": US})["message"]
    found = said(message("why?", chat=GROUP, reply_to_message=ours))
    assert (found.text, found.called, found.quoted) == ("why?", True, "")


def test_a_reply_to_somebody_else_that_calls_us_quotes_them() -> None:
    theirs = message("the printer is on fire", chat=GROUP, **{"from": LI})["message"]
    found = said(mention("@frontdesk_bot what now?", reply_to_message=theirs))
    assert (found.text, found.quoted, found.author) == ("what now?", "the printer is on fire", "Li")


def test_the_part_that_was_chosen_is_quoted() -> None:
    theirs = message("the printer is on fire", chat=GROUP, **{"from": LI})["message"]
    quote = {"text": "on fire", "position": 15}
    assert said(mention("@frontdesk_bot?", reply_to_message=theirs, quote=quote)).quoted == "on fire"


def test_a_message_of_another_chat_is_quoted_by_the_part_that_was_chosen() -> None:
    origin = {"type": "channel", "date": 1, "chat": CHANNEL, "message_id": 3}
    body = message("true?", external_reply={"origin": origin}, quote={"text": "it snows", "position": 0})
    found = said(body)
    assert (found.quoted, found.author) == ("it snows", "News")


def test_in_a_private_chat_nothing_is_quoted_that_was_said_to_us() -> None:
    assert said(message("and?", reply_to_message=message("before")["message"])).quoted == ""


def test_a_message_in_a_topic_that_we_opened_is_no_reply_to_us() -> None:
    opened = message(
        None, chat=GROUP, forum_topic_created={"name": "x", "icon_color": 7322096}, **{"from": US}
    )["message"]
    body = message("hi", chat=GROUP, reply_to_message=opened, message_thread_id=7, is_topic_message=True)
    assert meant(body) is None


def test_a_topic_is_a_place_and_a_lane_of_its_own() -> None:
    body = mention("@frontdesk_bot hi", message_thread_id=12, is_topic_message=True)
    assert said(body).spot == Spot(ME.id, -1001, 12)
    assert lane(body) == "-1001/12"


@pytest.mark.parametrize(
    "thread",
    [
        {"message_thread_id": 12},  # of replies
        {"message_thread_id": 1, "is_topic_message": True},  # the General topic
        {},
    ],
)
def test_elsewhere_there_is_no_topic(thread: dict[str, Any]) -> None:
    body = mention("@frontdesk_bot hi", **thread)
    assert said(body).spot == THERE
    assert lane(body) == "-1001/0"


def test_private_chats_have_topics_too() -> None:
    body = message("hi", message_thread_id=5, is_topic_message=True)
    assert said(body).spot == Spot(ME.id, 42, 5)


# -- what else a message may hold -----------------------------------------------------------------------------


DOCUMENT = {
    "file_id": "BQACAgIAAxk",
    "file_unique_id": "AgADxQ",
    "file_name": "notes.md",
    "mime_type": "text/markdown",
    "file_size": 120,
}
SIZE = {"file_id": "f", "file_unique_id": "u"}


def test_a_file_comes_with_its_caption() -> None:
    found = said(message(None, document=DOCUMENT, caption="what is this?"))
    assert (found.kind, found.text) == ("file", "what is this?")
    assert found.file == File(id="BQACAgIAAxk", name="notes.md", mime="text/markdown", size=120)


def test_a_caption_calls_us_like_a_text() -> None:
    caption = "@frontdesk_bot sum it up"
    marks = [mark("mention", caption, "@frontdesk_bot")]
    body = message(None, chat=GROUP, document=DOCUMENT, caption=caption, caption_entities=marks)
    found = said(body)
    assert (found.kind, found.text, found.called) == ("file", "sum it up", True)


def test_a_file_is_asked_about_with_a_command_below_it() -> None:
    marks = [{"type": "bot_command", "offset": 0, "length": 4}]
    body = message(None, chat=GROUP, document=DOCUMENT, caption="/ask why", caption_entities=marks)
    found = said(body)
    assert (found.kind, found.text, found.called) == ("file", "why", True)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"voice": {**SIZE, "duration": 3}}, "voice"),
        ({"audio": {**SIZE, "duration": 3}}, "voice"),
        ({"photo": [{**SIZE, "width": 1, "height": 1}]}, "photo"),
        ({"video": {**SIZE, "width": 1, "height": 1, "duration": 1}}, "video"),
        ({"video_note": {**SIZE, "length": 1, "duration": 1}}, "video"),
        (
            {"animation": {**SIZE, "width": 1, "height": 1, "duration": 1}, "document": DOCUMENT},
            "video",
        ),
        (
            {
                "sticker": {
                    **SIZE,
                    "type": "regular",
                    "width": 1,
                    "height": 1,
                    "is_animated": False,
                    "is_video": False,
                }
            },
            "sticker",
        ),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, "location"),
        ({"contact": {"phone_number": "1", "first_name": "Bo"}}, "contact"),
        ({"dice": {"emoji": "🎲", "value": 4}}, "other"),
        ({"rich_message": {"blocks": []}}, "other"),
    ],
)
def test_what_is_no_text_says_what_it_is(content: dict[str, Any], kind: str) -> None:
    found = said(message(None, **content))
    assert (found.kind, found.text, found.called, found.file) == (kind, "", True, None)


def test_each_part_of_an_album_is_read_by_itself_also_without_a_call() -> None:
    body = message(None, chat=GROUP, document=DOCUMENT, media_group_id="13579")
    found = said(body)
    assert (found.album, found.called, found.file is not None) == ("13579", False, True)
    assert lane(body) == "-1001/0/album/13579/7"


# -- commands --------------------------------------------------------------------------------------------------


def test_a_command_comes_with_what_stands_behind_it() -> None:
    found = meant(command("/Ask what is new?"))
    assert found == Commanded(
        spot=THERE, message_id=7, sender=SENDER, name="ask", argument="what is new?", addressed=False
    )


def test_a_command_may_name_us() -> None:
    found = meant(command("/ask@frontdesk_BOT why?"))
    assert isinstance(found, Commanded)
    assert (found.name, found.argument, found.addressed) == ("ask", "why?", True)


def test_a_command_for_another_bot_is_nothing_to_us() -> None:
    assert meant(command("/ask@poll_bot why?")) is None
    ours = message("42", chat=GROUP, **{"from": US})["message"]
    assert meant(command("/ask@poll_bot why?", reply_to_message=ours)) is None
    marks = [{"type": "bot_command", "offset": 0, "length": 13}]
    body = message(None, chat=GROUP, document=DOCUMENT, caption="/ask@poll_bot why", caption_entities=marks)
    assert meant(body) is None


def test_in_a_private_chat_a_command_is_ours_whomever_it_names() -> None:
    found = meant(command("/help@poll_bot", chat=DIRECT))
    assert isinstance(found, Commanded)
    assert (found.name, found.addressed) == ("help", False)


def test_what_a_link_gives_to_start_stays_as_it_is() -> None:
    found = meant(command("/start a_b_-C*d", chat=DIRECT))
    assert isinstance(found, Commanded)
    assert found.argument == "a_b_-C*d"


def test_a_command_quotes_what_it_replies_to() -> None:
    theirs = message("it snows", chat=GROUP, **{"from": LI})["message"]
    found = meant(command("/ask true?", reply_to_message=theirs))
    assert isinstance(found, Commanded)
    assert (found.quoted, found.author) == ("it snows", "Li")


def test_a_command_within_a_text_is_no_command() -> None:
    text = "what does /reset do?"
    found = said(message(text, entities=[mark("bot_command", text, "/reset")]))
    assert found.text == text


def test_a_command_that_names_us_within_a_text_calls_us() -> None:
    text = "try /ask@frontdesk_bot"
    body = message(text, chat=GROUP, entities=[mark("bot_command", text, "/ask@frontdesk_bot")])
    assert said(body).called


# -- who speaks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"from": ROBOT},
        {"from": US},
        {"from": {**ROBOT, "id": 136817688, "username": "Channel_Bot"}, "sender_chat": CHANNEL},
        {
            "from": {**LI, "id": 777000},
            "sender_chat": CHANNEL,
            "is_automatic_forward": True,
        },
        {"from": None},
        {"business_connection_id": "b1"},
        {"chat": CHANNEL},
    ],
)
def test_bots_and_channels_are_not_answered(more: dict[str, Any]) -> None:
    text = "@frontdesk_bot hi"
    given = {"chat": GROUP, "entities": [mark("mention", text, "@frontdesk_bot")], **more}
    assert meant(message(text, **given)) is None


def test_an_anonymous_admin_speaks_as_the_group() -> None:
    body = mention("@frontdesk_bot hi", sender_chat=GROUP, author_signature="boss", **{"from": ANONYMOUS})
    assert said(body).sender == Sender(id=-1001, name="boss")
    assert person(body) == "-1001"


@pytest.mark.parametrize(
    "service",
    [
        {"new_chat_members": [LI]},
        {"left_chat_member": LI},
        {"new_chat_title": "Teams"},
        {"pinned_message": message("hi", chat=GROUP)["message"]},
        {"forum_topic_created": {"name": "x", "icon_color": 7322096}},
        {"community_chat_added": {"title": "what this library does not know yet"}},
    ],
)
def test_what_telegram_tells_of_a_chat_is_nothing_to_us(service: dict[str, Any]) -> None:
    assert meant(message(None, **service)) is None


@pytest.mark.parametrize(
    "body",
    [
        update(channel_post=message("hi", chat=CHANNEL)["message"]),
        update(business_message=message("hi")["message"]),
        update(guest_message=message("hi")["message"]),
        update(poll_answer={"poll_id": "1", "user": ANN, "option_ids": [0]}),
        update(something_of_2028={"x": [1]}),
        update(message=None),
        update(),
    ],
)
def test_other_kinds_are_nothing_to_us(body: dict[str, Any]) -> None:
    assert meant(body) is None


# -- changes ---------------------------------------------------------------------------------------------------


def edited(body: dict[str, Any]) -> dict[str, Any]:
    return update(edited_message={**body["message"], "edit_date": 1700000100})


def test_an_edit_reads_like_what_was_said() -> None:
    body = edited(mention("@frontdesk_bot what is old?"))
    assert meant(body) == Edited(spot=THERE, message_id=7, text="what is old?")
    assert lane(body) == lane(mention("@frontdesk_bot what is new?"))


def test_an_edited_question_is_edited_without_its_command() -> None:
    assert meant(edited(command("/ask why?"))) == Edited(spot=THERE, message_id=7, text="why?")


def test_an_edited_caption_is_an_edit_also_when_nothing_is_left_of_it() -> None:
    body = edited(message(None, document=DOCUMENT, caption="new"))
    assert meant(body) == Edited(spot=Spot(ME.id, 42), message_id=7, text="new")
    body = edited(message(None, document=DOCUMENT))
    assert meant(body) == Edited(spot=Spot(ME.id, 42), message_id=7, text="")


def test_a_location_that_moves_is_no_edit() -> None:
    assert meant(edited(message(None, location={"latitude": 1.0, "longitude": 2.0}))) is None


def test_what_bots_change_is_nothing_to_us() -> None:
    assert meant(edited(message("hi", chat=GROUP, **{"from": ROBOT}))) is None


def test_both_sides_of_a_migration_are_told() -> None:
    small = {"id": -55, "type": "group", "title": "Team"}
    bots = {"from": ANONYMOUS}
    moved = Migrated(old=-55, new=-1001)
    assert meant(message(None, chat=small, migrate_to_chat_id=-1001, **bots)) == moved
    assert meant(message(None, chat=GROUP, migrate_from_chat_id=-55, **bots)) == moved


# -- buttons, reactions, drafts --------------------------------------------------------------------------------


def pressed(**more: Any) -> dict[str, Any]:
    ours = message("42", chat=GROUP, message_thread_id=12, is_topic_message=True, **{"from": US})["message"]
    query = {"id": "9001", "from": ANN, "chat_instance": "1", "data": "rate:3:1", "message": ours, **more}
    return update(callback_query={name: value for name, value in query.items() if value is not None})


def test_a_pressed_button_tells_where_and_by_whom() -> None:
    assert meant(pressed()) == Pressed(
        spot=Spot(ME.id, -1001, 12), message_id=7, sender=SENDER, query="9001", data="rate:3:1"
    )


def test_a_press_waits_behind_nothing_but_the_same_persons_on_the_same_message() -> None:
    assert lane(pressed()) == "-1001/query/42/7"
    assert lane(pressed()) == lane(pressed(id="9002", data="rate:3:-1"))
    assert lane(pressed()) != lane(pressed(**{"from": LI}))


def test_a_button_below_an_old_message_is_still_a_press() -> None:
    found = meant(pressed(message={"message_id": 7, "chat": GROUP, "date": 0}))
    assert isinstance(found, Pressed)
    assert (found.spot, found.message_id, found.gone) == (THERE, 7, True)
    found = meant(pressed(message=None))
    assert isinstance(found, Pressed)
    assert (found.spot, found.message_id, found.gone) == (Spot(ME.id, 42), 0, False)


def test_a_press_without_data_is_nothing_to_us() -> None:
    assert meant(pressed(data=None, game_short_name="chess")) is None


def reacted(*emoji: str, before: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    told = {
        "chat": GROUP,
        "message_id": 7,
        "user": ANN,
        "date": 1700000000,
        "old_reaction": [{"type": "emoji", "emoji": each} for each in before],
        "new_reaction": [{"type": "emoji", "emoji": each} for each in emoji],
        **more,
    }
    return update(message_reaction={name: value for name, value in told.items() if value is not None})


def test_reactions_are_told_as_they_are_now_and_as_they_were() -> None:
    body = reacted("👍", "🔥", before=("👎",))
    assert meant(body) == Reacted(
        spot=THERE, message_id=7, sender=SENDER, emoji=frozenset("👍🔥"), before=frozenset("👎")
    )
    assert lane(body) == "-1001/reaction/42/7"


def test_reactions_that_are_no_emoji_do_not_count() -> None:
    custom = [{"type": "custom_emoji", "custom_emoji_id": "5"}, {"type": "of_2028"}]
    found = meant(reacted(new_reaction=custom))
    assert isinstance(found, Reacted)
    assert found.emoji == frozenset()


def test_a_group_may_react_as_such_and_bots_do_not_count() -> None:
    body = reacted("👍", user=None, actor_chat=GROUP)
    found = meant(body)
    assert isinstance(found, Reacted)
    assert (found.sender, person(body)) == (Sender(id=-1001, name="Team"), "-1001")
    assert meant(reacted("👍", user=ROBOT)) is None


def test_a_stopped_draft_waits_behind_nothing() -> None:
    body = update(stopped_message_generation={"chat": DIRECT, "draft_id": 3, "message_thread_id": 5})
    assert meant(body) == DraftStopped(spot=Spot(ME.id, 42, 5), draft_id=3)
    assert lane(body) == "42/draft/3"
    assert person(body) == "42"


# -- coming and going ------------------------------------------------------------------------------------------


def member(before: str, now: str, *, chat: dict[str, Any] = GROUP, **more: Any) -> dict[str, Any]:
    return update(
        my_chat_member={
            "chat": chat,
            "from": ANN,
            "date": 1700000000,
            "old_chat_member": {"user": US, "status": before},
            "new_chat_member": {"user": US, "status": now, **more},
        }
    )


def test_we_are_added_and_removed() -> None:
    body = member("left", "member")
    added = Member(spot=THERE, sender=SENDER, here=True)
    assert meant(body) == added
    assert lane(body) == "-1001/0"
    removed = meant(member("member", "kicked", until_date=0))
    assert isinstance(removed, Member)
    assert not removed.here


def test_we_are_blocked_and_unblocked_in_the_lane_of_the_chat() -> None:
    blocked = meant(member("member", "kicked", chat=DIRECT, until_date=0))
    assert isinstance(blocked, Member)
    assert (blocked.here, blocked.spot) == (False, Spot(ME.id, 42))
    back = member("left", "member", chat=DIRECT)
    assert lane(back) == lane(message("hello again"))


def test_a_restricted_member_is_a_member_or_not() -> None:
    restricted = meant(member("left", "restricted", is_member=True))
    assert isinstance(restricted, Member)
    assert restricted.here
    thrown_out = meant(member("member", "restricted", is_member=False))
    assert isinstance(thrown_out, Member)
    assert not thrown_out.here


@pytest.mark.parametrize(
    "body",
    [
        member("member", "member"),
        member("member", "administrator", can_be_edited=False),
        member("left", "member", chat=CHANNEL),
        member("member", "of_2028"),
    ],
)
def test_other_rights_and_channels_are_nothing_to_us(body: dict[str, Any]) -> None:
    assert meant(body) is None


# -- what cannot be read ---------------------------------------------------------------------------------------


def strange(**changed: Any) -> dict[str, Any]:
    return update(message={**message()["message"], **changed})


POISONED: list[dict[str, Any]] = [
    update(message=7),
    update(message="hello"),
    update(message=[]),
    update(message={}),
    update(message=[message()["message"]]),
    strange(date="yesterday"),
    strange(chat={}),
    strange(chat={"id": "x", "type": "private"}),
    strange(text=7),
    strange(text={"a": 1}),
    strange(entities=[{}]),
    strange(entities=7),
    strange(entities=[{"type": "mention", "offset": "a", "length": "b"}]),
    strange(**{"from": {"id": "x", "is_bot": False, "first_name": "A"}}),
    strange(message_thread_id="x", is_topic_message=True),
    update(stopped_message_generation=7),
    update(stopped_message_generation={"chat": {}}),
    update(callback_query={"id": "1"}),
    update(my_chat_member={"chat": GROUP}),
    {UNSTORABLE: "{}"},
    {"update_id": "x", "message": message()["message"]},
    {"message": message()["message"]},
]


@pytest.mark.parametrize("body", POISONED, ids=range(len(POISONED)))
def test_what_cannot_be_read_says_so_and_nothing_of_itself(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match=r"^[\w ]*$"):
        read(body, me=ME)


@pytest.mark.parametrize("body", POISONED, ids=range(len(POISONED)))
def test_every_update_has_a_lane_and_perhaps_a_person(body: dict[str, Any]) -> None:
    assert lane(body)
    assert person(body) in ("", "42")


def test_what_the_library_stumbles_over_has_a_lane_of_its_own() -> None:
    assert lane(strange(date="yesterday")) == "update/501"
    assert lane(update(message=7)) == "update/501"
    assert lane(update(something_of_2028={})) == "update/501"


def test_what_nobody_reads_may_have_any_shape() -> None:
    poll = message(None, chat=GROUP, poll={"id": "1"}, **{"from": LI})["message"]
    found = said(mention("@frontdesk_bot who won?", reply_to_message=poll, reply_markup=7))
    assert (found.text, found.quoted) == ("who won?", "")
    assert said(message(None, poll={"id": "1"})).kind == "poll"


def test_half_of_an_emoji_breaks_nothing() -> None:
    body = json.loads(json.dumps(mention("@frontdesk_bot \ud83d hi")))
    assert "hi" in said(body).text


def test_telegram_is_asked_for_what_we_handle_and_nothing_else() -> None:
    assert set(HANDLED) == {
        "message",
        "edited_message",
        "callback_query",
        "message_reaction",
        "my_chat_member",
        "stopped_message_generation",
    }
