"""Every sentence that the house itself says, in English and Simplified Chinese: the one catalogue.

Knows words only: not when they are said, nor where they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "zh"]

CATALOGUE: dict[str, dict[Language, str]] = {
    # what became of a message
    "refused": {
        "en": "I can't help with that request. If I misunderstood, please put it another way.",
        "zh": "我无法回应这个请求。如果是我理解有误，请换一种说法。",
    },
    "withheld": {
        "en": "The rest of this answer was withheld because it did not pass the safety check.",
        "zh": "这条回答的其余部分未通过安全检查，因此没有显示。",
    },
    "unscreened": {
        "en": "The safety check is not working at the moment, so I stopped the answer. Please try again later.",
        "zh": "安全检查暂时不可用，因此我停止了回答。请稍后再试。",
    },
    "failed": {
        "en": "Something went wrong on our side and I could not finish this answer. Please ask again.",
        "zh": "我们这边出了点问题，没能完成这条回答。请再问一次。",
    },
    "timed_out": {
        "en": "This answer took too long, so I stopped it here.",
        "zh": "这条回答用时过长，我先停在这里。",
    },
    "busy": {
        "en": "I am busy right now. Please try again in {seconds} s.",
        "zh": "我现在有些忙，请在 {seconds} 秒后再试。",
    },
    "waiting": {
        "en": "I can't reach the language model right now. Your message is kept and I will answer it "
        "as soon as I can.",
        "zh": "我暂时联系不上语言模型。您的消息已保存，恢复后我会马上回答。",
    },
    "too_long": {
        "en": "Your message is too long for this model: {tokens} tokens, and {limit} fit. Please shorten it.",
        "zh": "您的消息对这个模型来说太长了：{tokens} 个词元，最多 {limit} 个。请缩短后再发。",
    },
    "closed": {
        "en": "This conversation is closed.",
        "zh": "此对话已关闭。",
    },
    # commands
    "stopped": {"en": "Stopped.", "zh": "已停止。"},
    "nothing_to_stop": {"en": "There is nothing to stop.", "zh": "当前没有正在进行的回答。"},
    "reset": {
        "en": "This is a fresh conversation: I no longer look at what was said before.",
        "zh": "新的对话开始了：我不会再参考之前的内容。",
    },
    "forgotten": {
        "en": "Done. Everything you wrote to me and everything I answered has been deleted.",
        "zh": "已完成。您写给我的内容和我的所有回答都已删除。",
    },
    "model": {"en": "You are talking to the model “{model}”.", "zh": "您正在与模型“{model}”对话。"},
    "help": {
        "en": "Just write to me. These commands help:\n\n"
        "- **/stop** stops the answer\n"
        "- **/reset** starts a fresh conversation\n"
        "- **/model** tells which model answers\n"
        "- **/forget** deletes everything you wrote to me\n"
        "- **/help** shows this list",
        "zh": "直接写给我就好。可以使用这些命令：\n\n"
        "- **/stop** 停止当前回答\n"
        "- **/reset** 开始新的对话\n"
        "- **/model** 查看当前使用的模型\n"
        "- **/forget** 删除您写给我的全部内容\n"
        "- **/help** 显示此列表",
    },
    "unknown_command": {
        "en": "I don't know the command {command}. /help shows what I understand.",
        "zh": "我不认识命令 {command}。发送 /help 查看可用命令。",
    },
    # what a channel answers to bad input
    "empty": {"en": "The message is empty.", "zh": "消息是空的。"},
    "oversized": {
        "en": "The message is too long: at most {limit} characters, please.",
        "zh": "消息太长了：最多 {limit} 个字符。",
    },
    "unreadable": {
        "en": "I could not read that request. Please reload the page and try again.",
        "zh": "无法读取该请求。请刷新页面后重试。",
    },
    "flood": {
        "en": "That was a little fast. Please try again in {seconds} s.",
        "zh": "发送得太快了。请在 {seconds} 秒后再试。",
    },
    "no_session": {"en": "The session has ended. Please reload the page.", "zh": "会话已结束，请刷新页面。"},
    "unknown_site": {
        "en": "This chat is not set up here: the site is unknown.",
        "zh": "此处未启用聊天：站点未知。",
    },
    "foreign_origin": {
        "en": "This website may not use this chat.",
        "zh": "此网站无权使用该聊天。",
    },
    "unknown_message": {"en": "There is no such answer here.", "zh": "这里没有这条回答。"},
    "unknown_path": {"en": "There is nothing at this address.", "zh": "此地址没有内容。"},
    "crowded": {
        "en": "Too many windows are open from your network. Please try again in {seconds} s.",
        "zh": "您的网络打开的窗口过多。请在 {seconds} 秒后再试。",
    },
    "unavailable": {
        "en": "We cannot take your message in at the moment. Please try again in {seconds} s.",
        "zh": "暂时无法接收您的消息。请在 {seconds} 秒后再试。",
    },
}


def notice(name: str, language: str = "en", **values: object) -> str:
    """The sentence `name` in `language` ("zh…" is Chinese, all else English), with its values filled in.

    Raises KeyError for a name that is not in the catalogue.
    """
    return CATALOGUE[name][_chosen(language)].format(**values)


def own(words: Mapping[str, str], language: str) -> str:
    """What the operator's policy says in `language`, English standing in; empty when it says nothing."""
    return words.get(_chosen(language)) or words.get("en", "")


def _chosen(language: str) -> Language:
    return "zh" if language.lower().startswith("zh") else "en"
