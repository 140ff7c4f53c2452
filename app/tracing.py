"""Traces in OpenTelemetry's form, sent over OTLP/HTTP: one span for a request and, for a prediction, one for each step.

The spans are made from times that are taken anyway, when the request is over; so nothing is imported and nothing is paid unless
`otlp_endpoint` is set. The sampler and the headers of the exporter are set by OpenTelemetry's own environment variables (OTEL_…).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from app.visit import Visit
from models.errors import VeletaError

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_PATH = "/v1/traces"
_CLOSE_MILLISECONDS = 2000


def check(endpoint: str) -> None:
    """Raise VeletaError if there could be no traces."""
    if not endpoint.startswith(("http://", "https://")):
        raise VeletaError(f"otlp_endpoint is {endpoint!r}, expected the address of a collector, as in http://127.0.0.1:4318")
    try:
        import opentelemetry.exporter.otlp.proto.http
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError as error:
        remedy = "install it with `pip install 'veleta[tracing]'`, or leave otlp_endpoint out"
        raise VeletaError(f"otlp_endpoint is set and OpenTelemetry is not installed; {remedy}") from error


def start(endpoint: str) -> Tracer:
    """The tracer of this process. Its thread does not survive a fork, so it is made after."""
    check(endpoint)
    return Tracer(endpoint)


class Tracer:
    """Sends what is recorded from a thread of its own; if nobody listens, it is dropped."""

    def __init__(self, endpoint: str) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        address = endpoint.rstrip("/")
        exporter = OTLPSpanExporter(address if address.endswith(_PATH) else address + _PATH)
        self._provider = TracerProvider(resource=Resource.create({"service.name": "veleta"}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("veleta")
        self._propagator, self._trace = TraceContextTextMapPropagator(), trace

    def record(self, visit: Visit, route: str, status: int, ended: float) -> None:
        """The spans of a request that is over. They belong to the trace that its `traceparent` names, if it names one."""
        zero = time.time_ns() - time.perf_counter_ns()
        parent = self._propagator.extract({name: visit.headers.get(name, "") for name in ("traceparent", "tracestate")})
        name, kind = f"{visit.method[:20]} {route}", self._trace.SpanKind.SERVER
        span = self._tracer.start_span(name, parent, kind, _about(visit, route, status), start_time=_at(zero, visit.began))
        if span.is_recording():
            self._record_steps(span, visit, zero, ended)
            if status >= 500:
                span.set_status(self._trace.StatusCode.ERROR)
        span.end(_at(zero, ended))

    def close(self) -> None:
        self._provider.force_flush(_CLOSE_MILLISECONDS)
        self._provider.shutdown()

    def _record_steps(self, span: Span, visit: Visit, zero: int, ended: float) -> None:
        """Reading, the model (its queue included) and writing; a step that a request did not come to has no span."""
        context = self._trace.set_span_in_context(span)
        times = [visit.began, visit.read_at, visit.answered_at, ended]
        for name, began, until in zip(("read", "predict", "write"), times[:-1], times[1:], strict=True):
            if visit.read_at and began:
                step = self._tracer.start_span(name, context, attributes=_model(visit), start_time=_at(zero, began))
                step.end(_at(zero, until or ended))


def _at(zero: int, seconds: float) -> int:
    """Nanoseconds since 1970 of a time of `perf_counter`."""
    return zero + round(seconds * 1e9)


def _about(visit: Visit, route: str, status: int) -> dict[str, Any]:
    about: dict[str, Any] = {"http.request.method": visit.method[:20], "url.path": visit.path[:200], "http.route": route}
    about |= {"http.response.status_code": status}
    return about | ({"veleta.request_id": visit.request_id} if visit.request_id else {}) | _model(visit)


def _model(visit: Visit) -> dict[str, Any]:
    if visit.subject is None:
        return {}
    manifest = visit.subject.manifest
    return {
        "veleta.model": manifest.name,
        "veleta.version": str(manifest.version),
        "veleta.variant": visit.subject.variant,
        "veleta.rows": visit.rows,
    }
