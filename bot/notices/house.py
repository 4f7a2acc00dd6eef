"""What the house says in every channel."""

from bot.notices.words import Words

HOUSE: Words = {
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
        "- **/usage** tells how much you have used today\n"
        "- **/forget** deletes everything you wrote to me\n"
        "- **/help** shows this list",
        "zh": "直接写给我就好。可以使用这些命令：\n\n"
        "- **/stop** 停止当前回答\n"
        "- **/reset** 开始新的对话\n"
        "- **/model** 查看当前使用的模型\n"
        "- **/usage** 查看您今天的用量\n"
        "- **/forget** 删除您写给我的全部内容\n"
        "- **/help** 显示此列表",
    },
    "help_link": {
        "en": "- **/link** lets me know you in another channel, too",
        "zh": "- **/link** 让我在其他渠道也认得您",
    },
    "link": {
        "en": "Open this within a quarter of an hour, and I know you there, too: what you use and what you "
        "ask me to forget is one then. It is for you alone.\n\n{addresses}",
        "zh": "请在一刻钟内打开以下链接，之后我在那里也认得您：用量统计和删除请求将合并处理。"
        "请勿转发给他人。\n\n{addresses}",
    },
    "link_nowhere": {
        "en": "There is no other place here where you could become known, or you are known everywhere already.",
        "zh": "这里没有其他可以关联的渠道，或者您已经全部关联。",
    },
    "usage": {
        "en": "You have used {used} tokens today.",
        "zh": "您今天已使用 {used} 个词元。",
    },
    "usage_of": {
        "en": "You have used {used} of your {limit} tokens for today. The next day begins in {hours} h.",
        "zh": "您今天已使用 {used} 个词元，每日上限为 {limit} 个。{hours} 小时后重新计算。",
    },
    "spent": {
        "en": "What may be asked here in a day is used up. Please come back in {hours} h.",
        "zh": "今天的使用额度已用完，请在 {hours} 小时后再来。",
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
    "files_oversized": {
        "en": "The files are too long: at most {limit} characters together, please.",
        "zh": "文件太长了：合计最多 {limit} 个字符。",
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
    # what stands under an answer, and beside one that is being made
    "button_helpful": {"en": "Helpful", "zh": "有帮助"},
    "button_unhelpful": {"en": "Not helpful", "zh": "没有帮助"},
    "button_again": {"en": "Answer again", "zh": "重新回答"},
    "button_stop": {"en": "Stop", "zh": "停止"},
    "elsewhere": {
        "en": "I don't answer in this channel. Please write to me directly.",
        "zh": "我不在此频道回答问题，请直接给我发消息。",
    },
    "not_for_you": {
        "en": "I answer only people whom my operator has chosen. Please ask them for access.",
        "zh": "我只回答由管理员选定的用户。请向管理员申请使用权限。",
    },
    "somebody": {"en": "Somebody", "zh": "有人"},
    "file_no_text": {
        "en": "I can read only text in UTF-8, and {file} is something else, so I left it out.",
        "zh": "我只能读取 UTF-8 编码的文本文件，{file} 不是，因此我没有读取它。",
    },
    "file_oversized": {
        "en": "{file} is too long for me, so I left it out: all files of a message together may have {limit} "
        "characters.",
        "zh": "{file} 太长，因此我没有读取它：一条消息的所有文件合计最多 {limit} 个字符。",
    },
    "file_unreachable": {
        "en": "I could not fetch {file}, so I left it out.",
        "zh": "我无法获取 {file}，因此没有读取它。",
    },
    "feedback_thanks": {"en": "Thank you for the feedback.", "zh": "感谢您的反馈。"},
    "not_again": {"en": "I cannot answer that again.", "zh": "无法重新生成这条回答。"},
    "home_unused": {"en": "You have not asked me anything yet.", "zh": "您还没有问过我任何问题。"},
    "home_used": {
        "en": "I have given you {answers} answers since {since} ({tokens} tokens).",
        "zh": "自 {since} 起我为您回答了 {answers} 次（{tokens} 个词元）。",
    },
    "home_data": {
        "en": "What you write to me is kept here, on the operator's own machines, so that I remember our "
        "conversations. You can have all of it as a file, or have it deleted.",
        "zh": "您写给我的内容保存在管理员自己的机器上，以便我记住我们的对话。您可以把全部内容导出为文件，或将其删除。",
    },
    "button_export": {"en": "Export my data", "zh": "导出我的数据"},
    "button_forget": {"en": "Forget me", "zh": "忘记我"},
    "export_ready": {"en": "Here is everything that I keep of you.", "zh": "这是我保存的关于您的全部内容。"},
    "export_failed": {
        "en": "I could not send you your data. Please try again later.",
        "zh": "无法把您的数据发给您，请稍后再试。",
    },
    "forget_yes": {"en": "Delete", "zh": "删除"},
    "forget_no": {"en": "Cancel", "zh": "取消"},
    "ask_about": {
        "en": "{author} wrote this message. Please answer it, or explain it if it asks nothing:\n\n{quote}",
        "zh": "{author} 写了这条消息。请回答它；如果它没有提问，请解释它：\n\n{quote}",
    },
}
