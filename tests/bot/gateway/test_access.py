"""Who may ask: keys, this computer where no operator key is set, and how often."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bot.gateway.access import KEPT, LOOKUPS_AT_ONCE, REQUESTS_AT_ONCE, Access
from bot.gateway.errors import RateLimited, Unauthorized
from bot.peer import address, is_local
from bot.settings import Settings

OPERATOR = "operator-key-of-the-tests"


class Socket:
    """A transport whose other end is where the test says."""

    def __init__(self, peer: object) -> None:
        self._peer = peer

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._peer if name == "peername" else default


def request(*, peer: object = ("127.0.0.1", 5), host: str = "localhost:8080", **headers: str) -> web.Request:
    named = {"Host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("GET", "/v1/models", headers=named, transport=Socket(peer))


def access(store: Any, *keys: str, clock: Any = lambda: 0.0, **settings: Any) -> Access:
    known = Settings(api_keys=keys, _env_file=None, **settings)
    return Access(settings=known, store=store, clock=clock)


# -- this computer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"host": "127.0.0.1:8080"},
        {"host": "127.1.2.3"},
        {"host": "[::1]:8080", "peer": ("::1", 5, 0, 0)},
        {"host": "LOCALHOST", "peer": ("::ffff:127.0.0.1", 5, 0, 0)},
        {"Origin": "http://localhost:8080"},
    ],
)
def test_a_request_from_this_computer_is_local(sent: dict[str, Any]) -> None:
    assert is_local(request(**sent))


@pytest.mark.parametrize(
    "sent",
    [
        {"peer": ("192.168.1.9", 5)},
        {"peer": ("::ffff:10.0.0.1", 5, 0, 0)},
        {"peer": ""},  # a Unix socket: a proxy
        {"Forwarded": "for=127.0.0.1"},
        {"X_Forwarded_For": "127.0.0.1"},
        {"X_Forwarded_Proto": "http"},
        {"x_forwarded_host": "localhost"},
        {"X_Real_IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"host": "evil.example"},  # a name that somebody points at 127.0.0.1
        {"host": "localhost.evil.example"},
        {"host": "127.0.0.1.evil.example:8080"},
        {"host": "localhost:8080@evil"},
        {"host": "[::1"},
        {"host": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},  # another program's page
        {"Origin": "https://localhost:8080"},
    ],
)
async def test_each_condition_alone_closes_the_door(house: Any, sent: dict[str, Any]) -> None:
    assert not is_local(request(**sent))
    with pytest.raises(Unauthorized):
        await access(house.store).caller(request(**sent))
    assert not await access(house.store).is_admin(request(**sent))


def test_two_hosts_are_no_host() -> None:
    headers = CIMultiDict([("Host", "localhost"), ("Host", "localhost")])
    sent = make_mocked_request("GET", "/", headers=headers, transport=Socket(("127.0.0.1", 5)))
    assert not is_local(sent)


async def test_without_operator_keys_this_computer_needs_none(opened: Any, ask: Any) -> None:
    house = await opened(api_keys=())
    for key in ("", "whatever", "sk-a-client-cannot-go-without"):
        status, _ = await house.post(json=ask(), key=key)
        assert status == 200
    async with house.session.post(
        f"{house.url}/v1/chat/completions", json=ask(), headers={"Origin": "https://evil.example"}
    ) as response:
        assert response.status == 401
        assert "FRONTDESK_API_KEYS" in (await response.json())["error"]["message"]


@pytest.mark.parametrize(
    ("public_url", "opens"),
    [
        ("", True),
        ("http://localhost:8080", True),
        ("http://127.0.0.1/", True),
        ("https://chat.example", False),
    ],
)
async def test_once_the_server_has_a_public_address_a_proxy_may_make_the_world_look_local(
    house: Any, public_url: str, opens: bool
) -> None:
    door = access(house.store, public_url=public_url)
    assert await door.is_admin(request()) is opens


async def test_a_revoked_key_is_no_good_even_on_this_computer(opened: Any, ask: Any) -> None:
    house = await opened(api_keys=())
    house.store.add("fd-revoked", revoked=1.0)
    for key in ("fd-revoked", "fd-never-was"):
        status, answer = await house.post(json=ask(), key=key)
        assert (status, answer["error"]["code"]) == (401, "invalid_api_key")


# -- keys ----------------------------------------------------------------------------------------------------------


async def test_a_wrong_key_is_refused_as_openai_does(house: Any) -> None:
    async with house.client("not-the-key") as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "Hi"}])
        assert caught.value.code == "invalid_api_key"
        assert caught.value.type == "invalid_request_error"
        assert caught.value.response.headers["WWW-Authenticate"] == "Bearer"
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
        with pytest.raises(openai.AuthenticationError):
            await client.moderations.create(input="Hi")


async def test_with_operator_keys_this_computer_needs_one_too(house: Any, ask: Any) -> None:
    status, answer = await house.post(json=ask(), key="")
    assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
    status, _ = await house.post(json=ask())
    assert status == 200


async def test_a_stored_key_brings_its_screen_and_scopes(house: Any) -> None:
    house.store.add("fd-one", id=3, screen="shadow", scopes=("v1",))
    house.store.add("fd-two", id=4, scopes=("v1", "admin"))
    door = access(house.store, OPERATOR)
    one = await door.caller(request(Authorization="bearer fd-one"))
    two = await door.caller(request(Authorization="Bearer fd-two"))
    assert (one.key_id, one.screen, one.admin) == (3, "shadow", False)
    assert (two.key_id, two.screen, two.admin) == (4, "hold", True)


async def test_a_revoked_key_works_two_seconds_more_at_most(house: Any) -> None:
    now = 0.0
    door = access(house.store, OPERATOR, clock=lambda: now)
    house.store.add("fd-one")
    sent = request(Authorization="Bearer fd-one")
    await door.caller(sent)
    await door.caller(sent)
    assert house.store.lookups == 1
    house.store.add("fd-one", revoked=1.0)
    now = KEPT
    with pytest.raises(Unauthorized):
        await door.caller(sent)


async def test_a_database_that_is_away_is_a_503_for_stored_keys_only(house: Any, ask: Any) -> None:
    house.store.away = True
    async with house.session.get(
        f"{house.url}/v1/models", headers={"Authorization": "Bearer fd-one"}
    ) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    status, _ = await house.post(json=ask())
    assert status == 200


@pytest.mark.parametrize("sent", ["Basic abc", "Bearer", "Bearer ", "operator-key-of-the-tests"])
async def test_a_header_that_is_no_key_is_refused(house: Any, sent: str) -> None:
    with pytest.raises(Unauthorized):
        await access(house.store, OPERATOR).caller(request(Authorization=sent))


async def test_bytes_that_are_no_text_are_a_wrong_key(house: Any) -> None:
    reader, writer = await asyncio.open_connection(*house.url.removeprefix("http://").split(":"))
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer fd-\xff\xfe\r\n\r\n")
    assert await reader.readline() == b"HTTP/1.1 401 Unauthorized\r\n"
    writer.close()
    await writer.wait_closed()
    assert house.store.lookups == 0


# -- how often -----------------------------------------------------------------------------------------------------


async def test_who_tries_keys_is_stopped_by_address_and_good_keys_go_on(house: Any) -> None:
    door = access(house.store, OPERATOR)
    house.store.add("fd-good")
    good = request(Authorization="Bearer fd-good")
    await door.caller(good)
    for number in range(LOOKUPS_AT_ONCE - 1):
        with pytest.raises(Unauthorized):
            await door.caller(request(Authorization=f"Bearer guess-{number}"))
    looked = house.store.lookups
    with pytest.raises(RateLimited) as caught:
        await door.caller(request(Authorization="Bearer one-more"))
    assert caught.value.retry_after >= 1
    assert house.store.lookups == looked
    await door.caller(good)
    await door.caller(request(Authorization=f"Bearer {OPERATOR}"))
    with pytest.raises(Unauthorized):
        await door.caller(request(peer=("10.0.0.2", 5), Authorization="Bearer from-elsewhere"))


async def test_an_office_with_many_good_keys_takes_no_turns_from_itself(house: Any) -> None:
    seconds = [0.0]
    door = access(house.store, OPERATOR, clock=lambda: seconds[0])
    keys = [f"fd-good-{number}" for number in range(LOOKUPS_AT_ONCE // 2)]
    for key in keys:
        house.store.add(key)
    for _ in range(10):
        for key in keys:
            await door.caller(request(Authorization=f"Bearer {key}"))
        seconds[0] += KEPT
    assert house.store.lookups == 10 * len(keys)


async def test_one_key_has_its_own_limit(house: Any) -> None:
    door = access(house.store, OPERATOR)
    sent = request(Authorization=f"Bearer {OPERATOR}")
    for _ in range(REQUESTS_AT_ONCE):
        await door.caller(sent)
    with pytest.raises(RateLimited):
        await door.caller(sent)
    house.store.add("fd-other")
    await door.caller(request(Authorization="Bearer fd-other"))


def test_the_address_is_what_the_outermost_trusted_proxy_saw() -> None:
    sent = request(peer=("10.0.0.1", 5), X_Forwarded_For="6.6.6.6, 1.2.3.4, 10.0.0.9")
    assert address(sent, trusted_proxies=0) == "10.0.0.1"
    assert address(sent, trusted_proxies=1) == "10.0.0.9"
    assert address(sent, trusted_proxies=2) == "1.2.3.4"
    assert address(sent, trusted_proxies=5) == "10.0.0.1"


def test_whoever_has_a_whole_network_of_ipv6_addresses_is_one_address() -> None:
    def seen(peer: str) -> str:
        return address(request(peer=(peer, 5, 0, 0)), trusted_proxies=0)

    assert seen("2001:db8:1:2::1") == seen("2001:db8:1:2:ffff::9") != seen("2001:db8:1:3::1")
    assert seen("::ffff:10.0.0.1") == "10.0.0.1"
