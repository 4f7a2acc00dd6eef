"""What /metrics says of workers and their engines, read back as Prometheus reads it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from bot.exposition import Exposition
from inference.measures import Measures
from worker.health import Health, WorkerInfo

BEAT = 20_000  # bytes; each second from each worker, and read again for each look at the house


def measured(first_token: float = 0.3, *, stop: int = 2) -> str:
    """The metrics of an engine that has worked."""
    measures = Measures()
    measures.first_token.observe(first_token)
    measures.running.set(3)
    measures.ended.labels(finished_reason="stop").inc(stop)
    return generate_latest(measures.registry).decode()


def worker(name: str, measures: str) -> WorkerInfo:
    return WorkerInfo(
        name=name,
        host="box",
        pid=7,
        model="tiny",
        device="cpu",
        loaded=True,
        running=1,
        waiting=2,
        slots=4,
        queues=("answers",),
        measures=measures,
    )


def exposed(*workers: WorkerInfo) -> str:
    queue = Health(redis=True, workers=workers)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exposition(ready=True, database=True, queue=queue))
    return generate_latest(registry).decode()


def samples(text: str, name: str) -> list[Sample]:
    families = text_string_to_metric_families(text)
    return [sample for family in families for sample in family.samples if sample.name == name]


GOOD = measured()
FEW = "".join(line for line in GOOD.splitlines(keepends=True) if "time_to_first" in line or "success" in line)


ALONE = exposed(worker("w1", FEW))


def test_each_workers_engine_is_told_apart_by_its_labels() -> None:
    text = exposed(worker("w1", measured(stop=2)), worker("w2", measured(stop=5)))
    ended = samples(text, "frontdesk_engine_request_success_total")
    assert [(sample.labels.pop("worker"), sample.value) for sample in ended] == [("w1", 2), ("w2", 5)]
    assert ended[0].labels == {"host": "box", "model": "tiny", "device": "cpu", "finished_reason": "stop"}


def test_every_family_of_an_engine_is_there_and_described_once() -> None:
    text = exposed(worker("w1", GOOD), worker("w2", GOOD))
    told = Counter(tuple(line.split(" ")[1:3]) for line in text.splitlines() if line.startswith("#"))
    assert set(told.values()) == {1}
    assert {tuple(line.split(" ")[1:3]) for line in GOOD.splitlines() if line.startswith("#")} <= told.keys()


def test_a_histogram_arrives_whole() -> None:
    text = exposed(worker("w1", measured(0.3)))
    name = "frontdesk_engine_time_to_first_token_seconds"
    buckets = {sample.labels["le"]: sample.value for sample in samples(text, f"{name}_bucket")}
    assert (buckets["0.2"], buckets["0.5"], buckets["+Inf"]) == (0, 1, 1)
    assert samples(text, f"{name}_sum")[0].value == 0.3
    assert samples(text, f"{name}_count")[0].value == 1


def test_a_worker_without_an_engine_has_no_engine_metrics() -> None:
    text = exposed(worker("w1", ""))
    assert "frontdesk_engine" not in text
    assert samples(text, "frontdesk_worker_measured")[0].value == 0
    assert samples(text, "frontdesk_worker_slots")[0].value == 4


@pytest.mark.parametrize(
    "text",
    [
        "frontdesk_engine_requests_running three\n",
        '# TYPE frontdesk_engine_a gauge\nfrontdesk_engine_a{x="1" 1\n',
        "# TYPE frontdesk_engine_a gadget\nfrontdesk_engine_a 1\n",
        f"# TYPE frontdesk_engine_a gauge\nfrontdesk_engine_a 1{'0' * 400}\n",
        "# TYPE frontdesk_engine_a gauge\nfrontdesk_engine_a 1\nfrontdesk_engine_a 2\n",
        '# TYPE frontdesk_engine_a gauge\nfrontdesk_engine_a{"x.y"="1",x_y="2"} 1\n',
        "# HELP frontdesk_engine_a \ud800\n# TYPE frontdesk_engine_a gauge\nfrontdesk_engine_a 1\n",
    ],
    ids=["value", "brace", "kind", "number", "twice", "label", "half a character"],
)
def test_a_text_that_cannot_be_read_is_left_out_and_said(text: str) -> None:
    said = exposed(worker("w1", text), worker("w2", GOOD))
    assert "frontdesk_engine_a" not in said
    assert [sample.value for sample in samples(said, "frontdesk_worker_measured")] == [0, 1]
    (running,) = samples(said, "frontdesk_engine_requests_running")
    assert (running.labels["worker"], running.value) == ("w2", 3)


def test_an_engine_cannot_speak_under_the_houses_names() -> None:
    text = "# TYPE frontdesk_ready gauge\nfrontdesk_ready 7\n"
    assert [sample.value for sample in samples(exposed(worker("w1", text)), "frontdesk_ready")] == [1]


def test_a_name_that_two_releases_use_for_two_kinds_is_taken_from_the_first() -> None:
    other = "# TYPE frontdesk_engine_requests_running histogram\nfrontdesk_engine_requests_running_sum 9\n"
    text = exposed(worker("w1", GOOD), worker("w2", other))
    assert "# TYPE frontdesk_engine_requests_running gauge" in text
    assert "frontdesk_engine_requests_running_sum" not in text


@settings(deadline=None)  # reading is slow, and a machine may be busy
@given(at=st.integers(0, len(FEW)), cut=st.integers(0, 40), put=st.text(max_size=20))
def test_no_text_whatever_harms_what_is_said_of_the_others(at: int, cut: int, put: str) -> None:
    said = exposed(worker("w1", FEW), worker("w2", FEW[:at] + put + FEW[at + cut :]))
    assert {line for line in ALONE.splitlines() if 'worker="w1"' in line} <= set(said.splitlines())
    assert list(text_string_to_metric_families(said))


def test_a_beat_stays_small() -> None:
    assert len(worker("w1", GOOD).encode()) < BEAT
