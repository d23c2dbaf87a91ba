"""POSTs to addresses that users name: to the public internet only, not redirected, and not for long (ADR 15)."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Final

import httpx

from schemas.addresses import is_public

TIMEOUT_S: Final = 10.0


class Undelivered(Exception):
    """What its owner is told; `status` when there was an answer."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Outgoing:
    """Nothing is shared between two requests: a connection is to an address, its certificate to a name."""

    def __init__(self, *, private_addresses: bool, timeout_s: float = TIMEOUT_S) -> None:
        self._private_addresses = private_addresses
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=None,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The answer's status; its body is not read. Raises Undelivered when there is no answer."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._posted(httpx.URL(url), headers, body)
        except TimeoutError:
            raise Undelivered(f"no answer within {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise Undelivered(f"{type(error).__name__}: {error}"[:300]) from error

    async def _posted(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> int:
        """To the very address that was looked at: a name may mean another one a moment later."""
        if url.scheme not in ("http", "https") or not url.host:
            raise Undelivered("not an http or https address")
        name = url.raw_host.decode()
        request = self._client.build_request(
            "POST",
            url.copy_with(host=await self._address(name, url.port)),
            headers={"host": url.netloc.decode(), "user-agent": "openagents", **headers},
            content=body,
            extensions={"sni_hostname": name},
        )
        response = await self._client.send(request, stream=True)
        await response.aclose()
        return response.status_code

    async def _address(self, name: str, port: int | None) -> str:
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        if not self._private_addresses and not all(map(is_public, addresses)):
            raise Undelivered("its address is not of the public internet")
        return addresses[0]
