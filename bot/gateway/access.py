"""Who may ask, and how often: operator keys, stored keys, or this computer where no operator key is set.

Knows keys and limits. What a caller may then do with the model is not decided here.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import hdrs, web

from bot.gateway.errors import RateLimited, Unauthorized
from bot.limits import Limiter
from bot.peer import address, is_local, is_own_address
from bot.settings import Settings
from bot.store import Key, Store, StoreUnavailable
from moderation import Mode, Where

CHANNEL = "api"  # in the policy, in metrics and beside verdicts, as slack, telegram and web are
ADMIN = "admin"  # the scope that opens /metrics and the details of /readyz
PREFIX = "fd-"  # every key that the house makes begins so; a token like this must be a good one

# Seconds that a stored key's lookup is kept: a revoked key works this much longer at most, and a busy key costs one
# query in that time instead of one a request. A key that is not found is never kept.
KEPT = 2.0
KEPT_KEYS = 1_024  # more keys than that in use within two seconds only cost a query each

# Lookups of tokens that were not good lately, by address: fifty at once and five a second are plenty for an office
# behind one address, and someone who tries keys reaches the database no more often than that.
LOOKUPS_AT_ONCE, LOOKUPS_A_SECOND = 50, 5.0
# Requests of one caller: far more than one model answers; a loop gone wild does not fill our time with refusals.
REQUESTS_AT_ONCE, REQUESTS_A_SECOND = 400, 100.0

NO_KEY = (
    "You didn't provide an API key. Send it in an Authorization header: Authorization: Bearer YOUR_KEY. "
    "Keys are made with `frontdesk keys create`."
)
WRONG_KEY = "Incorrect API key provided. Keys are made with `frontdesk keys create`."
NOT_LOCAL = (
    "No operator key is set (FRONTDESK_API_KEYS), so without a key only programs on this computer may ask, directly "
    "and not through a proxy, and only while FRONTDESK_PUBLIC_URL names no public address. "
    "Make a key with `frontdesk keys create` and send it as Authorization: Bearer YOUR_KEY."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is for limits, `label` for operators and the policy, `key_id` the stored key's, `screen` how its
    answers are judged."""

    name: str
    label: str
    key_id: int | None = None
    screen: Mode = "hold"
    admin: bool = True  # operators, and whoever sits at this computer

    @property
    def where(self) -> Where:
        """What the policy calls this place: channels.api, or places."api:LABEL"."""
        return Where(CHANNEL, self.label)


class Access:
    """One per process: it remembers lookups and counts."""

    def __init__(
        self, *, settings: Settings, store: Store, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._operators = tuple(_digest(key.get_secret_value()) for key in settings.api_keys)
        # A proxy on this computer that adds no header and names us as Host (nginx does, as it comes) makes the whole
        # world look local. Whoever set a public address has one.
        self._opens_here = not self._operators and is_own_address(settings.public_url)
        self._trusted_proxies = settings.trusted_proxies
        self._store = store
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[float, Key]] = OrderedDict()  # digest -> (until, key)
        self._lookups = Limiter(rate=LOOKUPS_A_SECOND, burst=LOOKUPS_AT_ONCE, clock=clock)
        self._requests = Limiter(rate=REQUESTS_A_SECOND, burst=REQUESTS_AT_ONCE, clock=clock)

    async def caller(self, request: web.Request) -> Caller:
        """Who asks. Raises Unauthorized, RateLimited, and StoreUnavailable where a key cannot be looked up."""
        caller = await self._known(request)
        wait = self._requests.take(caller.name)
        if wait:
            raise RateLimited("You send requests faster than this key allows.", retry_after=wait)
        return caller

    async def is_admin(self, request: web.Request) -> bool:
        """Whether the request may see how the house is doing. Never raises: with the database away the answer is no."""
        try:
            return (await self._known(request)).admin
        except (Unauthorized, RateLimited, StoreUnavailable):
            return False

    async def _known(self, request: web.Request) -> Caller:
        token = _token(request)
        if token and self._is_operator(token):
            return Caller("operator", "operator")
        if self._opens_here and is_local(request) and not token.startswith(PREFIX):
            return Caller("here", "here")
        if not token:
            raise Unauthorized(NO_KEY if self._operators else NOT_LOCAL)
        key = await self._stored(token, by=address(request, trusted_proxies=self._trusted_proxies))
        if key is None:
            raise Unauthorized(WRONG_KEY)
        name = f"key {key.id}"
        return Caller(name, key.name or name, key_id=key.id, screen=key.screen, admin=ADMIN in key.scopes)

    def _is_operator(self, token: str) -> bool:
        """Compared with every key and in constant time, so that timing tells nothing."""
        digest = _digest(token)
        return sum(hmac.compare_digest(digest, operator) for operator in self._operators) > 0

    async def _stored(self, token: str, *, by: str) -> Key | None:
        if not token.isascii():  # no key that we made; bytes that are no text would trouble the database
            return None
        digest, now = _digest(token), self._clock()
        until, key = self._kept.get(digest, (0.0, None))
        if key and now < until:
            return key
        wait = 0.0 if key else self._lookups.take(by)  # a good key looked up again takes no one's turn
        if wait:
            raise RateLimited("Too many keys were tried from your address.", retry_after=wait)
        key = await self._store.key(token)
        self._kept.pop(digest, None)
        if key is None or key.revoked:
            return None
        self._kept[digest] = (now + KEPT, key)
        while len(self._kept) > KEPT_KEYS:
            self._kept.popitem(last=False)
        return key


def _token(request: web.Request) -> str:
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
