"""The three ways to serve one model that are compared: a call for each request, plain batches, Frontdesk's engine.

Knows CTranslate2 and the engine. Token ids in, token ids and their times out.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from conversations import SYSTEM, Answer, Ask

from inference.chat import Chat, Turn

if TYPE_CHECKING:
    from systems import Setup

PATIENCE = 1800.0  # seconds for one answer: the last of 64 waits long for one call after another on a CPU


@dataclass(slots=True, eq=False)
class Row:
    """One answer on its way."""

    prompt: tuple[int, ...]
    tokens: int
    times: list[float] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    error: str = ""
    done: threading.Event = field(default_factory=threading.Event)

    def take(self, token: int) -> None:
        self.times.append(time.perf_counter())
        self.ids.append(token)

    def wait(self) -> None:
        if not self.done.wait(PATIENCE):
            self.error = f"it had not ended after {PATIENCE:.0f} seconds"


Run = Callable[[Row], None]  # fills the row; blocks


@contextmanager
def _generator(setup: "Setup") -> Iterator[Any]:
    import ctranslate2

    generator = ctranslate2.Generator(
        setup.model,
        device=setup.device,
        compute_type=setup.compute_type,
        inter_threads=setup.inter_threads,
        intra_threads=setup.intra_threads,
        max_queued_batches=-1,
    )
    try:
        yield generator
    finally:
        while generator.num_active_batches:  # a process that exits while CTranslate2 holds a callback aborts
            time.sleep(0.001)


@contextmanager
def single(setup: "Setup", chat: Chat) -> Iterator[Run]:
    """A call for each request, in the thread of the one who asks: CTranslate2's own queue does the rest."""
    with _generator(setup) as generator:
        yield lambda row: _generate(generator, [row], chat)


@contextmanager
def batched(setup: "Setup", chat: Chat) -> Iterator[Run]:
    """Plain batching, a thread for each replica."""
    with _generator(setup) as generator, Batches(generator, chat, setup) as batches:
        yield batches.run


class Batches:
    """What waits, in the order of arrival, up to `batch` of them in one call."""

    def __init__(self, generator: Any, chat: Chat, setup: "Setup") -> None:
        self._generator, self._chat, self._size = generator, chat, setup.batch
        self._waiting: deque[Row] = deque()
        self._closed = False
        self._work = threading.Condition()
        self._threads = [threading.Thread(target=self._serve) for _ in range(setup.inter_threads)]

    def run(self, row: Row) -> None:
        with self._work:
            self._waiting.append(row)
            self._work.notify()
        row.wait()

    def _serve(self) -> None:
        while rows := self._take():
            try:
                _generate(self._generator, rows, self._chat)
            except Exception as error:
                for row in rows:
                    row.error = f"{type(error).__name__}: {error}"
                    row.done.set()

    def _take(self) -> list[Row]:
        with self._work:
            self._work.wait_for(lambda: self._waiting or self._closed)
            return [self._waiting.popleft() for _ in range(min(self._size, len(self._waiting)))]

    def __enter__(self) -> "Batches":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._work:
            self._closed = True
            self._work.notify_all()
        for thread in self._threads:
            thread.join()


def _generate(generator: Any, rows: Sequence[Row], chat: Chat) -> None:
    """One call. A row is done at its own last token, as someone who reads its stream would see it."""

    def step(result: Any) -> bool:
        row = rows[result.batch_id]
        row.take(result.token_id)
        last: bool = len(row.ids) == row.tokens
        if last:
            row.done.set()
        return last

    generator.generate_batch(
        [chat.tokens(row.prompt) for row in rows],
        max_length=max(row.tokens for row in rows),
        include_prompt_in_result=False,
        end_token=[],
        callback=step,
    )


@contextmanager
def frontdesk(setup: "Setup", chat: Chat) -> Iterator[Run]:
    """The engine as the worker uses it: warmed up, and told which prompt tokens all requests share."""
    from inference.engine import Engine, Finish, Request, Sampling

    prefix, numbers = chat.beginning(SYSTEM), count()

    def run(row: Row) -> None:
        def finish(end: Finish) -> None:
            row.error = end.error or ("" if end.reason == "length" else end.reason)
            row.done.set()

        request = Request(
            id=str(next(numbers)),
            prompt=row.prompt,
            sampling=Sampling(max_tokens=row.tokens, ignore_eos=True),
            prefix=len(prefix),
        )
        engine.submit(request, on_token=row.take, on_finish=finish)
        row.wait()

    engine = Engine(
        Path(setup.model),
        device=setup.device,
        compute_type=setup.compute_type,
        inter_threads=setup.inter_threads,
        intra_threads=setup.intra_threads,
        prefixes=(prefix,),
    )
    with engine:
        engine.warm_up()
        yield run


def asking(run: Run, chat: Chat) -> Ask:
    """From turns to tokens and back, as the bot does it."""

    def ask(turns: Sequence[Turn], tokens: int) -> Answer:
        row = Row(chat.prompt(turns), tokens)
        if len(row.prompt) + tokens > chat.context_length:
            raise RuntimeError(
                f"{len(row.prompt)} + {tokens} tokens: too long for this model. Fewer turns or tokens."
            )
        run(row)
        if row.error or len(row.ids) != tokens:
            raise RuntimeError(f"{len(row.ids)} of {tokens} tokens: {row.error}")
        return Answer(chat.tokenizer.decode(row.ids), row.times, len(row.ids), len(row.prompt))

    return ask


CONTENDERS = {"bare": single, "single": single, "batched": batched, "frontdesk": frontdesk}
