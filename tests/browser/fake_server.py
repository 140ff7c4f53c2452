"""A server that answers as the contract says and plays whatever scene a test has set: the rare ones take a real server days."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request, send_file
from PIL import Image
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from monitoring.incidents.page import policy

APP = Path(__file__).parents[2] / "app"
POLICY = "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'"
SIGNALS = ["class", "confidence", "entropy", "mean", "spread", "ink", "edges", "centroid_x", "centroid_y", "saturation"]
PREFIX = "/under/a/prefix"  # where the same page answers too, as behind a proxy
WINDOWS = {"1m": 60, "10m": 600, "1h": 3600, "24h": 86400}


@dataclass
class FakeServer:
    """Answers as the contract says, with whatever the scene has put into its fields."""

    kind: str = "image"
    shape: tuple[int, ...] = (28, 28, 1)
    models: list[str] = field(default_factory=lambda: ["digits"])
    classes: list[str] = field(default_factory=lambda: [str(digit) for digit in range(10)])
    version: str = "1"
    outcome: str = "matched"
    state: str = "ok"
    labels: int = 0
    alarm: dict[str, Any] | None = None
    alarms: list[dict[str, Any]] = field(default_factory=list)
    incident_page: str = ""
    asked: list[Any] = field(default_factory=list)
    refusal: str = ""
    watched: int = 0
    url: str = ""

    def status(self) -> dict[str, Any]:
        taken = {"name": "x", "dtype": "float32", "shape": self.shape, "kind": self.kind, "range": [0, 255]}
        served = {"version": self.version, "variant": "int8"}
        models = [{"name": name, **served} for name in self.models]
        model = request.args.get("model", self.models[0])
        return {"status": "alive", "ready": True, "model": model, **served, "input": taken, "classes": self.classes, "models": models}

    def sample(self, index: int) -> dict[str, Any]:
        shown = {"image": f"/samples/digits/{index}.png"} if self.kind == "image" else {"instance": [5.1, 3.5, index / 10, 0.2]}
        return {"index": index, "label": self.classes[index % len(self.classes)], **shown}

    def samples(self, name: str) -> dict[str, Any]:
        return {"model": name, "samples": [self.sample(index) for index in range(24)]}

    def prediction(self) -> dict[str, Any]:
        likeliest = min(7, len(self.classes) - 1)
        rest = 0.08 / (len(self.classes) - 1)
        shares = [0.92 if index == likeliest else rest for index in range(len(self.classes))]
        return {"id": "sealed", "label": self.classes[likeliest], "class": likeliest, "confidence": 0.92, "probabilities": shares}

    def drift(self, signal: str, place: int) -> dict[str, Any]:
        known = self.state != "not enough data"
        value, limit = (0.003 * place, 0.04) if known else (None, None)
        over = self.state == "over" and signal == "mean"
        row = {"value": 0.312 if over else value, "limit": limit, "rows": 900 if known else 12}
        return {"signal": signal, "statistic": "psi", **row, "state": "over" if over else "ok" if known else self.state}

    def window(self, seconds: int) -> dict[str, Any]:
        accuracy = {"value": 0.97, "lower": 0.9, "upper": 0.991} if self.labels else None
        drift = [self.drift(signal, place) for place, signal in enumerate(SIGNALS)]
        numbers = {"seconds": seconds, "predictions": 900, "watched": 900, "labels": self.labels, "coverage": self.labels / 900}
        return {**numbers, "accuracy": accuracy, "drift": drift}

    def monitor(self) -> dict[str, Any]:
        self.watched += 1
        served = {"model": "digits", "version": self.version, "variant": "int8", "classes": self.classes}
        return {
            **served,
            "time": 0.0,
            "reference_rows": 1000,
            "windows": {name: self.window(seconds) for name, seconds in WINDOWS.items()},
            "alarm": self.alarm,
            "alarms": self.alarms,
            "evidence": {"days_between_false_alarms": 30.0},
            "totals": {"predictions": {"7": 900}, "feedback": {"matched": self.labels, "conflict": 0}, "examples": self.labels},
            "confusion": {"classes": self.classes, "counts": self.confusion()},
        }

    def incident(self, name: str) -> dict[str, Any] | Response:
        if request.accept_mimetypes.accept_html and self.incident_page:
            return Response(self.incident_page, mimetype="text/html", headers={"Content-Security-Policy": policy()})
        verdict = {"cause": "broken client", "confidence": "likely", "evidence": "All look as if inverted.", "remedy": "Look there."}
        shares = {"before": {"value": 0.97}, "estimated": {"value": 0.41}, "labelled": None}
        return {"id": name, "verdict": verdict, "accuracy": shares}

    def see(self, name: str) -> dict[str, Any]:
        assert self.alarm
        assert name == self.alarm["incident"]
        self.alarm, self.alarms = None, []
        return {"incident": name, "seen": True}

    def confusion(self) -> list[list[int]]:
        size = range(len(self.classes))
        taken = [[9 if actual == predicted else (actual * predicted) % 5 // 4 for predicted in size] for actual in size]
        return [[count if self.labels else 0 for count in row] for row in taken]

    def label(self) -> dict[str, Any]:
        self.labels += self.outcome == "matched"
        names = ["matched", "duplicate", "conflict", "unknown", "expired", "invalid"]
        return {**{name: int(name == self.outcome) for name in names}, "results": [self.outcome]}

    def predict(self, name: str) -> dict[str, Any]:
        self.asked.append(request.get_json() if request.is_json else request.get_data())
        return {"model": name, "version": self.version, "variant": "int8", "predictions": [self.prediction()]}


def grey_png(name: str, index: int) -> Response:
    file = io.BytesIO()
    Image.new("L", (28, 28), 10 * index).save(file, "PNG")
    return Response(file.getvalue(), mimetype="image/png")


def make_app(fake: FakeServer) -> Flask:
    app = Flask("fake", static_folder=str(APP / "static"))

    @app.get("/")
    def index() -> Response:
        wants_page = request.accept_mimetypes.accept_html
        return send_file(APP / "templates" / "index.html") if wants_page else jsonify(fake.status())

    @app.after_request
    def strict(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    @app.before_request
    def refuse() -> tuple[Response, int] | None:
        return (jsonify(error=fake.refusal), 503) if fake.refusal else None

    app.get("/samples/<name>")(fake.samples)
    app.get("/samples/<name>/<int:index>.png")(grey_png)
    app.get("/monitor")(fake.monitor)
    app.get("/incidents/<name>")(fake.incident)
    app.post("/incidents/<name>/seen")(fake.see)
    app.post("/predict/<name>")(fake.predict)
    app.post("/feedback")(fake.label)
    return app


@contextmanager
def playing(fake: FakeServer) -> Iterator[FakeServer]:
    """Serve it on a free port until the end of the block."""
    app = make_app(fake)
    server = make_server("127.0.0.1", 0, DispatcherMiddleware(app, {PREFIX: app}), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
