"""What the tests of training share: a few hundred digits, a network that fits them in seconds, and a version trained with the command."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from models.store import Published
from tests.training.runs import SMALL, Run, veleta_train
from training.quiet import load_keras_quietly

load_keras_quietly()
from training.devices import in_full_float32  # noqa: E402  TensorFlow starts quietly first

collect_ignore_glob = ["write_with_*.py"]  # scripts that run with packages of their own


@pytest.fixture(scope="session", autouse=True)
def compared_with_all_bits() -> Iterator[None]:
    """Keras is the oracle of many tests, and on a GPU it would round."""
    with in_full_float32():
        yield


@pytest.fixture
def signals() -> Iterator[None]:
    """What signals do to this process, put back after a training in it has listened to them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A version of `digits` published by the command line, with --json."""
    return veleta_train(tmp_path_factory.mktemp("trained") / "store", "--json", "--set", *SMALL)


@pytest.fixture(scope="session")
def result(trained: Run) -> dict[str, Any]:
    assert trained.code == 0, trained.err
    parsed: dict[str, Any] = json.loads(trained.out)
    return parsed


@pytest.fixture(scope="session")
def published(trained: Run) -> Published:
    assert trained.code == 0, trained.err
    return trained.published
