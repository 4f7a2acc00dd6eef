"""The workspaces that Frontdesk is installed in, and the token that acts in each.

Knows who is installed, where the tokens lie (encrypted, on the channel's shelf) and when they are renewed. Leaves how
an installation comes about to `oauth`, and what is done with a token to `api`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import aiohttp
import structlog
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.channels.base import Shelf
from bot.channels.slack.secret import Unreadable, Vault
from bot.channels.slack.settings import KEYS, SlackSettings

log = structlog.get_logger(__name__)

INSTALLED = "installed/"  # and the team, or the organisation
BELONGS = "belongs/"  # and the team: the organisation that has Frontdesk installed for it
TIMEOUT = 15  # seconds for one of Slack's answers about an installation
PAUSE = 60.0  # seconds until a token that could not be renewed is tried again
EARLY = 2 * 3600.0  # seconds before its end that a token is renewed, of the 12 hours that Slack gives it


class Installations(Protocol):
    """Every verb may raise Unavailable."""

    async def token(self, team: str, enterprise: str = "") -> str | None:
        """The bot's token for a workspace, or None where Frontdesk is not installed (any more).

        `enterprise` as the event says it: it is remembered for the workspaces of an organisation that has Frontdesk
        installed as a whole, so that later the team is enough.
        """
        ...

    async def drop(self, team: str, enterprise: str = "", *, at: float) -> None:
        """Frontdesk was uninstalled or its bot's token revoked, at that moment (UTC, seconds since 1970).

        Events may come late: what was installed after that moment stays.
        """
        ...

    async def teams(self) -> Sequence[str]:
        """The workspaces, and organisations, in order; empty where one token stands for whatever it belongs to."""
        ...


@dataclass(frozen=True, slots=True)
class OneWorkspace:
    """The workspace of SLACK_BOT_TOKEN, whatever its id is."""

    bot_token: SecretStr

    async def token(self, team: str, enterprise: str = "") -> str | None:
        return self.bot_token.get_secret_value()

    async def drop(self, team: str, enterprise: str = "", *, at: float) -> None:
        """The token is the operator's: there is nothing of ours to forget."""
        log.warning("the workspace of SLACK_BOT_TOKEN uninstalled it", team=team)

    async def teams(self) -> Sequence[str]:
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One installation: of a workspace, or of an organisation as a whole (`team` is empty then)."""

    team: str
    enterprise: str
    name: str
    app: str
    bot: str
    bot_user: str
    scopes: tuple[str, ...]
    token: str = field(repr=False)
    refresh: str = field(default="", repr=False)  # empty: the token is good for ever
    until: float = 0.0  # UTC, seconds since 1970, of a token that is not
    at: float  # when it was installed

    @property
    def key(self) -> str:
        return self.team or self.enterprise

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Installed:
        values = json.loads(text)
        return cls(**{**values, "scopes": tuple(values["scopes"])})


class OAuthClient(AsyncWebClient):
    """Slack's own client, without a token: it repeats nothing by itself, and logs no bodies."""

    def __init__(self, url: str) -> None:
        logger = logging.getLogger("slack_sdk.oauth.frontdesk")
        logger.setLevel(logging.WARNING)  # below it, requests and answers are written out with their tokens
        super().__init__(base_url=url, timeout=TIMEOUT, logger=logger, retry_handlers=[])

    async def oauth_v2_access(
        self, *, client_id: str, client_secret: str, **arguments: Any
    ) -> AsyncSlackResponse:
        """The SDK's own (3.47) leans on what aiohttp 3.14 warns of, and would end with aiohttp 4."""
        credentials = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        given = {name: value for name, value in arguments.items() if value is not None}
        return await self.api_call(
            "oauth.v2.access", data=given, headers={"Authorization": f"Basic {credentials}"}
        )

    async def _request(self, *, http_verb: str, api_url: str, req_args: dict[str, Any]) -> dict[str, Any]:
        """Codes and tokens that renew others stand in the body, which a redirect would carry elsewhere."""
        return await super()._request(
            http_verb=http_verb, api_url=api_url, req_args={**req_args, "allow_redirects": False}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyWorkspaces:
    """What OAuth brought, encrypted on the shelf; one per process, any number of processes on one shelf.

    `client` speaks to Slack without a token; `clock` tells UTC in seconds since 1970.
    """

    settings: SlackSettings
    shelf: Shelf
    vault: Vault
    client: OAuthClient
    clock: Callable[[], float] = time.time
    _turns: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _unkept: dict[str, Installed] = field(default_factory=dict)  # renewed, while the shelf was away
    _paused: dict[str, float] = field(default_factory=dict)  # until then there is no other try to renew

    @classmethod
    def over(cls, settings: SlackSettings, *, keys: Sequence[SecretStr], shelf: Shelf) -> ManyWorkspaces:
        """Those on a shelf. Raises Misconfigured for keys that are none."""
        return cls(settings=settings, shelf=shelf, vault=Vault(keys), client=OAuthClient(settings.api_url))

    async def token(self, team: str, enterprise: str = "") -> str | None:
        found = await self.find(team, enterprise)
        return found.token if found else None

    async def drop(self, team: str, enterprise: str = "", *, at: float) -> None:
        for key in await self._keys(team, enterprise):
            async with self._turns[key]:
                read = await self._read(key)
                if read is None:
                    continue
                if read.installed.at <= at:
                    await self.shelf.drop(_name(key))
                    self._unkept.pop(key, None)
                    log.info("a workspace uninstalled it", team=team, enterprise=enterprise)
                return

    async def teams(self) -> Sequence[str]:
        return [name.removeprefix(INSTALLED) for name in await self.shelf.names(INSTALLED)]

    async def keep(self, installed: Installed) -> None:
        """Frontdesk was installed, perhaps anew."""
        async with self._turns[installed.key]:
            self._unkept.pop(installed.key, None)
            self._paused.pop(installed.key, None)
            await self._write(installed)
        log.info("a workspace installed it", team=installed.team, enterprise=installed.enterprise)

    async def kept(self, key: str) -> Installed | None:
        """One of `teams` as it lies there, nothing renewed; None where no key opens it."""
        read = await self._read(key)
        return read.installed if read else None

    async def find(self, team: str, enterprise: str = "") -> Installed | None:
        """The workspace's own installation, else its organisation's; the token renewed when its end is near."""
        for key in await self._keys(team, enterprise):
            read = await self._read(key)
            if read is None:
                continue
            if team and key == enterprise:
                await self._remember(team, enterprise)
            if read.settled and not self._ends_soon(read.installed):
                return read.installed
            return await self._tended(key)
        return None

    async def _keys(self, team: str, enterprise: str) -> list[str]:
        """Where an installation may lie, the nearest first."""
        organisation = enterprise or (await self.shelf.get(f"{BELONGS}{team}") if team else "")
        return [key for key in (team, organisation) if key]

    async def _remember(self, team: str, enterprise: str) -> None:
        if await self.shelf.get(f"{BELONGS}{team}") != enterprise:
            await self.shelf.put(f"{BELONGS}{team}", enterprise)

    async def _read(self, key: str) -> _Read | None:
        if unkept := self._unkept.get(key):
            return _Read(unkept, settled=False)
        sealed = await self.shelf.get(_name(key))
        if sealed is None:
            return None
        try:
            text, first = self.vault.open(sealed)
            installed = Installed.decode(text)
        except (Unreadable, ValueError, TypeError, KeyError):
            log.error("no key opens the token of a workspace", key=key, variable=KEYS)  # noqa: TRY400 (a trace says nothing more)
            return None
        if installed.key != key:  # it was sealed for another place than where it lies
            log.error("the token of one workspace lies in the place of another", key=key, found=installed.key)
            return None
        return _Read(installed, settled=first)

    async def _write(self, installed: Installed) -> None:
        await self.shelf.put(_name(installed.key), self.vault.seal(installed.encode()))

    async def _tended(self, key: str) -> Installed | None:
        """As it is now: renewed if need be, and kept under the first key."""
        async with self._turns[key]:
            read = await self._read(key)
            if read is None:
                return None
            if self._ends_soon(read.installed):
                return await self._renewed(read.installed)
            if not read.settled:
                await self._write(read.installed)
                self._unkept.pop(key, None)
            return read.installed

    # -- tokens that end ---------------------------------------------------------------------------------------

    def _ends_soon(self, installed: Installed) -> bool:
        now = self.clock()
        paused = self._paused.get(installed.key, 0.0) > now
        return bool(installed.refresh) and installed.until - now < EARLY and not paused

    async def _renewed(self, old: Installed) -> Installed:
        """With a new token; as it is where Slack gives none, for it may still be good for a while."""
        try:
            new = await self._exchanged(old)
        except Exception as error:  # whatever it is, nobody is thrown out for it
            return await self._not_renewed(old, error)
        self._unkept[new.key] = new  # first of all: what renewed it works only once
        await self._write(new)
        self._unkept.pop(new.key, None)
        return new

    async def _exchanged(self, old: Installed) -> Installed:
        number, secret = self.settings.client
        answer = await self.client.oauth_v2_access(
            client_id=number, client_secret=secret, grant_type="refresh_token", refresh_token=old.refresh
        )
        said = answer.data
        if not isinstance(said, dict):
            raise TypeError("an answer that is no JSON")
        until = self.clock() + float(said["expires_in"])
        return replace(old, token=said["access_token"], refresh=said["refresh_token"], until=until)

    async def _not_renewed(self, old: Installed, error: Exception) -> Installed:
        """Another process may have been faster; else it is tried again after a pause."""
        read = await self._read(old.key)
        if read is not None and read.installed.refresh != old.refresh:
            return read.installed
        self._paused[old.key] = self.clock() + PAUSE
        log.warning("the token of a workspace could not be renewed yet", key=old.key, code=code_of(error))
        return old


@dataclass(frozen=True, slots=True)
class _Read:
    """What lies on the shelf; `settled`: kept, and under the first key."""

    installed: Installed
    settled: bool


def open_installations(
    settings: SlackSettings, *, keys: Sequence[SecretStr], shelf: Shelf
) -> OneWorkspace | ManyWorkspaces:
    """Those that the settings speak of. Raises Misconfigured for keys that are none."""
    if settings.bot_token is not None:
        return OneWorkspace(settings.bot_token)
    return ManyWorkspaces(
        settings=settings, shelf=shelf, vault=Vault(keys), client=OAuthClient(settings.api_url)
    )


def _name(key: str) -> str:
    return f"{INSTALLED}{key}"


def code_of(error: Exception) -> str:
    """What went wrong in a word, as `api` has them: the message could quote what was sent."""
    if isinstance(error, SlackApiError):
        data = getattr(error.response, "data", None)  # the SDK's own answer, or aiohttp's that has none
        return str(data.get("error") or "unreadable") if isinstance(data, dict) else "unreadable"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "connection" if isinstance(error, aiohttp.ClientError | OSError) else "unreadable"
