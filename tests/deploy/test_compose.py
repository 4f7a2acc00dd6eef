"""compose.yaml and the Dockerfile, held against the Compose specification's rules that they rely on.

No Docker engine is needed: what is checked is that names meet, nothing runs as root, no secret is inside, and that
every command and variable exists in Frontdesk itself.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bot.channels.slack.settings import SlackSettings
from bot.channels.telegram.settings import TelegramSettings
from bot.cli import app
from bot.settings import Settings, known_variables
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}

# https://github.com/compose-spec/compose-spec/blob/main/05-services.md: those we use
KNOWN = {
    "build", "cap_drop", "command", "depends_on", "deploy", "environment", "healthcheck", "image", "init", "logging",
    "networks", "ports", "profiles", "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "user",
    "volumes",
}  # fmt: skip
VARIABLE = re.compile(r"\$\{(\w+)(?::?[-?+][^}]*)?\}")


@pytest.fixture(params=SERVICES)
def service(request):
    return SERVICES[request.param]


def variables():
    return known_variables() | {"POSTGRES_PASSWORD", "FRONTDESK_BIND"}


def test_top_level_keys_are_those_of_the_specification():
    own = {key for key in COMPOSE if not key.startswith("x-")}
    assert own <= {"name", "services", "networks", "volumes", "configs", "secrets"}


def test_every_key_of_a_service_is_known_to_compose(service):
    assert set(service) <= KNOWN


def test_every_service_is_restarted_logs_within_bounds_and_says_whether_it_is_well(service):
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert {"test", "interval", "timeout", "retries"} <= service["healthcheck"].keys()
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


def test_every_image_is_pinned_to_a_version(service):
    _, _, tag = service["image"].partition(":")
    assert re.match(r"\d+\.\d+(\.\d+)?", tag), service["image"]


def test_every_service_writes_only_to_volumes_and_memory(service):
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", OURS)
def test_our_own_services_are_no_root_and_hold_no_capability(name):
    assert OURS[name]["user"].split(":")[0] not in ("", "0", "root")
    assert OURS[name]["cap_drop"] == ["ALL"]
    assert OURS[name]["init"] is True


def test_names_meet(service):
    mounted = {volume.split(":")[0] for volume in service.get("volumes", ())}
    assert mounted <= COMPOSE["volumes"].keys()
    assert set(service["networks"]) <= COMPOSE["networks"].keys()
    for other, how in service.get("depends_on", {}).items():
        assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]


def test_only_the_bot_is_reached_from_outside_and_only_by_this_computer_unless_told_otherwise():
    published = {name for name, service in SERVICES.items() if "ports" in service}
    assert published == {"bot"}
    assert SERVICES["bot"]["ports"] == ["${FRONTDESK_BIND:-127.0.0.1}:8080:8080"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_no_secret_is_inside_and_the_one_that_is_needed_is_asked_for():
    text = (ROOT / "compose.yaml").read_text()
    for line in text.splitlines():
        if re.search(r"PASSWORD|KEYS|TOKEN|SECRET", line) and not line.lstrip().startswith("#"):
            assert VARIABLE.search(line), line
    assert "${POSTGRES_PASSWORD:?" in text


def test_every_variable_exists():
    used = set(VARIABLE.findall((ROOT / "compose.yaml").read_text()))
    for service in OURS.values():
        used |= service["environment"].keys()
    assert used <= variables()


def test_every_setting_reaches_its_container():
    for service, reader in (
        ("bot", Settings),
        ("bot", SlackSettings),
        ("bot", TelegramSettings),
        ("worker", WorkerSettings),
        ("worker-gpu", WorkerSettings),
    ):
        settings = {str(field.validation_alias) for field in reader.model_fields.values()}
        assert settings <= OURS[service]["environment"].keys()


@pytest.mark.parametrize("name", OURS)
def test_every_command_and_option_exists(name):
    check = OURS[name]["healthcheck"]["test"][1:]
    for command in (OURS[name]["command"], check[1:] if check[0] == "frontdesk" else ["bot"]):
        told = CliRunner().invoke(app, [command[0], "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert told.exit_code == 0, told.output
        for option in command[1:]:
            assert option in told.output


def test_what_the_dockerfile_copies_is_there_and_let_through():
    let = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in DOCKERFILE.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source
                assert source in let, source
    assert "USER 10001" in DOCKERFILE


def test_the_gpu_worker_differs_from_the_other_by_device_and_image_alone():
    gpu, cpu = dict(SERVICES["worker-gpu"]), dict(SERVICES["worker"])
    for key in ("profiles", "image", "build", "deploy"):
        gpu.pop(key, None)
        cpu.pop(key, None)
    assert {**gpu.pop("environment"), "FRONTDESK_DEVICE": ""} == {
        **cpu.pop("environment"),
        "FRONTDESK_DEVICE": "",
    }
    assert gpu == cpu
    device = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"][0]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


@pytest.mark.parametrize("name", ["worker", "worker-gpu", "queue"])
def test_the_worker_and_the_queue_are_given_no_token_and_no_database_and_reach_nothing_outside(name):
    given = " ".join(SERVICES[name].get("environment", {}))
    assert not re.search(r"SLACK|TELEGRAM|DATABASE|POSTGRES|API_KEYS|ENCRYPTION|TOKEN|SECRET|PASSWORD", given)
    assert SERVICES[name]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
