"""One authorization on the signed API, called on its owner's behalf: each call with a token of its own."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.nodes import Caller


@dataclass(frozen=True)
class SpendCalls:
    caller: Caller
    authorization_id: str
    run_id: str = "run_demo"

    async def authorize(self, **fields: Any) -> httpx.Response:
        bound = {name: fields[name] for name in ("run_id", "thread_id") if name in fields}
        return await self._call("POST", "", bound, {"authorization_id": self.authorization_id} | fields)

    async def get(self) -> dict[str, Any]:
        answer = await self._call("GET", f"/{self.authorization_id}")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()["data"]
        return told

    async def revoke(self, **fields: Any) -> httpx.Response:
        return await self._call("POST", f"/{self.authorization_id}/revoke", json=fields)

    async def reserve(self, tool_call_id: str, sats: Any, **fields: Any) -> httpx.Response:
        return await self._hold("", tool_call_id, {"amount_sats": sats} | fields)

    async def settle(self, operation: str, tool_call_id: str, **fields: Any) -> httpx.Response:
        return await self._hold(f"/{operation}", tool_call_id, fields)

    async def open_reservations(self) -> list[dict[str, Any]]:
        answer = await self._call("GET", f"/{self.authorization_id}/reservations")
        assert answer.status_code == 200, answer.text
        told: list[dict[str, Any]] = answer.json()["data"]
        return told

    async def _hold(self, operation: str, tool_call_id: str, fields: dict[str, Any]) -> httpx.Response:
        path, identity = f"/{self.authorization_id}/reservations", {"run_id": self.run_id, "tool_call_id": tool_call_id}
        return await self._call("POST", path + operation, {"run_id": self.run_id}, identity | fields)

    async def _call(self, method: str, path: str, claims: Any = None, json: Any = None) -> httpx.Response:
        return await self.caller.signed(method, f"/spend/authorizations{path}", claims=claims or {}, json=json)
