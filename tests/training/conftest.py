"""What the tests of training share: a few hundred digits, a network that fits them in seconds, and a version trained with the command."""

from __future__ import annotations

import json
from typing import Any

import pytest

from models.store import Published
from tests.training.runs import SMALL, Run, veleta_train
from training.quiet import load_keras_quietly

load_keras_quietly()


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
