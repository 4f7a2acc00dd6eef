"""How the house is, its workers and their engines, in Prometheus' words.

Given the parts' states; each worker brings its engine's own metrics as text. Knows nothing of how either is found out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from worker.health import Health, WorkerInfo

LABELS = ("worker", "host", "model", "device")
ENGINE = re.compile(r"frontdesk_engine_\w+", re.ASCII)  # so that no worker's names ever meet ours
LABEL = re.compile(
    r"[a-z_]\w*", re.ASCII
)  # wilder ones would be rewritten on the way out, and might then meet

GAUGES = (
    ("frontdesk_worker_loaded", "Whether the worker's model answers", "loaded"),
    ("frontdesk_worker_running", "Answers that the worker is making", "running"),
    ("frontdesk_worker_waiting", "Answers that wait in the worker's engine", "waiting"),
    ("frontdesk_worker_slots", "Answers that the worker makes at once", "slots"),
)
COUNTERS = (
    ("frontdesk_worker_tokens", "Tokens that the worker has written", "tokens"),
    ("frontdesk_worker_prompt_tokens", "Tokens that the worker has read", "prompt_tokens"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposition:
    """One look at the house, to be collected by prometheus_client."""

    ready: bool
    database: bool
    queue: Health

    def collect(self) -> Iterable[Metric]:
        yield from self._house()
        yield from self._workers()
        yield from engines(self.queue.workers)

    def _house(self) -> Iterable[Metric]:
        for name, says, value in (
            ("frontdesk_ready", "Whether a question asked now would be answered", self.ready),
            ("frontdesk_database_up", "Whether the database answers", self.database),
            ("frontdesk_queue_up", "Whether Redis answers", self.queue.redis),
            ("frontdesk_queue_waiting", "Jobs of answers that no worker has taken", self.queue.waiting),
        ):
            yield GaugeMetricFamily(name, says, value=value)

    def _workers(self) -> Iterable[Metric]:
        for kind, families in ((GaugeMetricFamily, GAUGES), (CounterMetricFamily, COUNTERS)):
            for name, says, field in families:
                family = kind(name, says, labels=LABELS)
                for worker in self.queue.workers:
                    family.add_metric(tuple(_labels(worker).values()), getattr(worker, field))
                yield family


def engines(workers: Iterable[WorkerInfo]) -> Iterable[Metric]:
    """What the engines count: each family once, each sample with its worker's labels. A text that cannot be read is
    left out whole, and so is a family that an earlier worker knows as another kind: both come of other releases."""
    families: dict[str, Metric] = {}
    read = GaugeMetricFamily(
        "frontdesk_worker_measured", "Whether the worker's engine is among these metrics", labels=LABELS
    )
    for worker in workers:
        found = _read(worker)
        read.add_metric(tuple(_labels(worker).values()), bool(found))
        for family in found:
            known = families.setdefault(family.name, family)
            if known is not family and known.type == family.type:
                known.samples.extend(family.samples)
    return [read, *families.values()]


def _read(worker: WorkerInfo) -> list[Metric]:
    """The families of one worker's engine; none when its text is not what Prometheus would read."""
    families = []
    try:
        worker.measures.encode()  # half a character would stop the whole page on its way out
        for family in text_string_to_metric_families(worker.measures):
            if family.type != "unknown" and ENGINE.fullmatch(family.name):
                family.samples = [_sample(sample, worker) for sample in family.samples]
                families.append(family)
    except Exception:  # the parser is written for good text: a bad one ends in any error
        return []
    series = [
        (sample.name, *sorted(sample.labels.items())) for family in families for sample in family.samples
    ]
    return families if len(set(series)) == len(series) else []


def _sample(sample: Sample, worker: WorkerInfo) -> Sample:
    """As of this scrape, hence without a time of its own. Raises ValueError, or OverflowError for what is no float."""
    if not all(LABEL.fullmatch(name) for name in sample.labels):
        raise ValueError
    return Sample(sample.name, {**sample.labels, **_labels(worker)}, float(sample.value))


def _labels(worker: WorkerInfo) -> dict[str, str]:
    return dict(zip(LABELS, (worker.name, worker.host, worker.model, worker.device), strict=True))
