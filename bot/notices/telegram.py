"""What is said in Telegram alone."""

from bot.notices.words import Words

TELEGRAM: Words = {
    # below an answer
    "reason_wrong": {"en": "Wrong", "zh": "有误"},
    "reason_unclear": {"en": "Unclear", "zh": "不清楚"},
    "reason_unsafe": {"en": "Unsafe", "zh": "不安全"},
    "reason_other": {"en": "Other", "zh": "其他"},
    # Telegram
    "telegram_greeting": {"en": "Hello! I am Frontdesk.", "zh": "您好！我是 Frontdesk。"},
    "telegram_how": {
        "en": "Just write to me. /help shows what I understand, /privacy what I keep of you.",
        "zh": "直接写给我就好。/help 显示可用命令，/privacy 说明我保存了您的哪些内容。",
    },
    "telegram_help": {
        "en": "Just write to me; text files may come along. These commands help:\n\n"
        "- /stop stops the answer\n"
        "- /reset starts a fresh conversation\n"
        "- /model tells which model answers\n"
        "- /usage tells how much you have used today\n"
        "- /privacy tells what I keep of you, and gives it to you\n"
        "- /forget deletes everything you wrote to me\n"
        "- /help shows this list",
        "zh": "直接写给我就好，也可以附上文本文件。可以使用这些命令：\n\n"
        "- /stop 停止当前回答\n"
        "- /reset 开始新的对话\n"
        "- /model 查看当前使用的模型\n"
        "- /usage 查看您今天的用量\n"
        "- /privacy 查看并导出我保存的关于您的内容\n"
        "- /forget 删除您写给我的全部内容\n"
        "- /help 显示此列表",
    },
    "telegram_help_group": {
        "en": "In a group I answer /ask and your question, my name (`@{username}`) in a message, and replies to what I "
        "said. These commands help:\n\n"
        "- /ask asks a question; as a reply, about that message\n"
        "- /stop stops the answer\n"
        "- /reset starts a fresh conversation\n"
        "- /model tells which model answers\n"
        "- /usage tells how much you have used today\n"
        "- /privacy tells what I keep of you\n"
        "- /forget deletes everything you wrote to me\n"
        "- /help shows this list",
        "zh": "在群组中，我会回答 /ask 加上的问题、提到我（`@{username}`）的消息，以及对我消息的回复。"
        "可以使用这些命令：\n\n"
        "- /ask 提问；作为回复发送时，则针对那条消息提问\n"
        "- /stop 停止当前回答\n"
        "- /reset 开始新的对话\n"
        "- /model 查看当前使用的模型\n"
        "- /usage 查看您今天的用量\n"
        "- /privacy 查看我保存了您的哪些内容\n"
        "- /forget 删除您写给我的全部内容\n"
        "- /help 显示此列表",
    },
    "telegram_ask": {
        "en": "What would you like to know? Write it in the same message, or reply to this one.",
        "zh": "您想知道什么？请把问题写在同一条消息里，或回复这条消息。",
    },
    "telegram_joined": {
        "en": "Hello! Mention me (`@{username}`) with a question, write /ask and your question, or reply to what I "
        "said.",
        "zh": "大家好！提及我（`@{username}`）并提出问题、发送 /ask 加上您的问题，或回复我的消息，我都会回答。",
    },
    "telegram_joined_unheard": {
        "en": "Hello! Write /ask and your question, or reply to what I said.",
        "zh": "大家好！请发送 /ask 加上您的问题，或回复我的消息。",
    },
    "telegram_elsewhere": {
        "en": "I don't answer in this group. Please write to me directly.",
        "zh": "我不在此群组回答问题，请直接给我发消息。",
    },
    "telegram_unsupported": {
        "en": "So far I can read only text and text files, so I left the rest out.",
        "zh": "目前我只能读取文字和文本文件，因此其余内容没有读取。",
    },
    "telegram_a_file": {"en": "the file", "zh": "该文件"},
    "telegram_old_button": {
        "en": "This button does nothing any more.",
        "zh": "此按钮已失效。",
    },
    "telegram_not_yours": {
        "en": "This button is for the person who asked. Send /privacy for your own.",
        "zh": "此按钮仅供发起请求的人使用。如需处理您自己的数据，请发送 /privacy。",
    },
    "telegram_privacy": {
        "en": "What you write to me, and what I answer, is kept on the operator's own machines, so that I remember our "
        "conversations; with it your name and the language of your Telegram. You can have all of it deleted, and in "
        "a private chat with me have it as a file.",
        "zh": "您写给我的内容和我的回答保存在管理员自己的机器上，以便我记住我们的对话；同时保存您的名字和 Telegram "
        "的语言设置。您可以将其全部删除，也可以在与我的私聊中导出为文件。",
    },
    "telegram_forget": {
        "en": "Delete everything you wrote to me and everything I answered from my memory? The messages in Telegram "
        "stay.",
        "zh": "要从我的记忆中删除您写给我的内容和我的所有回答吗？Telegram 中的消息会保留。",
    },
    "telegram_not_forgotten": {"en": "Nothing was deleted.", "zh": "没有删除任何内容。"},
    "telegram_link": {
        "en": "Link this chat with {who} ({where})? You are the same person to me then: what I keep of the two is "
        "exported and deleted together. Only say yes if you asked for it yourself, a moment ago.",
        "zh": "要将此聊天与 {who}（{where}）关联吗？关联后我会把两者视为同一个人：保存的内容会一起导出和删除。"
        "请仅在您本人刚刚发起此请求时确认。",
    },
    "telegram_link_yes": {"en": "Yes, that is me", "zh": "是的，是我本人"},
    "telegram_link_no": {"en": "No", "zh": "否"},
    "telegram_link_web": {"en": "a website", "zh": "网站"},
    "telegram_linked": {"en": "Done: I know you here and there.", "zh": "已完成：两边我都认识您了。"},
    "telegram_link_refused": {"en": "Nothing was linked.", "zh": "没有进行关联。"},
    "telegram_not_linked": {
        "en": "Nothing was linked: this link is not good any more, or one of the two is linked already.",
        "zh": "没有进行关联：此链接已失效，或其中一方此前已经关联过。",
    },
    "telegram_link_stale": {
        "en": "This link is not good any more, or never was. Get a new one where it came from; and just write to me "
        "if you have a question.",
        "zh": "此链接已失效或无效。请从原处重新获取；如有问题，直接写给我即可。",
    },
    "telegram_menu_ask": {"en": "ask a question: /ask and your words", "zh": "提问：/ask 加上您的问题"},
    "telegram_menu_stop": {"en": "stop the answer", "zh": "停止当前回答"},
    "telegram_menu_reset": {"en": "start a fresh conversation", "zh": "开始新的对话"},
    "telegram_menu_model": {"en": "which model answers", "zh": "查看当前使用的模型"},
    "telegram_menu_usage": {"en": "how much you have used today", "zh": "查看您今天的用量"},
    "telegram_menu_privacy": {"en": "what is kept of you", "zh": "查看我保存了您的哪些内容"},
    "telegram_menu_forget": {"en": "delete everything you wrote to me", "zh": "删除您写给我的全部内容"},
    "telegram_menu_help": {"en": "what I understand", "zh": "查看可用命令"},
}
