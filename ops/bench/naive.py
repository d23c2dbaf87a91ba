"""The peer of `oa bench fanout` and `idle`: the loop over all sockets that one writes first, in Starlette."""

import asyncio
import sys
import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect


def app() -> Starlette:
    """`POST /broadcast?messages=N&rate=N` sends its body so many times to everybody."""
    clients: set[WebSocket] = set()

    async def follow(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()
        clients.add(websocket)
        await websocket.send_text("joined")
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            clients.discard(websocket)

    async def broadcast(request: Request) -> Response:
        text, query = (await request.body()).decode(), request.query_params
        started = time.monotonic()
        for number in range(int(query["messages"])):
            await asyncio.sleep(max(0.0, started + number / float(query["rate"]) - time.monotonic()))
            for websocket in list(clients):
                await websocket.send_text(text)
        return Response()

    async def ready(_: Request) -> Response:
        return Response()

    return Starlette(
        routes=[
            WebSocketRoute("/ws", follow),
            Route("/broadcast", broadcast, methods=["POST"]),
            Route("/readyz", ready),
        ]
    )


if __name__ == "__main__":
    uvicorn.run(
        app(),
        port=int(sys.argv[1]),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        log_level="warning",
        backlog=4096,
    )
