"""The model's Markdown in the words of each place where it is shown: widget HTML here, Slack and Telegram beside it.

Pure functions over text. Knows nothing of conversations, transports or who is watching.
"""
