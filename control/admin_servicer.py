"""What a service answers about itself."""

from collections.abc import Callable

import grpc

from skysail.proto import admin_pb2 as pb
from skysail.proto import admin_pb2_grpc as pb_grpc

__all__ = ["AdminServicer"]


class AdminServicer(pb_grpc.AdminServicer):
    """Answers with a report that the service makes; `report` is called on any thread."""

    def __init__(self, report: Callable[[], pb.GetStatsResponse]) -> None:
        self._report = report

    def GetStats(  # noqa: D102
        self, request: pb.GetStatsRequest, context: grpc.ServicerContext
    ) -> pb.GetStatsResponse:
        return self._report()
