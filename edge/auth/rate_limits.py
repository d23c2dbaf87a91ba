"""Rate limits of the sign-in routes: one counter a client address, shared by all of them (edge §1.7)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from edge.auth.clock import Clock, unix_seconds
from edge.errors import Refused, TooManyAttempts
from edge.requests import Endpoint, service

WINDOW_S = 60
_MAX_ADDRESSES = 100_000
_HIT = """
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if count >= tonumber(ARGV[1]) then return {0, count, redis.call('PTTL', KEYS[1])} end
count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {1, count, redis.call('PTTL', KEYS[1])}
"""

logger = structlog.get_logger()


@dataclass(frozen=True)
class Hit:
    """One attempt: was it counted, how many are, and when counting starts anew."""

    allowed: bool
    count: int
    resets_in_s: int


class Counter(Protocol):
    async def hit(self, key: str, limit: int) -> Hit:
        """Counts unless `limit` is reached; the window starts with its first attempt."""


class MemoryCounter:
    """Counts in this process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._windows: dict[str, tuple[int, float]] = {}

    async def hit(self, key: str, limit: int) -> Hit:
        now = self._monotonic()
        count, ends_at = self._windows.get(key, (0, now))
        if ends_at <= now:
            count, ends_at = 0, now + WINDOW_S
        allowed = count < limit
        self._windows[key] = (count + allowed, ends_at)
        if len(self._windows) > _MAX_ADDRESSES:
            self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
        return Hit(allowed, count + allowed, _whole_seconds(ends_at - now))


class RedisCounter:
    """Counts for all processes; raises RedisError when Redis is gone."""

    def __init__(self, client: Redis) -> None:
        self._script = client.register_script(_HIT)

    async def hit(self, key: str, limit: int) -> Hit:
        allowed, count, remaining_ms = await self._script(keys=[f"oa:rate:{key}"], args=[limit, WINDOW_S * 1000])
        return Hit(bool(allowed), int(count), _whole_seconds(int(remaining_ms) / 1000))


class SpareCounter:
    """The shared counter, or while it is lost this process's own; the lost one is asked again after a while."""

    RETRY_AFTER_S = 5.0

    def __init__(self, shared: Counter, own: Counter, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._own = own
        self._monotonic = monotonic
        self._lost_until = monotonic()

    async def hit(self, key: str, limit: int) -> Hit:
        if self._monotonic() >= self._lost_until:
            try:
                return await self._shared.hit(key, limit)
            except (RedisError, OSError) as error:
                self._lost_until = self._monotonic() + self.RETRY_AFTER_S
                logger.warning("rate limits are counted in this process", error=str(error))
        return await self._own.hit(key, limit)


@dataclass(frozen=True)
class RateLimits:
    counter: Counter
    clock: Clock


def limited(per_minute: int) -> Callable[[Endpoint], Endpoint]:
    """An endpoint with at most so many attempts a minute and address; the headers are on every answer."""

    def limiting(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def attempt(request: Request) -> Response:
            limits = service(request, RateLimits)
            hit = await limits.counter.hit(_address(request), per_minute)
            headers = _headers(hit, per_minute, unix_seconds(limits.clock))
            if not hit.allowed:
                raise TooManyAttempts(headers)
            try:
                response = await endpoint(request)
            except Refused as refused:
                refused.headers.update(headers)
                raise
            response.headers.update(headers)
            return response

        return attempt

    return limiting


def _headers(hit: Hit, limit: int, now: int) -> dict[str, str]:
    headers = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(max(limit - hit.count, 0))}
    if not hit.allowed:
        headers |= {"Retry-After": str(hit.resets_in_s), "X-RateLimit-Reset": str(now + hit.resets_in_s)}
    return headers


def _address(request: Request) -> str:
    return f"sign-in:{request.client.host if request.client else 'local'}"


def _whole_seconds(seconds: float) -> int:
    return max(1, -int(-seconds // 1))
