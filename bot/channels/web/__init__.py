"""The chat on websites: the widget's pages, its API and the stream of what happens in a conversation.

2026-11: the frame lives on our own origin, so there is no CORS at all and a request with another Origin is refused.
2026-11: a fetch stream with Last-Event-ID instead of EventSource, which sends no Authorization. Every event is rendered
from SQL and the last id alone, so any replica can go on where another stopped.
2026-11: three streams a session, the oldest makes room. One would let two tabs of a browser without locks throw each
other out for ever; without a limit, connections that a phone left behind pile up.
"""

from bot.channels.web.channel import WebChannel, open_channel

__all__ = ["WebChannel", "open_channel"]
