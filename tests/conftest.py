"""What all tests share: small real models on a shelf, and a real server over it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its threads wait by spinning, beside other workers of the test run

import pytest
from xdist.scheduler import LoadFileScheduling

from models.store import Store
from tests import small_models
from tests.live_server import LiveServer, running
from tests.made import Made, make_run
from tests.small_models import Data

#: Files of which a divided run has all in one process, and begins with them: they share something that takes minutes to make, or are not
#: to run beside each other, as tests of what hangs and a benchmark that takes every processor.
_TOGETHER = {
    "made": ("test_loop.py", "test_readme.py"),
    "trained": ("test_card.py", "test_command.py", "test_fitted.py", "test_published.py"),
    "loaded": ("test_hanging.py", "test_benchmarks.py"),
}
#: Those that take longest of the rest: those of the training group, of the serving group, of those outside. Each process
#: that has two tests or fewer is given a second file at once.
_LONG = (
    *("test_folds.py", "test_diagnosis_benchmark.py", "test_agreement.py", "test_attempt.py", "test_diagnosis_repair.py", "test_search.py"),
    *("test_server.py", "test_watching.py", "test_logging.py", "test_prometheus.py", "test_verdict.py", "test_docker.py"),
    *("test_prometheus_rules.py", "test_tracing.py", "test_connection.py", "test_evidence.py", "test_incidents.py", "test_rates.py"),
    *("test_schemathesis.py", "test_scenes.py", "test_look.py", "test_values.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first: whoever begins with it last keeps the other processes waiting."""
    first = [file for files in _TOGETHER.values() for file in files] + list(_LONG)
    items.sort(key=lambda item: first.index(item.path.name) if item.path.name in first else len(first))


class FilesTogether(LoadFileScheduling):
    """Tests of a file go to one process, since they share a server or a model; some files go together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return next((name for name, files in _TOGETHER.items() if Path(file).name in files), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether:
    """In place of `--dist loadgroup`, whose marks pytest 9.2 no longer hands on."""
    return FilesTogether(config, log)


@pytest.fixture(scope="session")
def digits8() -> Data:
    return small_models.small_digits()


@pytest.fixture(scope="session")
def shelf(digits8: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with digits8/1 (live), digits8/2 and iris/1. Not to be written: see `store`."""
    root = tmp_path_factory.mktemp("shelf") / "store"
    store = Store(root)
    small_models.publish(store, "digits8", digits8, root.parent / "a")
    small_models.publish(store, "digits8", digits8, root.parent / "b", regularization=0.01)
    small_models.publish(store, "iris", small_models.iris(), root.parent / "c")
    return root


@pytest.fixture(scope="session")
def patients() -> Data:
    return small_models.diabetes()


@pytest.fixture(scope="session")
def other_shelf(patients: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of what is not images: diabetes/1, a regression of a table, and rows/1, classes of sequences of whole numbers."""
    root = tmp_path_factory.mktemp("other") / "store"
    small_models.publish(Store(root), "diabetes", patients, root.parent / "a")
    small_models.publish(Store(root), "rows", small_models.digit_rows("int32"), root.parent / "b")
    return root


@pytest.fixture
def store(shelf: Path, tmp_path: Path) -> Store:
    """A copy of the shelf that a test may change."""
    shutil.copytree(shelf, tmp_path / "store", ignore=shutil.ignore_patterns(".veleta"))
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def server(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with two workers and a fast tick, shared by the tests of a module."""
    root = tmp_path_factory.mktemp("served") / "store"
    shutil.copytree(shelf, root)
    with running(root, "--workers", "2", "--tick-seconds", "0.2") as found:
        yield found


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """`make run`, once for all tests that look at what comes of it."""
    with make_run(tmp_path_factory.mktemp("made")) as found:
        yield found
