"""What is said in Slack alone."""

from bot.notices.words import Words

SLACK: Words = {
    # Slack: the pages of an installation
    "slack_installed": {
        "en": "Frontdesk is installed in {team}. Write to it in Slack, or invite it to a channel and mention it there.",
        "zh": "Frontdesk 已安装到 {team}。您可以在 Slack 中直接给它写消息，或邀请它加入频道并在那里提及它。",
    },
    "slack_install_cancelled": {
        "en": "Frontdesk was not installed: the installation was cancelled in Slack.",
        "zh": "Frontdesk 未安装：安装在 Slack 中被取消了。",
    },
    "slack_install_stale": {
        "en": "Frontdesk was not installed: this page was opened too late, twice, or in another browser than the one "
        "that began.",
        "zh": "Frontdesk 未安装：此页面打开得太晚、被打开了两次，或不是在开始安装的浏览器中打开的。",
    },
    "slack_install_failed": {
        "en": "Frontdesk could not be installed at the moment. Please try again a little later.",
        "zh": "暂时无法安装 Frontdesk，请稍后再试。",
    },
    "slack_install_again": {"en": "Begin again", "zh": "重新开始"},
    "slack_open": {"en": "Open Slack", "zh": "打开 Slack"},
    "button_new": {"en": "New conversation", "zh": "新的对话"},
    "thinking": {"en": "is thinking…", "zh": "正在思考……"},
    "answering": {"en": "I am working on the answer.", "zh": "我正在准备回答。"},
    "looking": {"en": "Reading the conversation…", "zh": "正在阅读对话……"},
    "writing": {"en": "Writing the answer…", "zh": "正在撰写回答……"},
    "reason_title": {"en": "What was wrong?", "zh": "哪里不好？"},
    "reason_label": {"en": "What should have been different? (optional)", "zh": "应该有什么不同？（可选）"},
    "reason_send": {"en": "Send", "zh": "发送"},
    "reason_skip": {"en": "Skip", "zh": "跳过"},
    "export_sent": {
        "en": "I have sent you a file with your data in our direct messages.",
        "zh": "我已通过私信把包含您数据的文件发给您。",
    },
    "forget_title": {"en": "Forget me?", "zh": "忘记我？"},
    "forget_text": {
        "en": "Everything you wrote to me and everything I answered is deleted from my memory. The messages in "
        "Slack stay.",
        "zh": "您写给我的内容和我的所有回答都会从我的记忆中删除。Slack 中的消息会保留。",
    },
    "slack_joined": {
        "en": "Hello! Mention me with a question and I answer in a thread. In a thread where I take part, just go "
        "on writing.",
        "zh": "大家好！提及我并提出问题，我会在消息列中回答。在我参与的消息列里，直接继续写就好。",
    },
    "slack_home_how": {
        "en": "Write to me in the messages tab, mention me in a channel, use /frontdesk anywhere, or choose “Ask "
        "Frontdesk” in the menu of a message.",
        "zh": "您可以在“消息”标签页给我写信、在频道中提及我、随处使用 /frontdesk，或在消息菜单中选择“Ask Frontdesk”。",
    },
    "slack_help": {
        "en": "{command} and a question: I answer in a thread.\n"
        "{command} stop: stop the answer of our last conversation here\n"
        "{command} reset: begin that conversation anew\n"
        "{command} model: which model answers\n"
        "{command} usage: how much you have used today\n"
        "{command} link: let me know you in another channel, too\n"
        "{command} forget: delete everything you wrote to me\n"
        "{command} help: this list",
        "zh": "{command} 加上问题：我会在消息列中回答。\n"
        "{command} stop：停止我们在此处最近一次对话的回答\n"
        "{command} reset：重新开始那次对话\n"
        "{command} model：查看当前使用的模型\n"
        "{command} usage：查看您今天的用量\n"
        "{command} link：让我在其他渠道也认得您\n"
        "{command} forget：删除您写给我的全部内容\n"
        "{command} help：显示此列表",
    },
    "nothing_to_reset": {"en": "We have no conversation here yet.", "zh": "我们在这里还没有对话。"},
    "slack_asks": {"en": "**{person}** has asked a question.", "zh": "**{person}** 提了一个问题。"},
    "slack_about": {"en": "About a message by **{author}**.", "zh": "关于 **{author}** 的一条消息。"},
    "slack_in_direct": {
        "en": "I am not in this channel, so I answer you in our direct messages.",
        "zh": "我不在此频道中，因此会在私信里回答您。",
    },
    "slack_no_thread": {
        "en": "I could not begin a thread for your question. Please write to me directly.",
        "zh": "无法为您的问题创建消息列，请直接给我发消息。",
    },
}
