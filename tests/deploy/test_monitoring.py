"""The Prometheus and Grafana files in deploy/ speak of metrics and paths that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from bot.health import Report, _Gauges
from bot.metrics import Metrics
from worker.health import Health, WorkerInfo

DEPLOY = Path(__file__).parents[2] / "deploy"
BOARD = json.loads((DEPLOY / "grafana.json").read_text())
WORKER = WorkerInfo(
    name="w",
    host="h",
    pid=1,
    model="starter",
    device="cpu",
    loaded=True,
    running=0,
    waiting=0,
    slots=1,
    queues=("answers",),
)


@pytest.fixture(scope="module")
def known():
    """The name of every sample that /metrics serves."""
    registry = CollectorRegistry()
    registry.register(_Gauges(Report(database=True, queue=Health(redis=True, workers=(WORKER,)))))
    text = generate_latest(registry) + generate_latest(Metrics().registry)
    lines = [line.split() for line in text.decode().splitlines() if line.startswith("# TYPE ")]
    kinds = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return {name + end for *_, name, kind in lines for end in kinds[kind]}


@pytest.mark.parametrize("panel", BOARD["panels"], ids=lambda panel: panel["title"])
def test_every_metric_of_the_dashboard_is_served(panel, known):
    for target in panel["targets"]:
        named = set(re.findall(r"frontdesk_\w+", target["expr"]))
        assert named
        assert named <= known


def test_prometheus_reads_our_path_with_a_key():
    (job,) = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert "credentials_file" in job["authorization"]
    assert job["static_configs"] == [{"targets": ["bot:8080"]}]
