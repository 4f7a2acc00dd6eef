"""One worker process from start to end: loads the model, answers what the queue gives, ends without losing anything.

Knows the order of things at start and end. What is done with a job stands in `tasks`.
"""

from __future__ import annotations

import os
import platform
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import redis
import structlog
from celery import Celery
from celery.app.trace import setup_worker_optimizations
from ctranslate2 import get_cuda_device_count
from redis.backoff import NoBackoff
from redis.retry import Retry
from tokenizers import Tokenizer

from inference import cuda
from inference.engine import Engine, Load
from inference.library import STARTER, Library, ModelFolder
from inference.opening import open_engine
from worker.app import make_app
from worker.bulk.recovery import Recovery
from worker.bulk.work import BulkWork
from worker.ending import Ending
from worker.health import WorkerInfo
from worker.heartbeat import Heartbeat, Listener
from worker.jobs import BULK, answers_of
from worker.logs import masked
from worker.measures import Exposition
from worker.orders import LOADED
from worker.settings import WorkerSettings
from worker.stream import Publisher
from worker.tasks import Work
from worker.telling import Live

log = structlog.get_logger(__name__)

TIMEOUT = 2.0  # seconds for a command to Redis
# Two threads of Python beside the engine's: with 5 ms, the default, each could delay every token by as much.
SWITCH_INTERVAL = 0.0005
# Jobs beyond the engine's places that a worker takes at once: what it decodes next is chosen among more, and none waits
# for a message to come. Few, since what it holds no other worker can take; one place alone has none.
SPARE = 8
KERNELS = "cuda-cache"  # in the data folder: what the driver compiles for this GPU

IDLE = Load(running=0, waiting=0, queued_tokens=0, tokens_per_second=0.0, slots=0)


def serve(
    settings: WorkerSettings,
    *,
    parent_pipe: int | None = None,
    tell_pipe: int | None = None,
    device_index: int | None = None,
) -> int:
    """Run a worker until SIGTERM or SIGINT, or until `parent_pipe`, whose other end a parent holds, is closed or tells
    it to retire. `tell_pipe` hears when the model answers.

    `device_index` is said of it where there are several devices. Returns the exit status. Raises
    library.ModelNotFound or EngineError when the model cannot be loaded.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    url = settings.redis_url.get_secret_value()
    # Who answers nobody loads no model, and may be there to make the one that is named.
    named = settings.model if "answers" in settings.queues else STARTER
    model = Library(root=settings.data / "models").find(named)
    retry = Retry(NoBackoff(), 1)  # a connection that a restarted server has closed is opened again at once
    client = redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=retry)
    log.info("worker starting", model=model.name, redis=masked(url), queues=settings.queues)
    ending = Ending()
    ending.watch(parent_pipe)
    try:
        process = _Process(
            settings=settings,
            client=client,
            model=model,
            ending=ending,
            tell_pipe=tell_pipe,
            device_index=device_index,
        )
        return process.run(make_app(url, queues=process.queues))
    finally:
        client.close()


@dataclass(slots=True, kw_only=True)
class _Process:
    settings: WorkerSettings
    client: redis.Redis
    model: ModelFolder
    ending: Ending
    tell_pipe: int | None
    device_index: int | None
    name: str = field(default_factory=lambda: f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:6]}")
    engine: Engine | None = None
    exposition: Exposition | None = None
    publisher: Publisher | None = None
    recovery: Recovery | None = None
    loaded: bool = False

    @property
    def queues(self) -> tuple[str, ...]:
        """As Redis knows them."""
        names = {"answers": answers_of(self.model.name), "bulk": BULK}
        return tuple(names[queue] for queue in self.settings.queues)

    def run(self, app: Celery) -> int:
        publisher = self.publisher = Publisher(self.client, stop=self._cancel)
        live = self.ending.live = Live(cancel=self._cancel)
        heartbeat = Heartbeat(self.client, info=self._info, live=live)
        listener = Listener(self.client, live=live)
        self.ending.idle, self.ending.changed = self._idle, heartbeat.hurry
        heartbeat.start()
        listener.start()
        try:
            self._work(app, live=live, publisher=publisher, heartbeat=heartbeat)
        finally:
            publisher.close(within=TIMEOUT)
            if self.recovery is not None:
                self.recovery.stop(within=TIMEOUT)
            self.loaded = False
            heartbeat.stop(within=TIMEOUT)
            listener.stop(within=TIMEOUT)
            if self.engine is not None:
                self.engine.close()
        log.info("worker ended")
        return 0

    def _work(self, app: Celery, *, live: Live, publisher: Publisher, heartbeat: Heartbeat) -> None:
        if "answers" in self.settings.queues:
            self.engine = _load(self.settings, self.model)
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
                with suppress(redis.RedisError, OSError):
                    heartbeat.beat()  # first: whom we replace says that it retires as soon as our parent knows
                self._tell(LOADED)
            heartbeat.hurry()

        if "bulk" in self.settings.queues:
            BulkWork(
                name=self.name,
                client=self.client,
                data=self.settings.data.absolute(),
                asked_to_end=self.ending.asked.is_set,
            ).register(app)
            self.recovery = Recovery(client=self.client)
            self.recovery.start()

        if not self.ending.asked.is_set():
            at_once = self.engine.slots + min(SPARE, self.engine.slots // 2) if self.engine else 1
            _consume(app, name=self.name, queues=self.queues, at_once=at_once, ready=ready)

    def _tell(self, said: bytes) -> None:
        if self.tell_pipe is not None:
            with suppress(OSError):  # a parent that is gone is noticed by its own pipe
                os.write(self.tell_pipe, said)

    def _idle(self) -> bool:
        try:
            waiting = sum(self.client.llen(queue) for queue in self.queues)
        except (redis.RedisError, OSError):
            return False
        return waiting == 0 and not self.ending.live

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
            loaded=self.loaded and not (self.ending.asked.is_set() or self.ending.retiring),
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


def _load(settings: WorkerSettings, model: ModelFolder) -> Engine:
    kernels = settings.data.absolute() / KERNELS
    device = cuda.choose(settings.device, count=get_cuda_device_count, kernels=kernels)
    return open_engine(
        model,
        device=device,
        compute_type=settings.compute_type,
        inter_threads=settings.inter_threads,
        intra_threads=settings.intra_threads,
        max_rows=settings.max_rows,
        memory_bytes=round(settings.kv_memory * 1024**3),
    )


def _consume(
    app: Celery, *, name: str, queues: tuple[str, ...], at_once: int, ready: Callable[[object], None]
) -> None:
    """Celery's worker without its signal handlers, banner and log set-up, until it is asked to stop."""
    setup_worker_optimizations(app, name)
    worker = app.WorkController(
        hostname=name,
        pool="threads",
        concurrency=at_once,
        queues=list(queues),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        ready_callback=ready,
    )
    worker.start()
