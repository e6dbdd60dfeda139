"""Requests and answers of the web page: bodies in memory, refusals, guard."""

import json
import urllib.parse
from typing import Any, Iterator, Optional, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MAX_JSON_BYTES = 2**20
_CHUNK_BYTES = 2**18
# A body that is too long is read to its end up to so many times the limit:
# browsers show no answer that comes earlier.
_DRAINED = 2
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: "
                               "data:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


async def read_body(request: Request, limit: int, refusal: str) -> bytes:
    """Reads a request's body into memory; nothing is written to disk.

    Args:
      request: the request.
      limit: bytes of the longest body.
      refusal: what the visitor is told of a longer one.

    Raises:
      HTTPException: it is longer, or ends early.
    """
    received, size = bytearray(), 0
    try:
        if int(request.headers.get("content-length", 0)) > _DRAINED * limit:
            raise HTTPException(413, refusal)
        async for chunk in request.stream():
            size += len(chunk)
            if size <= limit:
                received += chunk
            elif size > _DRAINED * limit:
                break
    except ClientDisconnect:
        raise HTTPException(400, "The request ended early.") from None
    if size > limit:
        raise HTTPException(413, refusal)
    return bytes(received)


async def read_json(request: Request) -> dict[str, Any]:
    """Reads a request's body, a JSON object.

    Raises:
      HTTPException: it is something else, or too long.
    """
    content = await read_body(request, _MAX_JSON_BYTES,
                              "These settings are too long.")
    try:
        given = json.loads(content)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise HTTPException(400, "These settings cannot be read.")
    return given


def in_chunks(content: bytes) -> Iterator[bytes]:
    """Yields pieces of an answer, so that it is sent as fast as it is read."""
    for start in range(0, len(content), _CHUNK_BYTES):
        yield content[start:start + _CHUNK_BYTES]


async def refuse(_: Request, error: Exception) -> Response:
    """Answers with the sentence of an HTTPException."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": error.detail}, error.status_code)


class Guard:
    """Refuses requests that other sites make, and sets headers.

    A site whose name is pointed to this machine (DNS rebinding) sends its own
    name as the host.

    Args:
      app: answers the others.
      hosts: host names by which it may be asked; None for any.
    """

    def __init__(self, app: ASGIApp,
                 hosts: Optional[Sequence[str]]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive,
                       send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        answer = self._app
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if (self._hosts is not None
                and _host_name(host) not in self._hosts) or (
                    origin is not None
                    and urllib.parse.urlsplit(origin).netloc != host):
            answer = JSONResponse(
                {"message": "This page does not answer other sites."}, 403)
        await answer(scope, receive, send_with_headers)


def _host_name(host: str) -> Optional[str]:
    try:
        return urllib.parse.urlsplit(f"//{host}").hostname
    except ValueError:
        return None
