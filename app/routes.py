"""The routes: each turns a request into a call and the result into an answer. What a call does is not decided here."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.answers import Reply, write
from app.batching import ask, note
from app.decoding import decompress
from app.errors import NotReady, UnknownModel, Unsupported
from app.feedback import summary
from app.images import encode_png
from app.json_bodies import read_json
from app.protocols.exchange import Prediction, Request
from app.protocols.table import PREDICTIONS
from app.service import ROUTES, Service
from monitoring.export.exporter import export
from monitoring.view import monitor

routes = Blueprint("veleta", __name__)

_MOST_SAMPLES = 1000


def service() -> Service:
    found: Service = current_app.extensions["veleta"]
    return found


def send(reply: Reply) -> Response:
    return Response(reply.body, reply.status, reply.headers)


def answer(data: Any) -> Response:
    return send(Reply(write(data)))


def body() -> bytes:
    """Raises RequestEntityTooLarge. Of a body without a length Flask takes what is allowed, and does not look whether there is more."""
    data, ends = request.get_data(cache=False), request.environ.get("wsgi.input_terminated")
    if ends and len(data) == service().limits.max_body_bytes and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return decompress(data, request.headers.get("Content-Encoding", ""), service().limits)


def _predict(prediction: Prediction, **parts: str) -> Response:
    headers = {name.lower(): value for name, value in request.headers.items()}
    asked = prediction.ask(service(), Request(request.path, headers, body(), request.args), parts)
    found = ask(asked.loaded, asked.rows)
    try:
        return send(asked.reply(found))
    finally:
        note(asked.loaded, found, service().recorder)


for _prediction in PREDICTIONS:
    routes.add_url_rule(_prediction.rule, _prediction.rule, partial(_predict, _prediction), methods=["POST"])


@routes.get("/")
def index() -> Response:
    wants_json = request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"
    response = answer(_status(request.args.get("model"))) if wants_json else make_response(render_template("index.html"))
    response.vary.add("Accept")
    return response


@routes.post("/feedback")
def feedback() -> Response:
    results = service().feedback.take(read_json(body()), time.time())
    service().recorder.fed_back(results)
    return answer(summary(results))


@routes.get("/monitor")
def monitor_() -> Response:
    loaded = service().served.get(request.args.get("model"))
    look = service().watch.look(time.time())
    found = look.subjects.get(loaded.subject.key)
    if found is None:
        raise NotReady(f"nothing is known of {loaded.subject.key} yet; ask again in a moment")
    shown = monitor(*found, look.promise, look.time)
    shown["totals"]["feedback"] |= service().feedback_totals()
    shown["totals"]["examples"] = service().examples_of(loaded.subject.manifest.name)
    return answer(shown)


@routes.get("/metrics")
def metrics() -> Response:
    found = service()
    loaded = {one.subject.key: one.loaded_at for one in found.served.all()}
    text = export(found.counts, ROUTES, found.watch.look(time.time()), loaded, found.watch.last_tick())
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")


@routes.get("/healthz")
def healthz() -> Response:
    return answer({"live": True})


@routes.get("/readyz")
def readyz() -> Response:
    if service().draining.is_set():
        raise NotReady("the server is stopping; send to another one")
    service().calls.check()
    service().served.get()
    return answer({"ready": True})


@routes.get("/samples/<name>")
def samples(name: str) -> Response:
    loaded = service().served.get(name)
    kept, image, form = loaded.samples, loaded.takes.kind == "image", loaded.form
    count = max(0, min(request.args.get("count", 24, type=int), len(kept.labels), _MOST_SAMPLES))
    shown = [
        {"index": i, "label": form.label(kept.labels[i])}
        | ({"image": f"/samples/{name}/{i}.png"} if image else {"instance": loaded.takes.example(kept.inputs[i])})
        for i in range(count)
    ]
    return answer({"model": name, "samples": shown})


@routes.get("/samples/<name>/<int:number>.png")
def sample(name: str, number: int) -> Response:
    loaded = service().served.get(name)
    if loaded.published.manifest.input.kind != "image":
        raise Unsupported(f"the samples of {name} are no images; see /samples/{name}")
    if number >= len(loaded.samples.inputs):
        raise UnknownModel(f"{name} has {len(loaded.samples.inputs)} samples, there is no number {number}")
    return Response(encode_png(loaded.samples.inputs[number]), mimetype="image/png")


def _status(name: str | None) -> dict[str, Any]:
    """What the index page is told of a model, the default one without a name. Alive even when no model is."""
    status: dict[str, Any] = {"status": "alive", "ready": False, "models": []}
    try:
        loaded = service().served.get(name)
    except NotReady:
        return status
    taken, subject = loaded.published.manifest.input, loaded.subject
    return status | {
        "ready": True,
        "model": subject.manifest.name,
        "version": str(subject.manifest.version),
        "variant": subject.variant,
        "input": {"name": taken.name, "dtype": taken.dtype, "shape": taken.shape[1:], "kind": taken.kind, "range": taken.range},
        "task": subject.manifest.task,
        "classes": subject.manifest.classes,
        "columns": loaded.takes.described(),
        "models": [
            {"name": one.subject.manifest.name, "version": str(one.subject.manifest.version), "variant": one.subject.variant}
            for one in service().served.all()
        ],
    }
