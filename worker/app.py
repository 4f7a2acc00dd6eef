"""The Celery app: its broker and the settings that each have a reason. Made by a function; nothing is opened here.

Knows Celery. What the tasks do stands in `tasks`, how the process lives in `serve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from celery import Celery
from kombu import Queue as CeleryQueue

# Seconds after which Celery delivers again what was not acknowledged. Longer than the longest job (600 s) and its wait;
# never the failover: the reaper is, and what comes back this late is dropped by its claim.
VISIBILITY = 3600


def broker_url(redis_url: str) -> str:
    """The same server as kombu spells it: a Unix socket is redis+socket there."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={database}"


def make_app(redis_url: str, *, queues: Sequence[str]) -> Celery:
    """The app on a Redis server, without tasks, for a worker that takes from these queues. It becomes nobody's
    current app."""
    app = Celery("frontdesk", broker=broker_url(redis_url), set_as_current=False)
    app.conf.update(
        task_queues=[CeleryQueue(queue) for queue in queues],
        task_default_queue=queues[0],
        task_serializer="json",
        accept_content=["json"],  # never pickle: a message must not be able to run code
        task_ignore_result=True,  # what comes of a job is events on its reply stream
        task_store_errors_even_if_ignored=False,
        task_acks_late=True,  # acknowledged when it is over, so that what nobody claimed comes back
        worker_prefetch_multiplier=1,  # what waits, waits in the queue, where it is counted and any worker may take it
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # Redis away for a night is survived as well
        # It would call the pool's terminate_job, which threads do not have; a job survives a lost connection anyway.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,  # nobody controls it so, and it would open one queue more
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_transport_options={
            "visibility_timeout": VISIBILITY,
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
            "health_check_interval": 10,
        },
    )
    return app
