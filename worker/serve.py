"""One worker process from start to end: loads the model, answers what the queue gives, ends without losing anything.

Knows the order of things at start and end. What is done with a job stands in `tasks`.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import redis
import structlog
from celery import Celery
from celery.app.trace import setup_worker_optimizations
from celery.worker import state as celery_state
from ctranslate2 import get_cuda_device_count
from redis.backoff import NoBackoff
from redis.retry import Retry
from tokenizers import Tokenizer

from inference import cuda
from inference.engine import Engine, Load
from inference.library import Library, ModelFolder
from worker.app import make_app
from worker.health import WorkerInfo
from worker.heartbeat import Heartbeat, Listener
from worker.jobs import ANSWERS, BULK
from worker.logs import masked
from worker.measures import Exposition
from worker.settings import QueueName, WorkerSettings
from worker.stream import Publisher
from worker.tasks import Work
from worker.telling import Live

log = structlog.get_logger(__name__)

# At the end: answers under way get GRACE seconds, then they are handed back; LAST is when the process ends whatever
# hangs, a prefill that cannot be cut short or a server that does not answer. Service managers give ten seconds.
GRACE = 3.0
LAST = 8.0
TIMEOUT = 2.0  # seconds for a command to Redis
# Two threads of Python beside the engine's: with 5 ms, the default, each could delay every token by as much.
SWITCH_INTERVAL = 0.0005
# Jobs beyond the engine's places that a worker takes at once: what it decodes next is chosen among more, and none waits
# for a message to come. Few, since what it holds no other worker can take; one place alone has none.
SPARE = 8
KERNELS = "cuda-cache"  # in the data folder: what the driver compiles for this GPU

QUEUES = {"answers": ANSWERS, "bulk": BULK}
IDLE = Load(running=0, waiting=0, queued_tokens=0, tokens_per_second=0.0, slots=0)


def serve(
    settings: WorkerSettings, *, parent_pipe: int | None = None, device_index: int | None = None
) -> int:
    """Run a worker until SIGTERM or SIGINT, or until `parent_pipe`, whose other end a parent holds, is closed.

    `device_index` is said of it where there are several devices. Returns the exit status. Raises
    library.ModelNotFound or EngineError when the model cannot be loaded.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    url = settings.redis_url.get_secret_value()
    model = Library(root=settings.data / "models").find(settings.model)
    retry = Retry(NoBackoff(), 1)  # a connection that a restarted server has closed is opened again at once
    client = redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=retry)
    log.info("worker starting", model=model.name, redis=masked(url), queues=settings.queues)
    ending = Ending()
    ending.watch(parent_pipe)
    try:
        process = _Process(
            settings=settings, client=client, model=model, ending=ending, device_index=device_index
        )
        return process.run(make_app(url))
    finally:
        client.close()


@dataclass(slots=True)
class Ending:
    """When and how fast the process ends. Signals come to the main thread, which Celery's loop keeps."""

    live: Live | None = None
    asked: threading.Event = field(default_factory=threading.Event)
    grace: float = GRACE

    def watch(self, parent_pipe: int | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if parent_pipe is not None:
            threading.Thread(
                target=self._watch_parent, args=(parent_pipe,), name="parent", daemon=True
            ).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.asked.is_set():
            self.asked.set()
            # Celery's own loop looks at it, stops taking, and lets what runs come to its end.
            vars(celery_state)["should_stop"] = 0
            threading.Thread(target=self._hurry, name="ending", daemon=True).start()

    def _watch_parent(self, pipe: int) -> None:
        try:
            while os.read(pipe, 1024):
                pass
        except OSError as error:
            log.warning("the parent's pipe cannot be read", cause=str(error))
            return
        log.warning("the parent is gone")
        self.grace = 0.0  # nobody is left to read the answers; they are in SQL and begin anew
        os.kill(os.getpid(), signal.SIGTERM)

    def _hurry(self) -> None:
        began = time.monotonic()
        log.info("worker ending")
        while self.live and len(self.live) and time.monotonic() < began + self.grace:
            time.sleep(0.02)
        if self.live is not None:
            handed_back = self.live.hand_back()
            if handed_back:
                log.info("answers are handed back", answers=handed_back)
        time.sleep(max(0.0, began + LAST - time.monotonic()))
        log.error("the worker did not come to its end in time")
        # Not sys.exit: that would wait for the threads that hang, and a loaded Generator aborts the interpreter's end.
        os._exit(0)


@dataclass(slots=True, kw_only=True)
class _Process:
    settings: WorkerSettings
    client: redis.Redis
    model: ModelFolder
    ending: Ending
    device_index: int | None
    name: str = field(default_factory=lambda: f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:6]}")
    engine: Engine | None = None
    exposition: Exposition | None = None
    publisher: Publisher | None = None
    loaded: bool = False

    def run(self, app: Celery) -> int:
        publisher = self.publisher = Publisher(self.client, stop=self._cancel)
        live = self.ending.live = Live(cancel=self._cancel)
        heartbeat = Heartbeat(self.client, info=self._info, live=live)
        listener = Listener(self.client, live=live)
        heartbeat.start()
        listener.start()
        try:
            self._work(app, live=live, publisher=publisher, heartbeat=heartbeat)
        finally:
            publisher.close(within=TIMEOUT)
            self.loaded = False
            heartbeat.stop(within=TIMEOUT)
            listener.stop(within=TIMEOUT)
            if self.engine is not None:
                self.engine.close()
        log.info("worker ended")
        return 0

    def _work(self, app: Celery, *, live: Live, publisher: Publisher, heartbeat: Heartbeat) -> None:
        if "answers" in self.settings.queues:
            self.engine = _load(self.settings, self.model.path)
            self.exposition = Exposition(self.engine.measures.registry)
            tokenizer = Tokenizer.from_file(str(self.model.path / "tokenizer.json"))
            Work(
                name=self.name,
                model=self.model.name,
                client=self.client,
                engine=self.engine,
                tokenizer=tokenizer,
                publisher=publisher,
                live=live,
            ).register(app)
            self.engine.warm_up()

        def ready(_: object) -> None:  # again after a lost connection
            if not self.loaded:
                log.info("worker ready", name=self.name, device=self._device)
            self.loaded = True
            heartbeat.hurry()

        if not self.ending.asked.is_set():
            at_once = self.engine.slots + min(SPARE, self.engine.slots // 2) if self.engine else 1
            _consume(app, name=self.name, queues=self.settings.queues, at_once=at_once, ready=ready)

    def _cancel(self, engine_id: str) -> None:
        if self.engine is not None:
            self.engine.cancel(engine_id)

    @property
    def _device(self) -> str:
        return self.engine.device if self.engine else self.settings.device

    def _info(self) -> WorkerInfo:
        engine, publisher, exposition = self.engine, self.publisher, self.exposition
        load = engine.load() if engine else IDLE
        return WorkerInfo(
            name=self.name,
            host=platform.node(),
            pid=os.getpid(),
            model=self.model.name,
            device=self._device,
            loaded=self.loaded and not self.ending.asked.is_set(),
            running=load.running,
            waiting=load.waiting,
            slots=load.slots,
            queues=self.settings.queues,
            tokens=publisher.tokens if publisher else 0,
            prompt_tokens=publisher.tokens_read if publisher else 0,
            tokens_per_second=load.tokens_per_second,
            queued_tokens=load.queued_tokens,
            device_index=self.device_index,
            measures=exposition.text() if exposition else "",
        )


def _load(settings: WorkerSettings, folder: Path) -> Engine:
    kernels = settings.data.absolute() / KERNELS
    device = cuda.choose(settings.device, count=get_cuda_device_count, kernels=kernels)
    return Engine(
        folder,
        device=device,
        compute_type=settings.compute_type,
        inter_threads=settings.inter_threads,
        intra_threads=settings.intra_threads,
        max_rows=settings.max_rows,
        memory_bytes=round(settings.kv_memory * 1024**3),
    )


def _consume(
    app: Celery, *, name: str, queues: tuple[QueueName, ...], at_once: int, ready: Callable[[object], None]
) -> None:
    """Celery's worker without its signal handlers, banner and log set-up, until it is asked to stop."""
    setup_worker_optimizations(app, name)
    worker = app.WorkController(
        hostname=name,
        pool="threads",
        concurrency=at_once,
        queues=[QUEUES[queue] for queue in queues],
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        ready_callback=ready,
    )
    worker.start()
