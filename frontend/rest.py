"""The Open Inference Protocol over plain JSON, so that curl works.

    GET  /v2                                        about the server
    GET  /v2/health/live, /v2/health/ready
    GET  /v2/models/NAME[/versions/V]               signature and versions
    GET  /v2/models/NAME[/versions/V]/ready
    POST /v2/models/NAME[/versions/V]/infer

Predictions take the same path through this process as over gRPC. An error is {"error": message} under the
HTTP status of its kind; a call that was turned away is told in `Retry-After` when to try again.
"""

import asyncio
import json
import logging
import math
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skysail import __version__
from skysail.control import catalogue
from skysail.control.errors import HTTP_STATUSES, CallFailed, Kind, SkysailError
from skysail.control.schema import TensorSpec
from skysail.control.snapshot import Snapshot
from skysail.frontend.rest_codec import decode_request, encode_response
from skysail.native import _core as core
from skysail.telemetry import logs

__all__ = ["Rest"]

log = logging.getLogger(__name__)


class Rest:
    """The routes; `app` is the ASGI application.

    Args:
        caller: makes predictions in this process.
        snapshot: the configuration in force.
        ready: whether the server takes calls.
        model_ready: as `OipServicer` takes it.
        max_body_bytes: a larger body is refused with 413.
    """

    def __init__(
        self,
        caller: core.Caller,
        *,
        snapshot: Callable[[], Snapshot],
        ready: Callable[[], bool],
        model_ready: Callable[[str, str], bool],
        max_body_bytes: int,
    ) -> None:
        self._caller = caller
        self._snapshot = snapshot
        self._ready = ready
        self._model_ready_now = model_ready
        self._max_body_bytes = max_body_bytes
        model = "/v2/models/{name}"
        self.app = Starlette(
            routes=[
                Route("/v2", self._server),
                Route("/v2/health/live", self._live),
                Route("/v2/health/ready", self._server_ready),
                *(
                    Route(path + suffix, endpoint, methods=[method])
                    for path in (model, model + "/versions/{version}")
                    for suffix, endpoint, method in (
                        ("", self._model, "GET"),
                        ("/ready", self._model_ready, "GET"),
                        ("/infer", self._infer, "POST"),
                    )
                ),
            ],
            exception_handlers={
                SkysailError: _skysail_error,
                HTTPException: _http_error,
                Exception: _unexpected_error,
            },
        )

    async def _server(self, request: Request) -> Response:
        return _json({"name": "skysail", "version": __version__, "extensions": []})

    async def _live(self, request: Request) -> Response:
        return _json({"live": True})

    async def _server_ready(self, request: Request) -> Response:
        ready = self._ready()
        return _json({"ready": ready}, 200 if ready else 503)

    async def _model(self, request: Request) -> Response:
        name, version = _names(request)
        found = catalogue.describe(self._snapshot(), "applications", name, version)
        signature = found.signature
        return _json(
            {
                "name": found.name,
                "versions": found.versions,
                "platform": found.platform,
                "inputs": [_tensor(one) for one in signature.inputs] if signature else [],
                "outputs": [_tensor(one) for one in signature.outputs] if signature else [],
            }
        )

    async def _model_ready(self, request: Request) -> Response:
        name, version = _names(request)
        ready = await asyncio.to_thread(self._model_ready_now, name, version) and self._ready()
        return _json({"name": name, "ready": ready}, 200 if ready else 503)

    async def _infer(self, request: Request) -> Response:
        name, version = _names(request)
        try:
            message = await self._message(request, name, version)
        except SkysailError as error:
            self._caller.unreadable(error.kind)
            raise
        except HTTPException as error:
            self._caller.unreadable(
                Kind.RESOURCE_EXHAUSTED if error.status_code == 413 else Kind.INVALID_ARGUMENT
            )
            raise
        return Response(encode_response(await self._call(request, message)), media_type="application/json")

    async def _message(self, request: Request, name: str, version: str) -> bytes:
        """The request as the data plane takes it."""
        if "inference-header-content-length" in request.headers:
            raise HTTPException(415, "binary tensors are not taken over HTTP: send JSON, or call over gRPC")
        return decode_request(await self._body(request), name=name, version=version)

    async def _body(self, request: Request) -> bytes:
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > self._max_body_bytes:
                raise HTTPException(413, f"the body is larger than {self._max_body_bytes} bytes")
            parts.append(part)
        return b"".join(parts)

    async def _call(self, request: Request, message: bytes) -> bytes:
        """The encoded answer; the call is cancelled when the client leaves."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()

        def settle(response: bytes | None, kind: str, text: str, retry_after_s: float) -> None:
            if answer.done():
                return
            if response is None:
                answer.set_exception(CallFailed(Kind.of(kind), text, retry_after_s=retry_after_s))
            else:
                answer.set_result(response)

        def hand_over(response: bytes | None, kind: str, text: str, retry_after_s: float) -> None:
            loop.call_soon_threadsafe(settle, response, kind, text, retry_after_s)

        cancel = self._caller.infer(
            message,
            hand_over,
            traceparent=",".join(request.headers.getlist("traceparent")),  # several are malformed
            tracestate=",".join(request.headers.getlist("tracestate")),
        )
        leaving = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait((answer, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise CallFailed(Kind.CANCELLED, "the client left")
            return answer.result()
        finally:
            leaving.cancel()
            if not answer.done():
                answer.cancel()
                cancel()


async def _left(request: Request) -> None:
    """Returns when the client is gone; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _names(request: Request) -> tuple[str, str]:
    return request.path_params["name"], request.path_params.get("version", "")


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}


def _json(content: object, status: int = 200) -> Response:
    return Response(json.dumps(content), status, media_type="application/json")


async def _skysail_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SkysailError)
    answer = _json({"error": str(error)}, HTTP_STATUSES[error.kind])
    if isinstance(error, CallFailed) and error.retry_after_s > 0:
        answer.headers["retry-after"] = str(math.ceil(error.retry_after_s))  # HTTP knows whole seconds alone
    return answer


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail}, error.status_code)


async def _unexpected_error(request: Request, error: Exception) -> Response:
    trace = logs.trace_of(request.headers.get("traceparent", ""))
    log.error("%s %s failed", request.method, request.url.path, exc_info=error, extra=trace)
    return _json({"error": "internal error; the frontend's log says more"}, HTTP_STATUSES[Kind.INTERNAL])
