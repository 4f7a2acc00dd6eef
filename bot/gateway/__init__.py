"""The OpenAI-compatible API: /v1/chat/completions, /v1/models and /v1/moderations, and who may ask.

Knows OpenAI's shapes and keeps to them. Leaves generation to the queue and judgement to the moderator.

Decisions
- 2026-11-24: what CTranslate2 cannot do is refused by name, never ignored; a value that changes nothing (null, n=1,
  an empty list of tools) is taken, since clients send them. max_tokens beyond the model's context is cut, and the
  answer says so with finish_reason "length": clients send 4096 by habit, and small models have less.
- 2026-11-24: headers leave together with the first text. Sent ahead they made it 0.15 ms later (2.1 ms of our own
  time became 2.3), and so every error before it keeps its own status (429, 400) instead of hiding in a 200.
- 2026-11-24: a token that begins with "fd-" must be a good key everywhere, also where this computer may ask without
  one: a revoked key stays revoked. Any other token is ignored there, as clients cannot go without one.
- 2026-11-24: /v1 is the channel "api" to the policy, to metrics and beside verdicts, and each key's name is a place in
  it: terms of its own for one program are `places: {"api:NAME": ...}`. A key's `shadow` or `off` goes before the
  policy; a key that holds follows the policy's `screen`.
"""

from bot.gateway.access import Access, Caller
from bot.gateway.gateway import Gateway

__all__ = ["Access", "Caller", "Gateway"]
