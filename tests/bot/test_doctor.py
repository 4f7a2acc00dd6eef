"""The doctor looks at everything, changes nothing, says what to do, and repeats no secret."""

from __future__ import annotations

import asyncio
import http.server
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.channels.telegram import doctor as telegram_doctor
from bot.doctor import Finding, examine, examine_telegram, surroundings
from bot.embedded import embedded_redis
from bot.settings import Settings, SettingsError
from bot.store import Store
from inference import cuda, random_model, tpu
from moderation import classifier

pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("doctor") / "tiny"
    random_model.make(path)
    return path


class Loaded:
    """A classifier that takes no second to load."""

    languages = ("en", "zh")
    model = "mini-1"
    closed = 0

    @classmethod
    def load(cls, folder: Path | None = None) -> Loaded:
        return cls()

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture(autouse=True)
def _a_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "Classifier", Loaded)


async def found(environment: dict[str, str] | None = None, **options: Any) -> dict[str, Finding]:
    findings = await examine(environment or {}, lambda: Settings.read(**{"port": 0, **options}))
    return {finding.what: finding for finding in findings}


async def test_a_fresh_folder_is_well_and_stays_untouched(tmp_path: Path, model: Path) -> None:
    findings = await found(data=tmp_path / "new", model=str(model))
    assert {finding.what: finding.state for finding in findings.values() if finding.state == "fail"} == {}
    assert {
        "Python",
        "data folder",
        "disk",
        "model",
        "personas",
        "policy",
        "port",
        "database",
        "Redis",
    } <= set(findings)
    assert not (tmp_path / "new").exists()


async def test_a_wrong_setting_is_named_and_the_rest_is_not_guessed() -> None:
    def wrong() -> Settings:
        raise SettingsError("FRONTDESK_PORT: wrong\nREDIS_URL: wrong too")

    said = [finding.said for finding in await examine({}, wrong) if finding.state == "fail"]
    assert said == ["FRONTDESK_PORT: wrong", "REDIS_URL: wrong too"]


TELEGRAM = {"TELEGRAM_BOT_TOKEN": "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"}


@pytest.mark.parametrize(
    ("variable", "wrong", "right"),
    [
        ("TELEGRAM_BOT_TOKEN", "no-telegram-token", TELEGRAM["TELEGRAM_BOT_TOKEN"]),
        ("TELEGRAM_API_URL", "https://tg.example.com/bot", "http://127.0.0.1:8081"),
        ("TELEGRAM_WEBHOOK_SECRET", "with spaces in it", "a-webhook_secret"),
    ],
)
async def test_what_is_wrong_with_the_variables_of_telegram_is_found_and_not_repeated(
    variable: str, wrong: str, right: str, tmp_path: Path
) -> None:
    house = {"data": tmp_path, "public_url": "https://chat.example"}
    bad = (await found({**TELEGRAM, variable: wrong}, **house))[variable]
    assert bad.state == "fail"
    assert bad.todo
    assert wrong not in f"{bad}"
    good = (await found({**TELEGRAM, variable: right}, **house))["Telegram"]
    assert ("a webhook" if variable == "TELEGRAM_WEBHOOK_SECRET" else "long polling") in good.said


async def test_a_telegram_that_is_not_set_up_is_not_spoken_of(tmp_path: Path) -> None:
    assert "Telegram" not in await found({}, data=tmp_path)


async def test_what_is_wrong_with_the_variables_of_slack_is_found_and_not_repeated(tmp_path: Path) -> None:
    findings = await found({"SLACK_BOT_TOKEN": "xoxb-1234567890-abcdef"}, data=tmp_path)
    assert findings["SLACK_APP_TOKEN"].state == "fail"
    right = {"SLACK_BOT_TOKEN": "xoxb-1234567890-abcdef", "SLACK_APP_TOKEN": "xapp-1-A123-456-abcdef"}
    assert "by Socket Mode" in (await found(right, data=tmp_path))["Slack"].said
    bad = (await found({**right, "SLACK_APP_TOKEN": "xoxb-no-app-token"}, data=tmp_path))["SLACK_APP_TOKEN"]
    assert bad.state == "fail"
    assert "xoxb-no-app-token" not in f"{bad}"
    assert "Slack" not in await found({}, data=tmp_path)


async def test_asking_telegram_makes_no_database_and_uses_the_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def examined(options: Any, *, shelf: Any) -> list[Finding]:
        assert shelf is None or await shelf.get("nothing") is None
        return [Finding("ok", "Telegram", f"{'without' if shelf is None else 'with'} a shelf")]

    monkeypatch.setattr(telegram_doctor, "examine", examined)
    settings = Settings.read(data=tmp_path / "new")
    (finding,) = await examine_telegram(settings, {})
    assert finding.said == "without a shelf"
    assert not (tmp_path / "new").exists()
    async with Store.open(settings.database()):
        pass
    (finding,) = await examine_telegram(settings, {})
    assert finding.said == "with a shelf"


async def test_a_misspelt_variable_is_warned_of(tmp_path: Path) -> None:
    misspelt = {"FRONTDESK_PROT": "8080", "SLACK_TOKEN": "xoxb-1", "TELEGRAM_TOKEN": "1:a"}
    findings = await found({**misspelt, "FRONTDESK_PORT": "8080", "PATH": "/bin"}, data=tmp_path)
    assert {findings[variable].state for variable in misspelt} == {"warn"}
    assert not {"FRONTDESK_PORT", "PATH"} & set(findings)


async def test_a_missing_model_and_broken_files_are_failures_with_their_own_sentences(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("personas: [")
    findings = await found(
        data=tmp_path,
        model="no-such-model",
        personas=tmp_path / "broken.yaml",
        policy=tmp_path / "missing.yaml",
    )
    assert "no-such-model" in findings["model"].said
    assert "not YAML" in findings["personas"].said
    assert "cannot be read" in findings["policy"].said
    assert {findings[what].state for what in ("model", "personas", "policy")} == {"fail"}


async def test_the_classifier_is_named_with_its_languages_and_closed_again(tmp_path: Path) -> None:
    before = Loaded.closed
    finding = (await found(data=tmp_path))["classifier"]
    assert (finding.state, finding.said) == ("ok", "mini-1, languages en, zh; rules judge all others")
    assert Loaded.closed == before + 1


async def test_a_missing_classifier_is_a_failure_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(folder: Path | None) -> Loaded:
        raise classifier.ClassifierMissing("there is no such folder")

    monkeypatch.setattr(Loaded, "load", missing)
    finding = (await found(data=tmp_path))["classifier"]
    assert finding.state == "fail"
    assert "no such folder" in finding.said
    assert "models rollback --as moderation" in finding.todo


SHADOWS = """
version: "1"
extends: bundled
channels: {telegram: {screen: shadow}, slack: {screen: hold}}
places: {"slack:C1": {screen: shadow}}
"""


async def test_where_answers_are_shown_unjudged_is_warned_of_by_name(tmp_path: Path) -> None:
    assert (await found(data=tmp_path))["screen"].state == "ok"
    policy = tmp_path / "policy.yaml"
    policy.write_text(SHADOWS)
    finding = (await found(data=tmp_path, policy=policy))["screen"]
    assert (finding.state, "shadow in telegram, slack:C1:" in finding.said) == ("warn", True)
    policy.write_text(SHADOWS.replace("channels", "screen: shadow\nchannels"))
    assert "every channel but slack" in (await found(data=tmp_path, policy=policy))["screen"].said


async def test_whether_texts_are_kept_for_review_is_told(tmp_path: Path) -> None:
    assert "30 days" in (await found(data=tmp_path))["review"].said
    assert "nothing is put up" in (await found(data=tmp_path, verdict_days=0))["review"].said


async def test_a_pinned_model_that_hides_the_promoted_one_is_warned_of(tmp_path: Path, model: Path) -> None:
    said = {"format": 1, "aliases": {"default": {"target": "starter", "previous": []}}}
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "aliases.json").write_text(json.dumps(said))
    finding = (await found(data=tmp_path, model=str(model)))["model"]
    assert finding.state == "warn"
    assert "starter was promoted, and is not used" in finding.said
    assert (await found(data=tmp_path, model="default"))["model"].state == "ok"


async def test_a_data_folder_that_others_can_open_is_warned_of(tmp_path: Path) -> None:
    data = tmp_path / "open"
    data.mkdir(mode=0o755)
    findings = await found(data=data)
    assert (findings["data folder"].state, findings["data folder"].todo) == ("warn", f"chmod 700 {data}")


async def test_a_data_folder_that_is_a_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert (await found(data=tmp_path / "data"))["data folder"].state == "fail"


async def test_a_proxy_that_nobody_trusts_is_warned_of(tmp_path: Path) -> None:
    public = {"data": tmp_path, "public_url": "https://chat.example"}
    assert (await found(**public))["FRONTDESK_TRUSTED_PROXIES"].state == "warn"
    assert (await found(**public, trusted_proxies=1))["FRONTDESK_TRUSTED_PROXIES"].state == "ok"


async def test_a_gpu_without_its_library_is_warned_of_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise cuda.CublasMissing("not there")

    assert (await found(data=tmp_path))["GPU"].state == "ok", "without one there is nothing to miss"
    monkeypatch.setattr(cuda, "driver_version", lambda: "Kernel Module 570.1")
    monkeypatch.setattr(cuda, "load_cublas", missing)
    finding = (await found(data=tmp_path))["GPU"]
    assert finding.state == "warn"
    assert "frontdesk[cuda]" in finding.todo
    monkeypatch.setattr(cuda, "load_cublas", lambda: None)
    assert "570.1" in (await found(data=tmp_path))["GPU"].said


async def test_a_tpu_is_told_of_only_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tpu.signs, "__kwdefaults__", {"devices": tmp_path / "dev", "pci": tmp_path / "pci"})
    assert "TPU" not in await found(data=tmp_path)
    finding = (await found({"TPU_NAME": "local"}, data=tmp_path))["TPU"]
    assert finding.state == "warn"
    assert "TPU_NAME" in finding.said
    assert "runs on the CPU" in finding.said
    assert "none for a TPU" in finding.said


@pytest.mark.parametrize("variable", ["FRONTDESK_DEVICE", "FRONTDESK_DEVICES"])
async def test_a_tpu_that_is_asked_for_is_a_failure_with_the_reason(variable: str, tmp_path: Path) -> None:
    finding = (await found({variable: "tpu"}, data=tmp_path))[variable]
    assert finding.state == "fail"
    assert "none for a TPU" in finding.said
    assert "auto" in finding.todo
    assert variable not in await found({variable: "cpu"}, data=tmp_path)


async def test_a_full_disk_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10 * 1024**2})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    assert (await found(data=tmp_path))["disk"].state == "fail"


async def test_a_taken_port_is_a_failure_unless_frontdesk_has_it(tmp_path: Path, healthz: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert (await found(data=tmp_path, port=other.getsockname()[1]))["port"].state == "fail"
    assert (await found(data=tmp_path, port=healthz))["port"].state == "warn"


@pytest.fixture
def healthz() -> Iterator[int]:
    """The port of something that answers as a running Frontdesk does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": "ok"}')

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name for it
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


async def test_a_real_database_is_asked_and_left_as_it_is(tmp_path: Path, database_url: str) -> None:
    async with Store.open(database_url):
        pass
    finding = (await found(data=tmp_path, database_url=database_url))["database"]
    assert finding.state == "ok"
    assert finding.said.endswith("answers")


async def test_an_unreachable_database_is_a_failure_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://frontdesk:hunter2hunter2@127.0.0.1:{nobody.getsockname()[1]}/frontdesk"
        finding = (await found(data=tmp_path, database_url=url))["database"]
    assert finding.state == "fail"
    assert "hunter2" not in f"{finding}"


async def test_a_real_redis_is_asked(tmp_path: Path) -> None:
    async with embedded_redis(tmp_path, heard=lambda *_: None, hurry=asyncio.Event()) as (url, _):
        assert (await found(data=tmp_path, redis_url=url))["Redis"].state == "ok"
        import redis.asyncio

        async with redis.asyncio.Redis.from_url(url) as client:
            await client.config_set("maxmemory-policy", "allkeys-lru")
        warned = (await found(data=tmp_path, redis_url=url))["Redis"]
        assert (warned.state, "noeviction" in warned.todo) == ("warn", True)
    gone = (await found(data=tmp_path, redis_url=url))["Redis"]
    assert (gone.state, "REDIS_URL" in gone.todo) == ("fail", True)


def test_what_the_env_file_says_counts_unless_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("SLACK_BOT_TOKEN=filed\nSLACK_APP_TOKEN=filed\n")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "set")
    monkeypatch.delenv("SLACK_APP_TOKEN", raising=False)
    around = surroundings()
    assert (around["SLACK_BOT_TOKEN"], around["SLACK_APP_TOKEN"]) == ("set", "filed")
