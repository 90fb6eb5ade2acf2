"""Where spans are sent: an OTLP collector over gRPC or HTTP, the console, or a file.

What is sent is made by the native core (`core.Spans`); what is here only carries it away, on a thread that
may wait. https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

import gzip
import http.client
import json
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Protocol

import grpc

from skysail.native import _core as core

__all__ = [
    "ExportFailed",
    "GrpcSender",
    "HttpSender",
    "LinesExporter",
    "OtlpExporter",
    "Sender",
    "SpanExporter",
]

_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#: In one request: some 600 KiB, far below what collectors take.
_MOST_SPANS = 2048


class ExportFailed(Exception):
    """Spans did not arrive.

    Attributes:
        spans: how many were lost.
    """

    def __init__(self, message: str, spans: int) -> None:
        super().__init__(message)
        self.spans = spans


class SpanExporter(Protocol):
    """Takes spans out of a process."""

    def export(self, spans: core.Spans) -> int:
        """Sends what there is, up to a request's worth; how many spans that were.

        Raises:
            ExportFailed: they are lost.
        """

    def close(self) -> None:
        """Ends what is under way."""


class Sender(Protocol):
    """Carries an encoded ExportTraceServiceRequest to a collector."""

    def send(self, request: bytes) -> None:
        """Raises OSError when it did not arrive or was refused."""

    def close(self) -> None:
        """Ends what is under way."""


class GrpcSender:
    """OTLP over gRPC.

    Args:
        target: "host:port".
        secure: TLS with the system's authorities.
        headers: sent with each request.
        timeout_s: how long a request may take.
    """

    def __init__(self, target: str, *, secure: bool, headers: Mapping[str, str], timeout_s: float) -> None:
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials())
            if secure
            else grpc.insecure_channel(target)
        )
        self._call: Any = self._channel.unary_unary(_METHOD)  # bytes in, bytes out
        self._headers = tuple((name.lower(), value) for name, value in headers.items())
        self._timeout_s = timeout_s

    def send(self, request: bytes) -> None:
        """Sends one request."""
        try:
            self._call(request, timeout=self._timeout_s, metadata=self._headers)
        except grpc.RpcError as error:
            raise OSError(f"{error.code().name}: {error.details()}") from error
        except ValueError as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        """Cancels what is under way."""
        self._channel.close()


class HttpSender:
    """OTLP over HTTP, as protobuf.

    Args:
        url: where to POST.
        headers: sent with each request.
        timeout_s: how long a request may take.
        compress: with gzip.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str], timeout_s: float, compress: bool) -> None:
        self._url = url
        self._headers = {**headers, "Content-Type": "application/x-protobuf"}
        if compress:
            self._headers["Content-Encoding"] = "gzip"
        self._compress = compress
        self._timeout_s = timeout_s

    def send(self, request: bytes) -> None:
        """Sends one request."""
        body = gzip.compress(request) if self._compress else request
        post = urllib.request.Request(self._url, body, self._headers, method="POST")
        try:
            with urllib.request.urlopen(post, timeout=self._timeout_s):
                pass
        except (http.client.HTTPException, ValueError) as error:
            # What answers does not speak HTTP, or the URL or a header is none.
            raise OSError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Nothing: a request under way ends with its time."""


class OtlpExporter:
    """Sends spans to a collector.

    Args:
        sender: carries them.
        resource: what sends them: service.name and so on.
    """

    def __init__(self, sender: Sender, resource: Mapping[str, str]) -> None:
        self._sender = sender
        self._resource = list(resource.items())

    def export(self, spans: core.Spans) -> int:
        """Sends one request; nothing when there are no spans."""
        taken = spans.take_for_export(self._resource, _MOST_SPANS)
        if taken is None:
            return 0
        request, count = taken
        try:
            self._sender.send(request)
        except OSError as error:
            raise ExportFailed(str(error), count) from error
        return count

    def close(self) -> None:
        """Ends what is under way."""
        self._sender.close()


class LinesExporter:
    """Writes each span as a line of JSON.

    Args:
        path: appended to, without end: for looking at a while, not for keeping. None: the console.
        resource: what sends them.
    """

    def __init__(self, path: Path | None, resource: Mapping[str, str]) -> None:
        self._file: IO[str] = sys.stdout if path is None else path.open("a")
        self._own = path is not None
        self._resource = dict(resource)

    def export(self, spans: core.Spans) -> int:
        """Writes what there is."""
        taken = spans.take(_MOST_SPANS)
        try:
            for span in taken:
                self._file.write(json.dumps({**span, "resource": self._resource}) + "\n")
            self._file.flush()
        except (OSError, ValueError) as error:
            raise ExportFailed(str(error), len(taken)) from error
        return len(taken)

    def close(self) -> None:
        """Closes the file."""
        if self._own:
            self._file.close()
