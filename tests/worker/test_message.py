"""Our message against Celery's own."""

from __future__ import annotations

import base64
import json
from typing import Any

import redis

from worker.app import broker_url, make_app
from worker.jobs import answers_of
from worker.message import TASK, envelope

QUEUE = answers_of("small@0badcafe:int8")


def test_the_message_is_the_one_that_apply_async_sends(redis_url: str) -> None:
    app = make_app(redis_url, queues=[QUEUE])

    @app.task(name=TASK)
    def task(encoded: str) -> None:
        raise AssertionError("only sent")

    with redis.Redis.from_url(redis_url) as client:
        task.apply_async(args=["{}"], task_id="a:1", argsrepr="(...)", kwargsrepr="{}")
        theirs = read(client.rpop(QUEUE))
        ours = read(envelope("{}", queue=QUEUE, task_id="a:1"))
    app.close()
    for message in (theirs, ours):  # whoever sent it, and by which delivery, is different
        message["headers"].pop("origin")
        message["properties"].pop("reply_to")
        message["properties"].pop("delivery_tag")
    assert ours == theirs


def read(message: Any) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(message)
    decoded["body"] = json.loads(base64.b64decode(decoded["body"]))
    return decoded


def test_the_broker_is_the_same_server_in_kombu_s_spelling() -> None:
    assert broker_url("redis://user:pass@host:1/2") == "redis://user:pass@host:1/2"
    assert broker_url("unix:///data/redis.sock") == "redis+socket:///data/redis.sock?virtual_host=0"
    assert broker_url("unix:///data/redis.sock?db=3") == "redis+socket:///data/redis.sock?virtual_host=3"


def test_nothing_but_json_is_accepted_and_no_result_is_kept() -> None:
    app = make_app("redis://localhost:1/0", queues=[QUEUE, "frontdesk.bulk"])
    assert app.conf.accept_content == ["json"]
    assert app.conf.result_backend is None
    assert app.conf.broker_transport_options["visibility_timeout"] > 600, "longer than the longest job"
    assert {queue.name for queue in app.conf.task_queues} == {QUEUE, "frontdesk.bulk"}
