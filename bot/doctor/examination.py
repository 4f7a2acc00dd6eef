"""The whole examination: which checks there are, and in which order they are told.

Knows no check from inside. Sees to it that no finding repeats a secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from bot.doctor.answering import check_model, check_personas
from bot.doctor.channels import check_slack, check_telegram
from bot.doctor.environment import check_unknown
from bot.doctor.judging import check_classifier, check_policy, check_review, check_screen
from bot.doctor.machine import check_gpu, check_python, check_tpu
from bot.doctor.network import check_keys, check_port, check_proxy
from bot.doctor.servers import check_database, check_redis
from bot.doctor.storage import check_disk, check_folder
from bot.finding import Finding
from bot.settings import Settings, SettingsError

PLAIN: tuple[Callable[[Settings], Finding], ...] = (
    check_folder,
    check_disk,
    check_model,
    check_gpu,
    check_personas,
    check_policy,
    check_screen,
    check_classifier,
    check_review,
    check_port,
    check_keys,
    check_proxy,
)
ASKED: tuple[Callable[[Settings], Awaitable[Finding]], ...] = (check_database, check_redis)


async def examine(
    environment: Mapping[str, str], read: Callable[[], Settings] = Settings.read
) -> list[Finding]:
    """Every check, whatever the others found."""
    findings = [
        check_python(),
        *check_unknown(environment),
        *check_tpu(environment),
    ]
    try:
        settings = read()
    except SettingsError as error:
        wrong = [
            Finding("fail", "settings", mistake, "correct this variable")
            for mistake in str(error).split("\n")
        ]
        return [*findings, *wrong]
    findings += await asyncio.to_thread(lambda: [check(settings) for check in PLAIN])
    for check in (check_slack, check_telegram):
        findings += await asyncio.to_thread(check, settings, environment)
    findings += await asyncio.gather(*(check(settings) for check in ASKED))
    return [_without_secrets(finding, settings) for finding in findings]


def _without_secrets(finding: Finding, settings: Settings) -> Finding:
    """A driver's message may hold more than we know."""
    said = finding.said
    for secret in settings.secrets():
        said = said.replace(secret, "[secret]")
    return Finding(finding.state, finding.what, said, finding.todo)
