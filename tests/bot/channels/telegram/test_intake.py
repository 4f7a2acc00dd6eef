"""What people say in Telegram reaches the house once, whole, from the right person, where it belongs; or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from bot.channels.telegram.api import TelegramFailure
from bot.channels.telegram.gone import Gone
from bot.channels.telegram.meanings import Event, Said
from bot.messages import Attachment, Incoming, KeptEvent, NotAccepted, Receipt, Refusal, Unavailable
from bot.notices import notice
from tests.bot.channels.house import House
from tests.bot.channels.telegram.house import Office, office
from tests.telegram_double import TelegramDouble, User


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def at(telegram: TelegramDouble, house: House) -> AsyncIterator[Office]:
    async with office(telegram, house) as opened:
        yield opened


@pytest.fixture
def ann(telegram: TelegramDouble) -> User:
    return telegram.person("Ann")


@pytest.fixture
def li(telegram: TelegramDouble) -> User:
    return telegram.person("李", language="zh-hans")


def texts(house: House) -> list[str]:
    return [incoming.text for incoming in house.received]


# -- where and from whom -----------------------------------------------------------------------------------------


async def test_a_private_message_is_received_once_though_it_is_delivered_twice(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    chat = telegram.private(ann)
    said = await at.say(ann, chat, "what is 6 * 7?")
    telegram.duplicate(said)
    await at.idle()
    (incoming,) = at.house.received
    assert incoming.key == f"{telegram.me.id}/{chat.id}/{said.id}"
    assert incoming.place.key == f"{telegram.me.id}/{chat.id}/0"
    assert (incoming.place.channel, incoming.place.site) == ("telegram", str(chat.id))
    assert (incoming.person.channel, incoming.person.key) == ("telegram", str(ann.id))
    assert (incoming.person.name, incoming.person.language) == ("Ann", "en")
    assert incoming.text == "what is 6 * 7?"


async def test_in_a_group_only_what_calls_us_is_received(
    at: Office, telegram: TelegramDouble, ann: User, li: User
) -> None:
    group = telegram.group("Team", ann, li)
    await at.say(ann, group, "lunch?")
    await at.say(ann, group, f"{telegram.mention()} what is 6 * 7?")
    await at.answer(at.house.received[0], "It is 42.")
    (answer,) = telegram.answers_in(group)
    await at.say(li, group, "and 6 * 8?", reply_to=answer)
    await at.say(li, group, "thanks")
    assert texts(at.house) == ["what is 6 * 7?", "and 6 * 8?"]
    assert [incoming.person.key for incoming in at.house.received] == [str(ann.id), str(li.id)]
    assert at.house.received[1].person.language == "zh"
    assert answer.reply_to


async def test_a_topic_is_a_conversation_of_its_own(at: Office, telegram: TelegramDouble, ann: User) -> None:
    forum = telegram.group("Forum", ann, forum=True)
    await at.say(ann, forum, f"{telegram.mention()} here?")
    topic = telegram.topic(forum, "Builds")
    await at.say(ann, forum, f"{telegram.mention()} there?", topic=topic)
    places = [incoming.place.key.split("/")[2] for incoming in at.house.received]
    assert places == ["0", str(topic)]


async def test_what_is_refused_is_told_in_its_topic_as_a_reply(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    forum = telegram.group("Forum", ann, forum=True)
    await at.say(ann, forum, "general words")
    topic = telegram.topic(forum, "Builds")
    said = await at.say(ann, forum, f"{telegram.mention()} {'long ' * 2_000}", topic=topic)
    (answer,) = telegram.answers_in(forum)
    assert (answer.text, answer.topic, answer.reply_to) == (notice("oversized", limit=8_000), topic, said.id)


async def test_bots_are_never_answered(at: Office, telegram: TelegramDouble, ann: User) -> None:
    group = telegram.group("Team", ann)
    robot = telegram.person("Robot", is_bot=True, username="robot_bot")
    await at.say(robot, group, f"{telegram.mention()} hello")
    await at.say(ann, group, f"{telegram.mention()} hello")
    assert texts(at.house) == ["hello"]


async def test_an_administrator_who_stays_anonymous_is_the_group(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    group = telegram.group("Team", ann)
    await telegram.say_anonymously(group, f"{telegram.mention()} hello")
    await at.idle()
    (incoming,) = at.house.received
    assert incoming.person.key == str(group.id)


async def test_whoever_was_quoted_is_quoted(
    at: Office, telegram: TelegramDouble, ann: User, li: User
) -> None:
    group = telegram.group("Team", ann, li)
    before = await at.say(li, group, "The build is red.\nSince noon.")
    await at.say(ann, group, f"{telegram.mention()} why?", reply_to=before)
    await at.say(ann, group, telegram.mention(), reply_to=before)
    quote = "> The build is red.\n> Since noon."
    assert texts(at.house) == [f"{quote}\n\nwhy?", notice("ask_about", author="李", quote=quote)]


async def test_a_long_quotation_leaves_room_for_the_question(
    at: Office, telegram: TelegramDouble, ann: User, li: User
) -> None:
    group = telegram.group("Team", ann, li)
    before = await at.say(li, group, "\n".join(["x"] * 2_000))
    await at.say(ann, group, f"{telegram.mention()} {'why ' * 900}?", reply_to=before)
    (text,) = texts(at.house)
    assert text.startswith("> x\n> x\n")
    assert text.endswith("why ?")


async def test_our_name_alone_is_asked_what_it_is_about(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    group = telegram.group("Team", ann)
    await at.say(ann, group, telegram.mention())
    assert at.said(group) == [notice("telegram_ask")]
    assert not at.house.received


async def test_marks_become_markdown(at: Office, telegram: TelegramDouble, ann: User) -> None:
    await at.say(
        ann, telegram.private(ann), "run it now", entities=[{"type": "code", "offset": 0, "length": 3}]
    )
    assert texts(at.house) == ["`run` it now"]


# -- who is not answered -----------------------------------------------------------------------------------------


async def test_whom_we_may_not_answer_is_told_so_once_in_their_language(
    telegram: TelegramDouble, house: House, ann: User, li: User
) -> None:
    async with office(telegram, house, TELEGRAM_PEOPLE=str(ann.id)) as at:
        group = telegram.group("Team", ann, li)
        await at.say(li, telegram.private(li), "你好")
        await at.say(li, telegram.private(li), "你好？")
        await at.say(li, group, "午饭？")
        await at.say(ann, group, f"{telegram.mention()} hello")
        assert at.said(telegram.private(li)) == [notice("not_for_you", "zh")]
        assert at.said(group) == []
        await at.say(li, group, f"{telegram.mention()} 你好")
        assert at.said(group) == [notice("not_for_you", "zh")]
    assert texts(house) == ["hello"]


async def test_another_group_is_told_so_once(telegram: TelegramDouble, house: House, ann: User) -> None:
    ours, other = telegram.group("Ours", ann), telegram.group("Other", ann)
    async with office(telegram, house, TELEGRAM_GROUPS=str(ours.id)) as at:
        for group in (ours, other, other):
            await at.say(ann, group, f"{telegram.mention()} hello")
        await at.say(ann, telegram.private(ann), "in private always")
        assert at.said(other) == [notice("telegram_elsewhere")]
    assert texts(house) == ["hello", "in private always"]


async def test_an_anonymous_administrator_is_answered_where_the_operator_named_the_group(
    telegram: TelegramDouble, house: House, ann: User
) -> None:
    named, other = telegram.group("Named", ann), telegram.group("Other", ann)
    variables = {"TELEGRAM_PEOPLE": str(ann.id), "TELEGRAM_GROUPS": str(named.id)}
    async with office(telegram, house, **variables) as at:
        for group in (named, other):
            await telegram.say_anonymously(group, f"{telegram.mention()} hello")
            await at.idle()
    assert [incoming.place.site for incoming in house.received] == [str(named.id)]


# -- what happens to messages and chats ------------------------------------------------------------------------


async def test_an_edit_changes_our_copy_and_is_not_answered(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    group = telegram.group("Team", ann)
    said = await at.say(ann, group, f"{telegram.mention()} what is 6 * 8?")
    asked = await at.say(ann, group, "/ask what is 6 * 8?")
    other = await at.say(ann, group, "lunch?")
    await telegram.edit(said, f"{telegram.mention()} what is 6 * 7?")
    await telegram.edit(asked, "/ask what is 6 * 9?")
    await telegram.edit(other, f"{telegram.mention()} lunch?")
    await at.idle()
    first, second = at.house.received
    assert at.house.revised == {first.key: "what is 6 * 7?", second.key: "what is 6 * 9?"}


async def test_an_edit_leaves_what_the_words_are_about(
    at: Office, telegram: TelegramDouble, ann: User, li: User
) -> None:
    group = telegram.group("Team", ann, li)
    before = await at.say(li, group, "The build is red.")
    said = await at.say(ann, group, f"{telegram.mention()} whyy?", reply_to=before)
    await telegram.edit(said, f"{telegram.mention()} why?")
    await telegram.edit(said, telegram.mention())
    await at.idle()
    (incoming,) = at.house.received
    assert incoming.text == "> The build is red.\n\nwhyy?"
    assert at.house.revised == {incoming.key: "> The build is red.\n\nwhy?"}


async def test_a_caption_that_is_taken_away_leaves_the_file(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    said = await telegram.send_file(ann, telegram.private(ann), "a.txt", "text", caption="read this")
    await at.idle()
    await telegram.edit(said, "")
    await at.idle()
    assert not at.house.revised
    assert not at.house.withdrawn


async def test_a_group_that_moves_takes_its_conversation_along(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    group = telegram.group("Team", ann, supergroup=False)
    await at.say(ann, group, f"{telegram.mention()} hello")
    new = await telegram.migrate(group)
    await at.idle()
    await at.say(ann, new, f"{telegram.mention()} still here?")
    bot = telegram.me.id
    assert at.house.moved == [(f"{bot}/{group.id}/0", f"{bot}/{new.id}/0")]
    assert not at.house.failures


async def test_a_group_that_moves_out_of_the_list_is_told_to_the_operator(
    telegram: TelegramDouble, house: House, ann: User, logged: list[MutableMapping[str, Any]]
) -> None:
    group, other = (telegram.group(title, ann, supergroup=False) for title in ("Team", "Other"))
    async with office(telegram, house, TELEGRAM_GROUPS=str(group.id)) as at:
        new = await telegram.migrate(group)
        await telegram.migrate(other)
        await at.idle()
    told = {(line["chat"], line["now"]) for line in logged if "TELEGRAM_GROUPS" in line["event"]}
    assert told == {(group.id, new.id)}


async def test_a_chat_that_blocks_us_is_left_alone_until_it_writes(
    at: Office, telegram: TelegramDouble, ann: User, house: House
) -> None:
    gone, chat = Gone(house.notes), telegram.private(ann)  # type: ignore[arg-type]
    await telegram.block(ann)
    await at.idle()
    assert await gone.is_gone(chat.id)
    await telegram.unblock(ann)
    await at.idle()
    assert not await gone.is_gone(chat.id)
    await gone.mark(chat.id)
    await at.say(ann, chat, "hello?")
    assert not await gone.is_gone(chat.id)


async def test_in_a_new_group_we_say_once_how_to_be_called(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    group = telegram.group("Team", ann, member=False)
    await telegram.add(ann, group)
    await at.idle()
    await telegram.add(ann, group, admin=True)
    await at.idle()
    (hello,) = at.said(group)
    assert "/ask" in hello
    await telegram.remove(group)
    await telegram.add(ann, group)
    await at.idle()
    assert at.said(group) == [hello, hello]


@pytest.mark.parametrize("reads_groups", [True, False])
async def test_only_what_will_arrive_is_promised(
    telegram: TelegramDouble, house: House, ann: User, reads_groups: bool
) -> None:
    telegram.settings.reads_groups = reads_groups
    async with office(telegram, house) as at:
        group = telegram.group("Team", ann, member=False)
        await telegram.add(ann, group)
        await at.idle()
        (hello,) = at.said(group)
    assert (f"@{telegram.me.username}" in hello) == reads_groups


async def test_a_group_where_we_do_not_answer_is_not_greeted(
    telegram: TelegramDouble, house: House, ann: User
) -> None:
    async with office(telegram, house, TELEGRAM_GROUPS="-1001") as at:
        group = telegram.group("Team", ann, member=False)
        await telegram.add(ann, group)
        await at.idle()
        assert not at.said(group)


# -- when something goes wrong -----------------------------------------------------------------------------------


async def test_what_is_said_in_a_chat_is_received_in_order(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    for number in range(10):
        await telegram.say(ann, telegram.private(ann), f"part {number}")
    await at.idle()
    assert texts(at.house) == [f"part {number}" for number in range(10)]


@pytest.mark.parametrize(("retry_after", "told"), [(30, 2), (40_000, 2), (0, 6)])
async def test_who_asks_too_much_is_told_once_a_while_not_each_time(
    at: Office, telegram: TelegramDouble, ann: User, li: User, retry_after: int, told: int
) -> None:
    async def receive(_: Incoming) -> Receipt:
        raise NotAccepted(Refusal("flood", "Slowly, please.", retry_after=retry_after))

    at.house.receive = receive  # type: ignore[method-assign]
    group = telegram.group("Team", ann, li)
    for who in (ann, li):
        for _ in range(3):
            await at.say(who, group, f"{telegram.mention()} now!")
    assert at.said(group) == ["Slowly, please."] * told
    kept = [until for name, (_, until) in at.house.notes.notes.items() if "/flood" in name]
    assert all(until is not None and until <= at.house.notes.clock() + 60 for until in kept)


async def test_a_refusal_is_told_once_however_often_it_is_read(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    put, troubles = at.house.notes.put, iter([Unavailable("the process dies here")])

    async def failing(name: str, value: str, *, seconds: float | None = None) -> None:
        await put(name, value, seconds=seconds)
        if name.startswith("said/"):
            for trouble in troubles:
                raise trouble

    at.house.notes.put = failing  # type: ignore[method-assign]
    await at.say(ann, telegram.private(ann), "long " * 2_000)
    assert len(at.house.failures) == 1
    assert at.said(telegram.private(ann)) == [notice("oversized", limit=8_000)]


async def test_a_notice_that_did_not_get_there_is_said_when_it_is_read_again(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    telegram.fail("sendMessage", status=401, description="Unauthorized", times=2)
    await at.say(ann, telegram.private(ann), "/reset")
    assert len(at.house.failures) == 2
    assert at.said(telegram.private(ann)) == [notice("reset")]
    assert texts(at.house) == ["/reset"]


async def test_a_notice_that_may_have_got_there_is_not_said_again(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    telegram.fail("sendMessage", lost=True)
    await at.say(ann, telegram.private(ann), "/reset")
    assert at.said(telegram.private(ann)) == [notice("reset")]
    assert not at.house.failures


async def test_a_notice_waits_for_no_long_flood(at: Office, telegram: TelegramDouble, ann: User) -> None:
    telegram.fail("sendMessage", retry_after=3_600, times=None)
    at.channel.api.budget.scale = 1.0
    await at.say(ann, telegram.private(ann), "/reset")
    assert not at.house.failures
    assert not at.said(telegram.private(ann))


async def test_a_notice_that_can_never_get_there_is_let_go(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    telegram.fail("sendMessage", status=403, description="Forbidden: bot was blocked by the user", times=None)
    await at.say(ann, telegram.private(ann), "/reset")
    assert texts(at.house) == ["/reset"]
    assert not at.house.failures
    assert await Gone(at.house.notes).is_gone(ann.id)  # type: ignore[arg-type]


async def test_a_notice_whose_marks_are_refused_is_said_plainly(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    group = telegram.group("Team", ann)
    telegram.fail("sendMessage", description="Bad Request: can't parse entities: unsupported")
    await at.say(ann, group, "/help")
    (message,) = telegram.answers_in(group)
    assert "/forget" in message.text
    assert not [entity for entity in message.entities if entity["type"] == "code"]


async def test_a_file_that_is_no_text_is_named_once_however_often_it_is_read(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    receive, troubles = at.house.receive, iter([Unavailable("the house is away")] * 3)

    async def failing(incoming: Incoming) -> Receipt:
        for trouble in troubles:
            raise trouble
        return await receive(incoming)

    at.house.receive = failing  # type: ignore[method-assign]
    chat = telegram.private(ann)
    await telegram.send_file(ann, chat, "cat.png", b"\x89PNG\r\n", caption="look", mime="image/png")
    await at.idle()
    assert at.said(chat) == [notice("file_no_text", file="cat.png")]
    assert texts(at.house) == ["look"]


async def test_an_update_that_cannot_be_read_is_given_up_and_holds_nobody_up(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    await telegram.deliver({"message": {"message_id": "x"}})
    await at.say(ann, telegram.private(ann), "hello")
    assert texts(at.house) == ["hello"]
    assert len(at.house.unreadable) == 1


async def test_it_works_by_polling_as_well(telegram: TelegramDouble, house: House, ann: User) -> None:
    async with office(telegram, house, mode="poll") as at:
        await at.say(ann, telegram.private(ann), "hello")
    assert texts(house) == ["hello"]


async def test_a_text_file_comes_along(at: Office, telegram: TelegramDouble, ann: User) -> None:
    chat = telegram.private(ann)
    await telegram.send_file(ann, chat, "notes.md", "# Größe\n", caption="read this")
    await at.idle()
    (incoming,) = at.house.received
    assert incoming.text == "read this"
    assert incoming.attachments == (Attachment("notes.md", "# Größe\n"),)


@pytest.mark.parametrize(
    "kind", ["voice", "photo", "video", "sticker", "location", "contact", "poll", "dice"]
)
async def test_what_we_cannot_read_yet_is_told_clearly(
    at: Office, telegram: TelegramDouble, ann: User, kind: str
) -> None:
    said = await telegram.send_other(ann, telegram.private(ann), kind)
    await at.idle()
    (answer,) = telegram.answers_in(telegram.private(ann))
    assert (answer.text, answer.reply_to) == (notice("telegram_unsupported"), said.id)
    assert not at.house.received


async def test_a_caption_is_a_question_all_the_same(at: Office, telegram: TelegramDouble, ann: User) -> None:
    await telegram.send_other(ann, telegram.private(ann), "photo", caption="what is a cat?")
    await at.idle()
    assert texts(at.house) == ["what is a cat?"]
    assert at.said(telegram.private(ann)) == [notice("telegram_unsupported")]


async def test_what_no_later_try_can_mend_is_dropped(
    at: Office, telegram: TelegramDouble, ann: User, logged: list[MutableMapping[str, Any]]
) -> None:
    tries: list[str] = []

    class Broken:
        async def said(self, event: Event, said: Said) -> None:
            tries.append(event.key)
            code = "bad_request" if len(tries) > 2 else "connection"
            raise TelegramFailure(code, method="sendMessage", description="whatever")

    said = await at.say(ann, telegram.private(ann), "hello")
    reader = replace(at.channel.reader, intake=Broken())  # type: ignore[arg-type]
    kept = KeptEvent(1, "key", said.update, 1)
    for _ in range(2):
        with pytest.raises(TelegramFailure, match="connection"):
            await reader.read(kept)
    await reader.read(kept)
    assert len(tries) == 3
    assert [line["code"] for line in logged if line["event"] == "an update is of no use any more"] == [
        "bad_request"
    ]


async def test_what_is_nothing_to_us_is_read_and_forgotten(
    at: Office, telegram: TelegramDouble, ann: User
) -> None:
    group = telegram.group("Team", ann)
    await at.say(ann, group, "", new_chat_title="Team 2")
    assert not at.house.received
    assert not at.house.failures
    assert not at.house.unreadable
