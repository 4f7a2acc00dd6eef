"""The screen over a stream: no text leaves before it was judged, and each sentence leaves as soon as it was.

Knows the three modes. Leaves sentences to `sentences`, findings to the moderator, notices to the caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Generic, Literal

from moderation.context import Context
from moderation.errors import ModerationFailed, ScreenBlocked, ScreenFailed
from moderation.hold import D, Draft, Hold
from moderation.moderator import NOTHING, Moderator
from moderation.source import beside, reading
from moderation.verdict import ACTIONS, ANYWHERE, Finding, Verdict, Where

__all__ = ["Draft", "Mode", "Released", "screened"]

Mode = Literal["hold", "shadow", "off"]
OnVerdict = Callable[[Verdict], None]

MAX_CHARS = 160  # held without a sentence end: two lines of a chat window
MAX_WAIT = 0.4  # seconds without a sentence end; a longer pause reads as a stall
# Seconds for one verdict. The moderator ends a slow classifier much sooner; this ends whatever else hangs.
MAX_JUDGING = 10.0


@dataclass(frozen=True, slots=True)
class Released(Generic[D]):
    """Text that may be shown, made of the next `size` characters of the drafts (a redaction changes the length).

    `drafts`: those whose text begins here; each appears once in a stream.
    """

    text: str
    verdict: Verdict
    drafts: tuple[D, ...]
    size: int


def screened(
    drafts: AsyncGenerator[D, None],
    moderator: Moderator,
    *,
    mode: Mode = "hold",
    max_chars: int = MAX_CHARS,
    max_wait: float = MAX_WAIT,
    on_verdict: OnVerdict | None = None,
    max_judging: float = MAX_JUDGING,
    context: Context = NOTHING,
    where: Where = ANYWHERE,
    system: str = "",
) -> AsyncGenerator[Released[D], None]:
    """The stream of drafts as the screen lets it through; closing it closes `drafts`.

    hold: text is released once judged: whole sentences, lines of code and rows of a table, or `max_chars`
    characters, or what waited `max_wait` seconds; never half a word, a number or a placeholder that may go on.
    Raises ScreenBlocked or ScreenFailed (fail closed) after everything before it was released: ScreenFailed when
    a check raises, answers nonsense or takes longer than `max_judging` seconds. An error of the source is raised
    after the text that came before it.
    shadow: each draft is released at once under an "allow" that says nothing yet; sentences are judged
    beside, in order, and never stop the stream. A judgement that fails is a "review" of category "failed".
    It ends when all was judged; a reader who leaves early ends the judging too.
    off: nothing is judged.
    `on_verdict` hears every verdict in order, in hold and in shadow; it must be light and not raise.
    `context` is what an earlier stream of the same answer showed last. `where` chooses the policy's terms, and
    `system` is the system prompt that the answer should not repeat.
    """
    check = partial(moderator.check, direction="output", where=where, system=system)
    judge = _Judge(moderator.policy, check, on_verdict=on_verdict, context=context, limit=max_judging)
    if mode == "hold":
        return _held(drafts, judge, Hold(max_chars=max_chars, max_wait=max_wait))
    if mode == "shadow":
        return _shadowed(drafts, judge, Hold(max_chars=max_chars, max_wait=max_wait))
    if mode == "off":
        return _passed(drafts, policy=moderator.policy)
    raise ValueError(f"unknown mode {mode!r}; use hold, shadow or off")


class _Judge:
    """Judges one stream's text in order, each part in the context of what came before."""

    def __init__(
        self,
        policy: str,
        check: Callable[..., Awaitable[Verdict]],
        *,
        on_verdict: OnVerdict | None,
        context: Context,
        limit: float,
    ) -> None:
        self.policy = policy
        self._check = check
        self._context = context
        self._on_verdict = on_verdict or (lambda _: None)
        self._limit = limit

    async def judge(self, text: str) -> Verdict:
        """Raises ModerationFailed when there is no verdict, whatever the reason."""
        try:
            async with asyncio.timeout(self._limit):
                verdict = _sound(await self._check(text, context=self._context))
            self._context = self._context.after(text, verdict)
        except ModerationFailed:
            raise
        except Exception as error:
            raise ModerationFailed("screen") from error
        self._on_verdict(verdict)
        return verdict

    def give_up(self, text: str, error: ModerationFailed) -> None:
        """Reports in the shadow a text that could not be judged."""
        finding = Finding(check=error.check, action="review", category="failed", reason=repr(error.__cause__))
        verdict = Verdict(action="review", findings=(finding,), text=text, policy=self.policy)
        self._context = self._context.after(text, verdict)
        self._on_verdict(verdict)


def _sound(verdict: Verdict) -> Verdict:
    if verdict.action not in ACTIONS or not isinstance(verdict.text, str):
        raise TypeError(f"no verdict: {verdict!r}")
    return verdict


async def _held(
    drafts: AsyncGenerator[D, None], judge: _Judge, hold: Hold[D]
) -> AsyncGenerator[Released[D], None]:
    clock = asyncio.get_running_loop().time
    async with reading(drafts) as source:
        ended = False
        while not ended:
            due = hold.due
            item = await source.next(by=due)
            now = clock()
            if item == "ended":
                ended, now = True, float("inf")
            elif item == "late":
                now = max(now, due or now)  # a timer may fire a tick early
            else:
                hold.add(item, at=now)
            while size := hold.ready(now=now):
                yield await _released(*hold.take(size), judge=judge)
        if rest := hold.rest():
            yield Released(text="", verdict=Verdict(action="allow", policy=judge.policy), drafts=rest, size=0)


async def _released(text: str, drafts: tuple[D, ...], *, judge: _Judge) -> Released[D]:
    try:
        verdict = await judge.judge(text)
    except ModerationFailed as error:
        raise ScreenFailed("the next text could not be judged") from error
    if verdict.action == "block":
        raise ScreenBlocked(verdict)
    return Released(text=verdict.text, verdict=verdict, drafts=drafts, size=len(text))


async def _shadowed(
    drafts: AsyncGenerator[D, None], judge: _Judge, hold: Hold[D]
) -> AsyncGenerator[Released[D], None]:
    texts: asyncio.Queue[str | None] = asyncio.Queue()
    async with aclosing(drafts), beside(_judge_all(texts, judge)):
        async for draft in drafts:
            hold.add(draft, at=0.0)
            while size := hold.ready(now=-1.0):  # by sentence or length; nobody waits for the clock here
                texts.put_nowait(hold.take(size)[0])
            yield _unjudged(draft, policy=judge.policy)
        while size := hold.ready(now=float("inf")):
            texts.put_nowait(hold.take(size)[0])
        texts.put_nowait(None)


async def _judge_all(texts: asyncio.Queue[str | None], judge: _Judge) -> None:
    while (text := await texts.get()) is not None:
        try:
            await judge.judge(text)
        except ModerationFailed as error:
            judge.give_up(text, error)


async def _passed(drafts: AsyncGenerator[D, None], *, policy: str) -> AsyncGenerator[Released[D], None]:
    async with aclosing(drafts):
        async for draft in drafts:
            yield _unjudged(draft, policy=policy)


def _unjudged(draft: D, *, policy: str) -> Released[D]:
    verdict = Verdict(action="allow", text=draft.text, policy=policy)
    return Released(text=draft.text, verdict=verdict, drafts=(draft,), size=len(draft.text))
