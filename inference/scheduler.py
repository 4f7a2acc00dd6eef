"""Rows through the replicas: who waits, who is being decoded, what breaks on the way, and each row's one end.

Knows one loaded Generator and the threads around it. Which rows fit together is `cohorts`' business, one call of
CTranslate2 `decoding`'s; what a request may ask for was checked by the engine.
"""

import logging
import math
import threading
import time
from collections import deque
from typing import Any

from inference import allocator
from inference.cohorts import Cohort, Line, Room, Window
from inference.decoding import Decoding
from inference.measures import Measures
from inference.memory import Memory
from inference.pace import Load, Pace
from inference.prefixes import Prefixes
from inference.request import EngineBusy, EngineClosed, EngineError, Finish, Request
from inference.row import OnFinish, OnToken, Row, key_of
from inference.threads import Threads

# Seconds that a row may wait for its first token so that others can join it.
SLACK = 0.1

# Tokens that prompts may differ by before a step was ever timed.
FIRST_WINDOW = 12

# Seconds that feeding emitted tokens by steps may take when an answer is resumed; what takes longer is read anew. And
# how many tokens before a step was ever timed: whoever has just been restarted gets what another left.
FORCED = 5.0
FIRST_FORCED = 256

# Seconds between looks at deadlines far away, at the speed, and at whether the main thread has ended without close();
# costs some 20 microseconds each.
LOOK = 0.5

# Of a long answer's tokens, so many are looked at for the time between two.
OBSERVED = 256

# Cohorts as large as is allowed that must go well before one row more is tried, after the device was full.
REGROW = 16

# What a full device is called: by CUDA, by cuBLAS for its workspaces, by C++ on a CPU.
FULL = ("out of memory", "ALLOC_FAILED", "bad_alloc")

_log = logging.getLogger(__name__)


class Scheduler:
    """A thread of each replica takes the first row in line, and those that can be decoded with it, as soon as it is
    free; nothing joins a cohort after that. One more thread, the watcher, tells ends and looks after what is late."""

    def __init__(
        self,
        generator: Any,
        *,
        tokens: list[str],
        ends: tuple[int, ...],
        replicas: int,
        slots: int,
        max_waiting: int,
        memory: Memory,
        prefixes: Prefixes,
        threads: Threads,
        measures: Measures,
    ) -> None:
        """`slots` rows are decoded at once, all replicas together. `ends` are the model's end tokens."""
        self.slots = slots
        self._generator = generator
        self._tokens = tokens
        self._ends = ends
        self._max_waiting = max_waiting
        self._memory = memory
        self._prefixes = prefixes
        self._threads = threads
        self._measures = measures
        self._memory.kept = prefixes.tokens
        self._pace = Pace()
        self._warm = False  # what the warm-up measures tells nothing of what people will see
        self._most = math.ceil(slots / replicas)  # rows in one cohort
        self._largest = self._most  # the same, less once the device was full
        self._good = 0  # cohorts in a row that were as large, and went well
        self._line = Line()
        self._rows: dict[str, Row] = {}  # all whose end has not been told
        self._batched: list[Row] = []  # those in cohorts that run, and some that have left
        self._idle = replicas
        self._ended: deque[Row] = deque()  # whose end is still to be told
        self._told = 0  # tokens of rows that have ended
        self._seen = self._trimmed = 0  # tokens made at the last look, and when memory was last given back
        self._closed = False
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # replicas wait for rows, or for room
        self._news = threading.Event()  # the watcher waits for ends
        self._closing = threading.Lock()
        self._servers = [threading.Thread(target=self._serve, name=f"engine-{n}") for n in range(replicas)]
        self._watcher = threading.Thread(target=self._watch, name="engine-watch")
        for thread in (*self._servers, self._watcher):
            thread.start()

    # -- asked from outside ----------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        return len(self._line)

    @property
    def running(self) -> int:
        with self._lock:
            return len(self._rows) - len(self._line)

    def submit(self, request: Request, *, budget: int, on_token: OnToken, on_finish: OnFinish) -> None:
        """Raises EngineClosed, EngineBusy, and EngineError for an id that is in flight already."""
        with self._lock:
            if self._closed:
                raise EngineClosed("The engine is shutting down.")
            if request.id in self._rows:
                raise EngineError(f"A request with the id {request.id} is in flight already.")
            if len(self._line) >= self._max_waiting:
                raise EngineBusy(f"{len(self._line)} requests are waiting already.")
            row = self._row(request, budget=budget, on_token=on_token, on_finish=on_finish)
            self._rows[request.id] = row
            if budget < 1:
                self._end(row, Finish("length"))
                return
            self._line.add(row)
            self._work.notify()
            if request.deadline is not None and request.deadline <= row.arrived + LOOK:
                self._news.set()  # any later deadline is seen in time, since the watcher looks this often

    def cancel(self, request_id: str) -> None:
        with self._lock:
            row = self._rows.get(request_id)
            if row is not None:
                row.cancelled = True
                self._news.set()

    def load(self) -> Load:
        with self._lock:
            waiting, rows = len(self._line), list(self._rows.values())
        return Load(
            running=len(rows) - waiting,
            waiting=waiting,
            queued_tokens=round(sum(map(self._cost, rows))),
            tokens_per_second=self._pace.speed,
            slots=self.slots,
        )

    def begin_anew(self) -> None:
        """The warm-up is over: forget its times, and measure from now on."""
        self._pace, self._warm = Pace(), True

    def close(self) -> None:
        with self._closing:
            self._cancel_all()
            self._watcher.join()
            self._drop()

    def _row(self, request: Request, *, budget: int, on_token: OnToken, on_finish: OnFinish) -> Row:
        prefix: tuple[int, ...] = ()
        if request.prefix:
            prefix = self._prefixes.of(request.prompt, request.prefix)
            self._memory.kept = self._prefixes.tokens
            self._measures.prefix_queries.inc()
            self._measures.prefix_hits.inc(bool(prefix))
        return Row(
            request,
            on_token,
            on_finish,
            budget=budget,
            key=key_of(request, budget=budget, ends=self._ends, prefix=prefix),
            arrived=time.monotonic(),
            resumed=request.emitted,
        )

    def _cost(self, row: Row) -> float:
        """New tokens still expected of a row, its unread prompt at what reading costs."""
        made = len(row.made)
        expected = max(1.0, min(row.budget, self._pace.answer_tokens) - made)
        return expected + (0 if made else row.length * self._pace.prompt_token * self._pace.speed)

    # -- replicas --------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        """One replica's thread: takes a cohort, decodes it to its end, and again."""
        while (cohort := self._taken()) is not None:
            broken: Exception | None = None
            try:
                self._decoding(cohort).run(self._generator)
            except Exception as error:  # whatever CTranslate2 raises ends a cohort, never a replica
                broken = error
            self._put_away(cohort, broken)

    def _taken(self) -> Cohort | None:
        """The next cohort, once there is one and room for it; None at the end."""
        with self._lock:
            while not self._closed:
                cohort = self._next_cohort()
                if cohort is not None:
                    return cohort
                self._work.wait()
            return None

    def _next_cohort(self) -> Cohort | None:
        running = [row for row in self._batched if row.decoded]
        room = Room.of(self._memory, running, rows=self.slots, largest=self._largest)
        cohort = self._line.take(window=self._window(), room=room)
        if cohort is None:
            return None
        now = time.monotonic()
        for row in cohort.rows:
            row.cohort = cohort
            if row.began is None:
                row.began = now
                self._measures.queue_time.observe(now - row.arrived)
        self._batched = [*running, *cohort.rows]
        self._idle -= 1
        self._threads.enter()
        self._measures.cohort_rows.observe(len(cohort.rows))
        self._measures.cohort_spread.observe(cohort.spread)
        return cohort

    def _window(self) -> Window:
        """From the time a step takes and the length of answers. A row that is not taken along waits for a replica, for
        half an answer on average, so while no other is idle it may as well wait that long within the cohort."""
        step = self._pace.step(min(self.slots, len(self._line)))
        if not step:
            return Window(longer=FIRST_WINDOW, shorter=FIRST_WINDOW, forced=FIRST_FORCED)
        tokens = int(SLACK / step) + 1
        if self._idle == 1:
            tokens = max(tokens, int(self._pace.answer_tokens / 2))
        return Window(longer=tokens, shorter=tokens, forced=int(FORCED / step))

    def _decoding(self, cohort: Cohort) -> Decoding:
        return Decoding(
            cohort,
            tokens=self._tokens,
            pace=self._pace,
            threads=self._threads,
            measures=self._measures,
            on_end=self._left,
        )

    def _left(self, row: Row) -> None:
        """The decoding loop has let go of a row."""
        self._ended.append(row)
        self._news.set()

    def _put_away(self, cohort: Cohort, broken: Exception | None) -> None:
        """The call is over: whoever is left of the cohort has come to its end, or waits again."""
        self._threads.leave()
        with self._lock:
            self._idle += 1
            # A parked row may be in another cohort by now; one whose end was told waits only for its room.
            ours = [row for row in cohort.rows if row.cohort is cohort]
            for row in ours:
                row.cohort = None
            left = [row for row in ours if row.finish is None and not row.parked]
            for row in ours:
                if row.finish is None and row.parked:
                    self._again(row)
            self._batched = others = [row for row in self._batched if row.decoded]
            if broken is None:
                self._went_well(cohort, left)
            elif _is_full(broken):
                self._split(left, others=others)
            else:
                for row in left:
                    self._end(row, Finish("error", f"{type(broken).__name__}: {broken}"))
            self._work.notify_all()

    def _went_well(self, cohort: Cohort, left: list[Row]) -> None:
        for row in left:
            self._end(row, Finish("length"))
        self._good += len(cohort.rows) >= self._largest
        if self._good >= REGROW:
            self._good = 0
            self._largest = min(self._most, self._largest + 1)
            self._memory.recover()

    # -- what breaks -----------------------------------------------------------------------------------------------

    def _split(self, left: list[Row], *, others: list[Row]) -> None:
        """The device was full: all go on where they were, with fewer rows at once."""
        self._measures.out_of_memory.inc()
        self._good = 0
        if len(left) > 1 or others:
            self._largest = max(1, min(self._largest, len(left) // 2))
            self._memory.shrink(used=sum(row.size for row in (*left, *others)))
            _log.warning("The device is full; %d rows at once for now", self._largest)
        for row in left:
            row.alone += len(left) == 1 and not others
            self._again(row)

    def _again(self, row: Row) -> None:
        """Back into the line, at its old place."""
        if row.alone > 1:
            self._end(row, Finish("error", "The device's memory is too small for this conversation."))
        else:
            row.interrupt()
            self._line.add(row)

    def _park(self) -> None:
        """Where answers grew longer than there is room for, the last to come leave their batches and wait again."""
        with self._lock:
            running = sorted((row for row in self._batched if row.decoded), key=lambda row: row.arrived)
            held = sum(row.held for row in running)
            while len(running) > 1 and held > self._memory.tokens:
                row = running.pop()
                row.parked = True
                held -= row.held

    # -- ends ------------------------------------------------------------------------------------------------------

    def _end(self, row: Row, finish: Finish) -> None:
        row.end(finish)
        self._left(row)

    def _watch(self) -> None:
        """Tells ends, ends what is cancelled or too late before its first token, and closes where nobody did."""
        looked = time.monotonic()
        while True:
            if not threading.main_thread().is_alive():
                self._cancel_all()
            for row in self._late():
                row.end(row.ended_early(time.monotonic()) or Finish("cancelled"))
                self._left(row)
            while self._ended:
                self._tell(self._ended.popleft())
            with self._lock:
                if self._closed and not self._rows:
                    break
                patience = self._patience()
            now = time.monotonic()
            if now >= looked + LOOK:
                self._look_round(now - looked)
                looked = now
            self._news.wait(timeout=patience)
            self._news.clear()
        if not threading.main_thread().is_alive():
            self._drop()

    def _late(self) -> list[Row]:
        """Rows to be ended from here: what waits, and what is read and has not had a callback yet."""
        now = time.monotonic()
        with self._lock:
            late = [row for row in self._rows.values() if not row.made and row.finish is None]
            late = [row for row in late if row.ended_early(now) is not None]
            for row in late:
                if not row.decoded:
                    self._line.remove(row)
            return late

    def _patience(self) -> float:
        """Seconds until something may have to be ended."""
        now = time.monotonic()
        rows = (row for row in self._rows.values() if not row.made and row.finish is None)
        left = [row.request.deadline - now for row in rows if row.request.deadline is not None]
        return max(0.0, min([LOOK, *left]))

    def _tell(self, row: Row) -> None:
        """A row has left its batch or the line: its end, once, or its return into the line."""
        with self._lock:
            self._work.notify_all()  # it has made room
            if self._rows.get(row.request.id) is not row:
                return  # told already: it was ended while it was read, and only now left its batch
            if row.finish is None:
                if row.parked:
                    row.cohort = None
                    row.interrupt()
                    self._line.add(row)
                return
            del self._rows[row.request.id]
            self._told += len(row.times)
            self._prefixes.computed(row.key.prefix, well=bool(row.times))
        finish = row.finish
        if self._warm:
            self._observe(row, finish)
        try:
            row.on_finish(finish)
        except Exception:
            _log.exception("on_finish of request %s failed", row.request.id)

    def _observe(self, row: Row, finish: Finish) -> None:
        measures, now = self._measures, time.monotonic()
        measures.ended.labels(finish.reason).inc()
        measures.whole.observe(now - row.arrived)
        measures.prompt_length.observe(len(row.request.prompt))
        measures.prompt_tokens.inc(len(row.request.prompt))
        measures.answer_length.observe(len(row.times))
        measures.new_tokens.inc(len(row.times))
        if row.times:
            self._pace.on_end(tokens=len(row.times))
            measures.first_token.observe(row.times[0] - row.arrived)
        every = len(row.times) // OBSERVED + 1
        for at in range(1, len(row.times), every):
            measures.between_tokens.observe(row.times[at] - row.times[at - 1])

    def _look_round(self, seconds: float) -> None:
        """What is done each LOOK or so: `seconds` since the last time."""
        self._measure(seconds)
        self._park()
        if not self._rows and self._trimmed != self._seen:
            self._trimmed = self._seen
            allocator.trim()

    def _measure(self, seconds: float) -> None:
        """The speed since the last look, and the gauges."""
        with self._lock:
            made = self._told + sum(len(row.times) for row in self._rows.values())
            waiting, running = len(self._line), sum(row.decoded for row in self._batched)
            used = sum(row.size for row in self._batched if row.decoded)
        if made > self._seen:
            self._pace.on_second(tokens_per_second=(made - self._seen) / seconds, saturated=waiting > 0)
        self._seen = made
        self._measures.waiting.set(waiting)
        self._measures.running.set(running)
        self._measures.memory_used.set(used / self._memory.tokens)
        self._measures.prefixes.set(len(self._prefixes))

    # -- closing ---------------------------------------------------------------------------------------------------

    def _cancel_all(self) -> None:
        with self._lock:
            self._closed = True
            for row in self._rows.values():
                row.cancelled = True
            self._work.notify_all()
            self._news.set()

    def _drop(self) -> None:
        """CTranslate2 counts a batch as done only once it has let go of our callback in its own thread: leaving the
        interpreter earlier aborts the process."""
        for thread in self._servers:
            thread.join()
        while self._generator is not None and self._generator.num_active_batches:
            time.sleep(0.001)
        self._generator = None


def _is_full(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(word in str(error) for word in FULL)
