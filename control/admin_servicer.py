"""What a service answers about itself."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from skysail.control.errors import InvalidArgument
from skysail.proto import admin_pb2 as pb
from skysail.proto import admin_pb2_grpc as pb_grpc

__all__ = ["AdminServicer"]


class AdminServicer(pb_grpc.AdminServicer):
    """Answers with what the service makes, on any thread.

    Args:
        report: its state and counters.
        spans: those of the traces of these ids, or of the latest calls where there are none.
        window: what it counted from so many seconds ago to so many seconds ago, of a model or (empty) of all;
            None: it remembers nothing.
    """

    def __init__(
        self,
        report: Callable[[], pb.GetStatsResponse],
        spans: Callable[[Sequence[str]], list[dict[str, Any]]],
        window: Callable[[float, float, str], pb.GetWindowResponse] | None = None,
    ) -> None:
        self._report = report
        self._spans = spans
        self._window = window

    def GetStats(  # noqa: D102
        self, request: pb.GetStatsRequest, context: grpc.ServicerContext
    ) -> pb.GetStatsResponse:
        return self._report()

    def GetSpans(  # noqa: D102
        self, request: pb.GetSpansRequest, context: grpc.ServicerContext
    ) -> pb.GetSpansResponse:
        return pb.GetSpansResponse(spans_json=json.dumps(self._spans(request.trace_ids)))

    def GetWindow(  # noqa: D102
        self, request: pb.GetWindowRequest, context: grpc.ServicerContext
    ) -> pb.GetWindowResponse:
        if self._window is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "this process remembers nothing of its counters")
        try:
            return self._window(request.from_s, request.to_s, request.model)
        except InvalidArgument as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
