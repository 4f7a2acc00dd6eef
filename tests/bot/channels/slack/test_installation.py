"""Where the tokens of workspaces lie: encrypted, found by workspace and organisation, renewed, dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.fernet import Fernet
from pydantic import SecretStr

from bot.channels.slack.installation import (
    EARLY,
    PAUSE,
    Installed,
    ManyWorkspaces,
    OneWorkspace,
    open_installations,
)
from bot.channels.slack.secret import Unreadable, Vault
from bot.channels.slack.settings import SlackSettings
from bot.messages import Unavailable
from bot.variables import Misconfigured
from tests.bot.channels.shelf import MemoryShelf
from tests.slack_double import SlackDouble

NOW = 1_000_000.0
HOURS = 3600.0


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


def key() -> SecretStr:
    return SecretStr(Fernet.generate_key().decode())


FIRST, SECOND = key(), key()

ACME = Installed(
    team="T1",
    enterprise="",
    name="Acme",
    app="A1",
    bot="B1",
    bot_user="U1",
    scopes=("chat:write",),
    token="xoxb-acme-tests",
    at=NOW,
)
WHOLE = replace(ACME, team="", enterprise="E1", token="xoxb-whole-tests")


@pytest.fixture
def shelf() -> MemoryShelf:
    return MemoryShelf()


def settings(api_url: str = "https://slack.com/api/") -> SlackSettings:
    return SlackSettings(
        client_id="1000000000.2000000000",
        client_secret=SecretStr("client-secret-of-the-tests"),
        signing_secret=SecretStr("signing"),
        api_url=api_url,
    )


def open_(
    shelf: MemoryShelf,
    *keys: SecretStr,
    clock: Callable[[], float] | None = None,
    api_url: str = "https://slack.com/api/",
) -> ManyWorkspaces:
    opened = open_installations(settings(api_url), keys=keys or (FIRST,), shelf=shelf)
    assert isinstance(opened, ManyWorkspaces)
    return replace(opened, clock=clock or Clock())


async def test_one_workspace_has_its_token_whatever_it_is_called() -> None:
    one = open_installations(
        SlackSettings(bot_token=SecretStr("xoxb-1-tests"), app_token=SecretStr("xapp-1")),
        keys=(),
        shelf=MemoryShelf(),
    )
    assert isinstance(one, OneWorkspace)
    assert await one.token("T1") == "xoxb-1-tests"
    await one.drop("T1", at=NOW)
    assert await one.token("T2", "E1") == "xoxb-1-tests"
    assert await one.teams() == []
    assert "tests" not in repr(one)


async def test_what_is_kept_is_found_by_every_process_and_nothing_of_it_can_be_read() -> None:
    shelf = MemoryShelf()
    await open_(shelf).keep(ACME)
    assert await open_(shelf).find("T1") == ACME
    assert await open_(shelf).token("T2") is None
    assert await open_(shelf).teams() == ["T1"]
    assert "acme" not in str(shelf.notes).lower()
    assert "tests" not in repr(ACME)


async def test_an_organisation_that_has_it_as_a_whole_lends_its_token_to_its_workspaces() -> None:
    many = open_(MemoryShelf())
    await many.keep(WHOLE)
    assert await many.token("T7") is None
    assert await many.token("T7", "E1") == "xoxb-whole-tests"
    assert await many.token("T7") == "xoxb-whole-tests"  # remembered
    await many.keep(replace(ACME, team="T7", enterprise="E1"))
    assert await many.token("T7", "E1") == "xoxb-acme-tests"  # its own comes first


async def test_uninstalling_forgets_the_token() -> None:
    many = open_(MemoryShelf())
    await many.keep(ACME)
    await many.drop("T1", at=NOW + 1)
    assert await many.token("T1") is None
    assert await many.teams() == []
    await many.drop("T1", at=NOW + 1)


async def test_an_uninstallation_that_comes_late_leaves_the_newer_installation() -> None:
    many = open_(MemoryShelf())
    await many.keep(replace(ACME, at=NOW + 60))
    await many.drop("T1", at=NOW)
    assert await many.token("T1") == ACME.token


async def test_an_organisation_is_dropped_when_the_workspace_has_none_of_its_own() -> None:
    many = open_(MemoryShelf())
    await many.keep(WHOLE)
    await many.drop("T7", "E1", at=NOW)
    assert await many.token("T7", "E1") is None


async def test_after_a_change_of_keys_what_the_old_one_sealed_is_sealed_anew_when_read() -> None:
    shelf = MemoryShelf()
    await open_(shelf, FIRST).keep(ACME)
    before = shelf.notes["installed/T1"]
    assert await open_(shelf, SECOND, FIRST).token("T1") == ACME.token
    assert shelf.notes["installed/T1"] != before
    assert await open_(shelf, SECOND).token("T1") == ACME.token
    assert await open_(shelf, FIRST).token("T1") is None


async def test_what_no_key_opens_is_as_if_not_installed_and_says_so(logged: list[dict[str, object]]) -> None:
    shelf = MemoryShelf()
    await open_(shelf, FIRST).keep(ACME)
    assert await open_(shelf, SECOND).token("T1") is None
    assert logged[-1]["event"] == "no key opens the token of a workspace"
    assert "tests" not in str(logged)


async def test_a_sealed_token_is_of_no_use_in_another_workspaces_place() -> None:
    shelf = MemoryShelf()
    many = open_(shelf)
    await many.keep(ACME)
    await many.keep(replace(ACME, team="T2"))
    shelf.notes["installed/T2"] = shelf.notes["installed/T1"]
    assert await many.token("T2") is None


async def test_while_the_database_is_away_nobody_is_taken_for_not_installed() -> None:
    shelf = MemoryShelf()
    many = open_(shelf)
    await many.keep(ACME)
    shelf.away = True
    with pytest.raises(Unavailable):
        await many.token("T1")


def test_keys_that_are_none_are_a_mistake_that_names_their_variable() -> None:
    for keys in ([], [SecretStr("private")], [FIRST, SecretStr("private")]):
        with pytest.raises(Misconfigured, match="FRONTDESK_ENCRYPTION_KEYS") as wrong:
            Vault(keys)
        assert "private" not in str(wrong.value)


def test_what_was_changed_on_the_way_does_not_open() -> None:
    vault = Vault([FIRST])
    sealed = vault.seal("text")
    assert vault.open(sealed) == ("text", True)
    with pytest.raises(Unreadable):
        vault.open(sealed[:-6] + "AAAAA=")


# -- tokens that end ---------------------------------------------------------------------------------------------


@dataclass
class Rotating:
    """A workspace whose tokens end, at a Slack that renews them."""

    slack: SlackDouble
    shelf: MemoryShelf
    clock: Clock

    def process(self) -> ManyWorkspaces:
        return open_(self.shelf, clock=self.clock, api_url=self.slack.api_url)

    async def install(self) -> None:
        self.slack.app.rotating = True
        self.slack.app.refreshers["xoxe-1-first"] = self.slack.home
        await self.process().keep(replace(ACME, refresh="xoxe-1-first", until=NOW + 12 * HOURS))

    def exchanges(self) -> int:
        return len(self.slack.calls("oauth.v2.access"))


@pytest.fixture
async def rotating(slack: SlackDouble) -> Rotating:
    made = Rotating(slack, MemoryShelf(), Clock())
    await made.install()
    return made


async def test_a_token_is_renewed_before_it_ends_and_not_sooner(rotating: Rotating) -> None:
    many = rotating.process()
    assert await many.token("T1") == ACME.token
    assert rotating.exchanges() == 0
    rotating.clock.now += 12 * HOURS - EARLY + 1
    fresh = await many.token("T1")
    assert fresh == rotating.slack.home.bot_token != ACME.token
    assert await rotating.process().token("T1") == fresh  # kept
    assert rotating.exchanges() == 1
    rotating.clock.now += 12 * HOURS - EARLY + 1
    assert await many.token("T1") not in (fresh, None)
    assert rotating.exchanges() == 2


async def test_many_who_ask_at_once_renew_it_once(rotating: Rotating) -> None:
    many = rotating.process()
    rotating.clock.now += 11 * HOURS
    tokens = await asyncio.gather(*(many.token("T1") for _ in range(20)))
    assert set(tokens) == {rotating.slack.home.bot_token}
    assert rotating.exchanges() == 1


async def test_two_processes_that_renew_at_once_both_have_a_good_token(rotating: Rotating) -> None:
    rotating.clock.now += 11 * HOURS
    tokens = await asyncio.gather(*(rotating.process().token("T1") for _ in range(2)))
    assert None not in tokens
    assert await rotating.process().token("T1") == rotating.slack.home.bot_token


async def test_while_slack_renews_nothing_the_old_one_serves_and_slack_is_asked_rarely(
    rotating: Rotating,
) -> None:
    many = rotating.process()
    rotating.clock.now += 11 * HOURS
    fault = rotating.slack.fail("oauth.v2.access", html=True, times=None)
    for _ in range(5):
        assert await many.token("T1") == ACME.token
    assert rotating.exchanges() == 1
    fault.stop()
    rotating.clock.now += PAUSE
    assert await many.token("T1") == rotating.slack.home.bot_token


async def test_a_connection_that_breaks_costs_no_token(rotating: Rotating) -> None:
    many = rotating.process()
    rotating.clock.now += 11 * HOURS
    rotating.slack.fail("oauth.v2.access", dropped=True)
    assert await many.token("T1") == ACME.token


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/plain"])
@pytest.mark.parametrize("status", [200, 502])
async def test_an_answer_that_is_none_of_slacks_costs_no_token(
    shelf: MemoryShelf, kind: str, status: int
) -> None:
    async def gateway(_: web.Request) -> web.Response:
        return web.Response(text="<html>bad gateway", content_type=kind, status=status)

    await refused(shelf, gateway)


@pytest.mark.parametrize("lacking", ["access_token", "refresh_token", "expires_in"])
async def test_an_answer_that_lacks_something_costs_no_token(shelf: MemoryShelf, lacking: str) -> None:
    async def forgetful(_: web.Request) -> web.Response:
        answer = {
            "ok": True,
            "access_token": "new-tests",
            "refresh_token": "next-tests",
            "expires_in": 43_200,
        }
        del answer[lacking]
        return web.json_response(answer)

    await refused(shelf, forgetful)


async def refused(shelf: MemoryShelf, slack: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
    """A renewal that brings nothing: the old token serves, and Slack is asked again only after a while."""
    asked = 0

    async def counted(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return await slack(request)

    application = web.Application()
    application.router.add_post("/api/oauth.v2.access", counted)
    async with TestServer(application) as server:
        clock = Clock()
        many = open_(shelf, clock=clock, api_url=str(server.make_url("/api/")))
        await many.keep(replace(ACME, refresh="xoxe-1-first", until=NOW + HOURS))
        for _ in range(3):
            assert await many.token("T1") == ACME.token
        assert asked == 1
        clock.now += PAUSE
        assert await many.token("T1") == ACME.token
        assert asked == 2


async def test_a_new_token_outlives_a_database_that_went_away_meanwhile(rotating: Rotating) -> None:
    many = rotating.process()
    rotating.clock.now += 11 * HOURS
    kept = rotating.shelf.put

    async def away(*_: object, **__: object) -> None:
        raise Unavailable

    rotating.shelf.put = away  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await many.token("T1")
    rotating.shelf.put = kept  # type: ignore[method-assign]
    assert await many.token("T1") == rotating.slack.home.bot_token
    assert await rotating.process().token("T1") == rotating.slack.home.bot_token
    assert rotating.exchanges() == 1


async def test_installing_anew_replaces_a_token_that_could_not_be_kept(rotating: Rotating) -> None:
    many = rotating.process()
    await many.keep(replace(ACME, token="xoxb-anew-tests", at=NOW + 1))
    assert await many.token("T1") == "xoxb-anew-tests"
    rotating.clock.now += 100 * HOURS
    assert await many.token("T1") == "xoxb-anew-tests"
    assert rotating.exchanges() == 0
