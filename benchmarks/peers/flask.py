"""Flask under gunicorn's sync workers, ONNX Runtime called once per request: what most tutorials come to when they are done well."""

from __future__ import annotations

import numpy as np
from flask import Flask, Response, jsonify, request

from benchmarks.peers.onnx_model import Task


def create_app() -> Flask:
    """Called in each worker."""
    app, predict = Flask("peer"), Task.read().load()

    @app.post("/predict")
    def answer() -> Response:
        return jsonify({"probabilities": predict(np.array(request.get_json()["instances"])).tolist()})

    @app.post("/raw")
    def answer_raw() -> Response:
        return jsonify({"probabilities": predict(np.frombuffer(request.get_data(), np.uint8)).tolist()})

    return app
