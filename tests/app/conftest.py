"""The Flask app by itself, in this process, over a copy of the shelf."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.factory import create_app
from app.fast_lane import FastLane
from app.settings import resolve


@pytest.fixture(scope="module")
def flask_app(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    root = tmp_path_factory.mktemp("flask") / "store"
    shutil.copytree(shelf, root)
    flags = {"store": str(root), "max_body_bytes": 2_000_000, "max_rows": 800, "max_pixels": 1_000_000}
    app = create_app(resolve(flags, {}, {})[0])
    yield app
    app.extensions["veleta"].close()


@pytest.fixture(scope="module")
def lane(flask_app: Flask) -> FastLane:
    return FastLane(flask_app, 4)


@pytest.fixture
def client(flask_app: Flask) -> FlaskClient:
    return flask_app.test_client()
