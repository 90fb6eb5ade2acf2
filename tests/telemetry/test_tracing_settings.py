"""How a process traces, as OpenTelemetry's variables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from skysail.control.errors import InvalidArgument
from skysail.telemetry.span_exporters import LinesExporter, OtlpExporter
from skysail.telemetry.tracing_settings import TracingSettings


def test_without_variables_spans_are_kept_and_sent_nowhere() -> None:
    settings = TracingSettings.of({})
    assert settings == TracingSettings()
    assert settings.spans_per_s > 0
    assert settings.make_exporter(role="batcher", instance="a") is None


def test_the_variables_of_traces_stand_over_those_of_all_signals() -> None:
    settings = TracingSettings.of(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://all:1",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://traces:2/v1/mine",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x, tenant = a",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
    )
    assert settings.exporter == "otlp", "an endpoint is there to be sent to"
    assert settings.endpoint == "https://traces:2/v1/mine"
    assert settings.headers == {"authorization": "Bearer x", "tenant": "a"}
    assert (settings.timeout_s, settings.every_s, settings.compress) == (2.5, 0.1, True)
    assert isinstance(settings.make_exporter(role="batcher", instance="a"), OtlpExporter)


def test_over_http_the_path_of_traces_is_added() -> None:
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    assert TracingSettings.of(variables).endpoint == "http://localhost:4318/v1/traces"
    variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://all:1/otel/"
    assert TracingSettings.of(variables).endpoint == "http://all:1/otel/v1/traces"


def test_the_resource_names_the_process() -> None:
    own = TracingSettings.of({"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test"}).resource(
        role="selector", instance="s1"
    )
    assert own["service.name"] == "skysail-selector"
    assert own["service.instance.id"] == "s1"
    assert own["deployment.environment"] == "test"
    named = TracingSettings.of({"OTEL_SERVICE_NAME": "shop"}).resource(role="selector", instance="s1")
    assert named["service.name"] == "shop"


def test_tracing_can_be_turned_off_and_sent_to_a_file(tmp_path: Path) -> None:
    assert TracingSettings.of({"OTEL_SDK_DISABLED": "true"}).spans_per_s == 0
    assert TracingSettings.of({"SKYSAIL_TRACE_SPANS_PER_S": "0"}).spans_per_s == 0
    settings = TracingSettings.of({"SKYSAIL_TRACE_FILE": str(tmp_path / "spans")})
    exporter = settings.make_exporter(role="batcher", instance="a")
    assert isinstance(exporter, LinesExporter)
    exporter.close()


@pytest.mark.parametrize(
    "variable",
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization"),
        ("SKYSAIL_TRACE_SPANS_PER_S", "1e9"),
    ],
)
def test_what_is_illegal_is_refused_by_name(variable: tuple[str, str]) -> None:
    with pytest.raises(InvalidArgument, match=variable[0]):
        TracingSettings.of(dict([variable]))
