"""The Prometheus and Grafana files in deploy/ speak of metrics and paths that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from bot.exposition import Exposition
from bot.metrics import Metrics
from inference.measures import Measures
from worker.health import Health, WorkerInfo

DEPLOY = Path(__file__).parents[2] / "deploy"
BOARD = json.loads((DEPLOY / "grafana.json").read_text())
PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text())
RULES = [
    rule
    for file in PROMETHEUS["rule_files"]
    for group in yaml.safe_load((DEPLOY / file).read_text())["groups"]
    for rule in group["rules"]
]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
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
    measures=generate_latest(Measures().registry).decode(),
)


@pytest.fixture(scope="module")
def known():
    """The name of every sample that /metrics serves."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exposition(ready=True, database=True, queue=Health(redis=True, workers=(WORKER,))))
    text = generate_latest(registry) + generate_latest(Metrics().registry)
    lines = [line.split() for line in text.decode().splitlines() if line.startswith("# TYPE ")]
    kinds = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return {name + end for *_, name, kind in lines for end in kinds[kind]}


def named(expression):
    """The metrics that an expression reads, and those that rules make, told by their colons."""
    return set(re.findall(r"[\w:]*frontdesk_[\w:]+", expression))


@pytest.mark.parametrize("panel", BOARD["panels"], ids=lambda panel: panel["title"])
def test_every_metric_of_the_dashboard_is_served(panel, known):
    for target in panel["targets"]:
        assert named(target["expr"])
        assert named(target["expr"]) <= known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_metric_of_the_rules_is_served_or_recorded(rule, known):
    assert named(rule["expr"])
    assert named(rule["expr"]) <= known | RECORDED


def test_every_alert_says_what_is_wrong_and_where_to_look():
    for rule in RULES:
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("critical", "warning")
            assert {"summary", "description"} <= rule["annotations"].keys()


def test_every_metric_of_the_engine_has_its_place_on_the_dashboard(known):
    def families(names):
        return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names if not name.endswith("_created")}

    shown = {
        name for panel in BOARD["panels"] for target in panel["targets"] for name in named(target["expr"])
    }
    assert families(name for name in known if name.startswith("frontdesk_engine_")) <= families(shown)


def test_panels_lie_beside_each_other_under_numbers_of_their_own():
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in BOARD["panels"]]
    assert len(set(places)) == len({panel["id"] for panel in BOARD["panels"]}) == len(places)


def test_prometheus_reads_our_path_with_a_key():
    (job,) = PROMETHEUS["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert "credentials_file" in job["authorization"]
    assert job["static_configs"] == [{"targets": ["bot:8080"]}]
