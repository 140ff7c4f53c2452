"""Traces, received by a small real OTLP/HTTP collector and read with OpenTelemetry's own protobuf classes."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from app import tracing
from app.factory import create_app
from app.fast_lane import FastLane
from app.settings import resolve
from models.errors import VeletaError
from models.store import Store
from tests.app.test_fast_lane import by_both
from tests.live_server import ROOT, clean_environment, free_port, running
from tests.small_models import Data

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Collector:
    """Keeps every span that it is sent, as a dict with its attributes beside it."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        collector = self

        class Receive(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(self.path, gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                said = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Receive)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {one.value.string_value for one in resource.resource.attributes if one.key == "service.name"}
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def traced(store: Store, collector: Collector, *requests_: tuple[str, dict[str, Any]]) -> list[tuple[Any, Any]]:
    """The spans of the requests, sent to both lanes of an app: pairs of a root's name and all spans of its trace."""
    app = create_app(resolve({"store": str(store.root), "otlp_endpoint": collector.endpoint}, {}, {})[0])
    for path, sent in requests_:
        by_both(FastLane(app, 1), app.test_client(), path, sent)
    app.extensions["veleta"].close()
    return collector.spans


def test_a_prediction_is_a_span_with_its_steps_in_the_callers_trace_in_both_lanes(
    store: Store, digits8: Data, collector: Collector
) -> None:
    body = np.ascontiguousarray(digits8.test_x[:3]).tobytes()
    before = time.time_ns()
    spans = traced(store, collector, ("/predict/digits8", {"data": body, "headers": {"traceparent": TRACEPARENT, "X-Request-Id": "t1"}}))

    roots = [span for span in spans if span.name == "POST /predict"]
    assert len(spans) == 8
    assert collector.services == {"veleta"}
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    assert [root.parent_span_id.hex() for root in roots] == [PARENT] * 2
    model = {"veleta.model": "digits8", "veleta.version": "1", "veleta.variant": "int8", "veleta.rows": 3}
    for root in roots:
        assert root.kind == 2, "a server's"
        assert attributes(root) == model | {
            "http.request.method": "POST", "url.path": "/predict/digits8", "http.route": "/predict",
            "http.response.status_code": 200, "veleta.request_id": "t1",
        }  # fmt: skip
        steps = [span for span in spans if span.parent_span_id == root.span_id]
        assert [step.name for step in steps] == ["read", "predict", "write"]
        assert all(attributes(step) == model for step in steps)
        times = [root.start_time_unix_nano, *[step.end_time_unix_nano for step in steps]]
        assert times == sorted(times)
        assert before - 10**7 < times[0] < times[-1] <= root.end_time_unix_nano + 1 < time.time_ns() + 10**7


def test_errors_are_told_apart_and_health_is_not_traced(store: Store, collector: Collector) -> None:
    sent = {"headers": {"traceparent": TRACEPARENT}}
    spans = traced(
        store,
        collector,
        ("/predict/digits8", sent | {"data": b"x"}),
        ("/predict/digits8", {"data": b"\0" * 64, "headers": {"X-Request-Timeout": "0.000000001"}}),
        ("/healthz", sent),
    )

    by_status = {attributes(span)["http.response.status_code"]: span for span in spans if "http.route" in attributes(span)}
    assert set(by_status) == {200, 400, 504}, "Flask alone has no queue, so what is too late there is answered"
    assert by_status[400].status.code == 0
    assert by_status[504].status.code == 2
    assert [s.name for s in spans if s.parent_span_id == by_status[504].span_id] == ["read", "predict"]
    assert not [span for span in spans if "/healthz" in str(attributes(span))]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        "0" * 9000,
    ],
)
def test_what_is_no_traceparent_begins_a_trace_of_its_own(store: Store, collector: Collector, given: str) -> None:
    spans = traced(store, collector, ("/predict/digits8", {"data": b"\0" * 64, "headers": {"traceparent": given}}))

    roots = [span for span in spans if span.name == "POST /predict"]
    assert len(roots) == 2
    assert not any(root.parent_span_id for root in roots)
    assert len({root.trace_id for root in roots}) == 2


def test_a_caller_that_does_not_sample_is_followed(store: Store, collector: Collector) -> None:
    assert traced(store, collector, ("/predict/digits8", {"data": b"\0" * 64, "headers": {"traceparent": TRACEPARENT[:-1] + "0"}})) == []


def test_workers_send_what_they_have_after_the_fork_and_before_the_end(store: Store, digits8: Data, collector: Collector) -> None:
    image = np.ascontiguousarray(digits8.test_x[0]).tobytes()
    with running(store.root, "--workers", "2", "--otlp-endpoint", collector.endpoint) as server:
        for _ in range(20):
            assert requests.post(server.url + "/predict/digits8", data=image, timeout=10).status_code == 200
        server.get("/metrics")
    roots = [span for span in collector.spans if span.name == "POST /predict"]

    assert len(roots) == 20
    assert len({span.span_id for span in collector.spans}) == len(collector.spans) == 20 * 4 + 1
    assert len({root.trace_id for root in roots}) == 20


def test_a_collector_that_is_not_there_holds_nobody_up(store: Store) -> None:
    with running(store.root, "--workers", "1", "--otlp-endpoint", f"http://127.0.0.1:{free_port()}") as server:
        began = time.monotonic()
        for _ in range(50):
            assert server.post("/predict/digits8", data=b"\0" * 64).status_code == 200
        assert time.monotonic() - began < 5
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 15


def test_without_an_endpoint_nothing_is_imported(store: Store) -> None:
    script = (
        "import sys; from app.factory import create_app; from app.settings import resolve;"
        f"create_app(resolve({{'store': {str(store.root)!r}}}, {{}}, {{}})[0]).extensions['veleta'].close();"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    shown = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, env=clean_environment())

    assert shown.stdout == "[]\n"


def test_without_the_extra_it_is_told_what_to_install(store: Store) -> None:
    """As on a machine where OpenTelemetry is not installed: its name leads nowhere."""
    script = (
        "import sys; sys.modules['opentelemetry'] = None; sys.modules['opentelemetry.sdk'] = None;"
        f"sys.argv = ['veleta', 'serve', '--store', {str(store.root)!r}, '--port', '{free_port()}', '--otlp-endpoint', 'http://127.0.0.1:4318'];"
        "from veleta.__main__ import main; sys.exit(main())"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=store.root, capture_output=True, text=True, check=False, env=clean_environment()
    )

    assert told.returncode == 1
    assert told.stderr.startswith(
        "veleta: otlp_endpoint is set and OpenTelemetry is not installed; install it with `pip install 'veleta[tracing]'`"
    )


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "x"])
def test_an_endpoint_that_is_none_is_told(endpoint: str) -> None:
    with pytest.raises(VeletaError, match=f"otlp_endpoint is {endpoint!r}, expected the address of a collector"):
        tracing.check(endpoint)
