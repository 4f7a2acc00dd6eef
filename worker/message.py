"""A job as the message that Celery's own `apply_async` would put into Redis, made without importing Celery.

Knows Celery's message protocol 2 (documented) and kombu's envelope around it in Redis; a test compares both with the
real ones. What is in a job is `jobs`' business.
"""

from __future__ import annotations

import base64
import json
import uuid

TASK = "frontdesk.answer"

_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def envelope(encoded: str, *, queue: str, task_id: str, task: str = TASK) -> str:
    """The message that carries one encoded job to the task on a queue, ready for LPUSH."""
    body = json.dumps([[encoded], {}, _EMBED])
    return json.dumps(
        {
            "body": base64.b64encode(body.encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": _headers(task=task, task_id=task_id),
            "properties": {
                "correlation_id": task_id,
                "reply_to": "",  # of Celery's results, which nobody keeps
                "argsrepr": "(...)",
                "kwargsrepr": "{}",
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": str(uuid.uuid4()),
            },
        }
    )


def _headers(*, task: str, task_id: str) -> dict[str, object]:
    return {
        "lang": "py",
        "task": task,
        "id": task_id,
        "shadow": None,
        "eta": None,
        "expires": None,
        "group": None,
        "group_index": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": task_id,
        "parent_id": None,
        "argsrepr": "(...)",  # what people said never gets into Celery's logs
        "kwargsrepr": "{}",
        "origin": "frontdesk",
        "ignore_result": True,
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
