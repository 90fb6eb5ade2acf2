"""How a process traces, as its environment says: OpenTelemetry's own variables, and one of ours.

Read once, at the start. https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from skysail import __version__
from skysail.control.errors import InvalidArgument
from skysail.telemetry.span_exporters import (
    GrpcSender,
    HttpSender,
    LinesExporter,
    OtlpExporter,
    Sender,
    SpanExporter,
)

__all__ = ["TracingSettings"]

_SPANS_PER_S = "SKYSAIL_TRACE_SPANS_PER_S"
_FILE = "SKYSAIL_TRACE_FILE"


@dataclass(frozen=True, kw_only=True)
class TracingSettings:
    """What a process records, and where that goes besides its own store.

    Attributes:
        spans_per_s: the most that is kept; beyond it whole traces are left out. 0: nothing is recorded.
        exporter: "otlp", "console" or "none".
        file: where each span is written as a line of JSON, in the place of the exporter; None: nowhere.
        protocol: "grpc" or "http/protobuf".
        endpoint: of the collector.
        headers: sent with each request.
        timeout_s: how long a request may take.
        compress: with gzip, over HTTP.
        every_s: how often spans are sent.
        service_name: in the place of `skysail-ROLE`.
        attributes: of the resource, besides.
    """

    spans_per_s: float = 1000.0
    exporter: str = "none"
    file: Path | None = None
    protocol: str = "grpc"
    endpoint: str = "http://localhost:4317"
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    compress: bool = False
    every_s: float = 5.0
    service_name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> TracingSettings:
        """Reads the variables.

        Raises:
            InvalidArgument: naming the variable and what is legal.
        """

        def get(name: str, default: str) -> str:
            """The variable for traces, else the one for all signals."""
            general = environment.get(f"OTEL_EXPORTER_OTLP_{name}", "")
            return environment.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}", "") or general or default

        disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
        protocol = _one_of(get("PROTOCOL", "grpc"), "OTEL_EXPORTER_OTLP_PROTOCOL", ("grpc", "http/protobuf"))
        stated = get("ENDPOINT", "")
        endpoint = stated or f"http://localhost:{4317 if protocol == 'grpc' else 4318}"
        if protocol == "http/protobuf" and not environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
            endpoint = endpoint.rstrip("/") + "/v1/traces"
        if urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname:
            raise InvalidArgument(
                f"OTEL_EXPORTER_OTLP_ENDPOINT must be a URL of http or https, got {stated!r}"
            )
        exporter = environment.get("OTEL_TRACES_EXPORTER", "") or ("otlp" if stated else "none")
        file = environment.get(_FILE, "")
        delay = environment.get("OTEL_BSP_SCHEDULE_DELAY", "")
        return cls(
            spans_per_s=0.0
            if disabled
            else _number(environment.get(_SPANS_PER_S, ""), _SPANS_PER_S, 1000, 1e6),
            exporter=_one_of(exporter, "OTEL_TRACES_EXPORTER", ("otlp", "console", "none")),
            file=Path(file) if file else None,
            protocol=protocol,
            endpoint=endpoint,
            headers=_pairs(get("HEADERS", ""), "OTEL_EXPORTER_OTLP_HEADERS"),
            timeout_s=_number(get("TIMEOUT", ""), "OTEL_EXPORTER_OTLP_TIMEOUT", 10_000, 3.6e6) / 1000,
            compress=get("COMPRESSION", "none") == "gzip",
            every_s=_number(delay, "OTEL_BSP_SCHEDULE_DELAY", 5000, 3.6e6) / 1000,
            service_name=environment.get("OTEL_SERVICE_NAME", ""),
            attributes=_pairs(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""), "OTEL_RESOURCE_ATTRIBUTES"),
        )

    def resource(self, *, role: str, instance: str) -> dict[str, str]:
        """What the spans of a process say of it."""
        own = {
            "service.name": self.service_name or f"skysail-{role}",
            "service.namespace": "skysail",
            "service.instance.id": instance,
            "service.version": __version__,
            "skysail.role": role,
        }
        return {**self.attributes, **own} if self.service_name else {**own, **self.attributes}

    def make_exporter(self, *, role: str, instance: str) -> SpanExporter | None:
        """Where spans are sent to; None: nowhere."""
        resource = self.resource(role=role, instance=instance)
        if self.file is not None:
            return LinesExporter(self.file, resource)
        if self.exporter == "console":
            return LinesExporter(None, resource)
        return OtlpExporter(self._sender(), resource) if self.exporter == "otlp" else None

    def _sender(self) -> Sender:
        if self.protocol == "http/protobuf":
            return HttpSender(
                self.endpoint, headers=self.headers, timeout_s=self.timeout_s, compress=self.compress
            )
        parts = urlsplit(self.endpoint)
        return GrpcSender(
            parts.netloc, secure=parts.scheme == "https", headers=self.headers, timeout_s=self.timeout_s
        )


def _one_of(value: str, name: str, legal: tuple[str, ...]) -> str:
    if value not in legal:
        raise InvalidArgument(f"{name} must be one of {', '.join(legal)}, got {value!r}")
    return value


def _number(text: str, name: str, default: float, high: float) -> float:
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not 0 <= value <= high:
        raise InvalidArgument(f"{name} must be a number from 0 to {high:g}, got {text!r}")
    return value


def _pairs(text: str, name: str) -> dict[str, str]:
    pairs = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise InvalidArgument(f"{name} must be key=value pairs with commas in between, got {part!r}")
        pairs[unquote(key.strip())] = unquote(value.strip())
    return pairs
