"""One file, or one folder, a channel; each is found by its name and offers `open_channel(*, desk, options)`.

2026-11: channels know `bot.channels.base`, `bot.messages`, `bot.markup` and their own SDK, never the conversation:
a fourth channel is one new file here, and the contract test picks it up by itself.
"""
