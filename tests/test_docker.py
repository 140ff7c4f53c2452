"""The image's steps without an engine: the same installation, user, environment and health check, on a root that cannot be written."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.store import Store
from tests.compiler import compiled
from tests.live_server import ROOT, clean_environment, free_port, wait_for

DOCKERFILE = (ROOT / "Dockerfile").read_text()
NOBODY = 10001


def interpreter() -> str:
    """The system's Python where it will do: another user can run it, unlike one in somebody's home folder."""
    probe = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    system = "/usr/bin/python3"
    fits = Path(system).exists() and subprocess.run([system, "-c", probe], capture_output=True, check=False).returncode == 0
    return system if fits else sys.executable


def environment() -> dict[str, str]:
    """The ENV lines of the serving stage."""
    (lines,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)
    return dict(part.split("=", 1) for part in lines.replace("\\\n", " ").split())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build stage makes: a plain environment with the base install."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("image") / "veleta"
    for name in ("app", "monitoring", "training", "veleta"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (source / "models").mkdir()
    for file in [*(ROOT / "models").glob("*.py")]:
        shutil.copy(file, source / "models")
    for name in ("pyproject.toml", "constraints.txt", "README.md"):
        shutil.copy(ROOT / name, source)
    subprocess.run([interpreter(), "-m", "venv", target], check=True)
    (install,) = re.findall(r"^RUN /opt/veleta/bin/pip (install .*)$", DOCKERFILE, re.MULTILINE)
    subprocess.run([target / "bin/pip", *shlex.split(install), "--quiet", "--disable-pip-version-check"], cwd=source, check=True)
    return target


def test_the_image_has_no_tensorflow_and_is_small(installed: Path) -> None:
    packages = {path.name.lower() for path in installed.glob("lib/python*/site-packages/*")}

    assert not packages & {"tensorflow", "keras", "onnx", "h5py", "scipy", "pandas"}
    size = sum(path.stat().st_size for path in installed.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < 300e6


@compiled(interpreter())
def test_the_image_has_what_is_written_in_c_and_the_driver(installed: Path) -> None:
    ran = subprocess.run(
        [installed / "bin/python", "-c", "import app.octets, monitoring.signals.distance, psycopg"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


@pytest.fixture
def container(installed: Path, store: Store, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The CMD as the image's user, with a store that is read-only and nothing to write but the state."""
    state, port = tmp_path / "state", free_port()
    state.mkdir()
    as_root = os.geteuid() == 0 and interpreter() != sys.executable
    if as_root:
        os.chown(state, NOBODY, NOBODY)
        for folder in [*tmp_path.parents, tmp_path, store.root, *installed.parents]:
            if folder.name.startswith(("pytest-", "popen-", "test_", "image")):
                folder.chmod(folder.stat().st_mode | 0o055)
    settings = environment() | {"VELETA_HOST": "127.0.0.1", "VELETA_STORE": str(store.root), "VELETA_STATE": str(state)}
    settings |= {"VELETA_PORT": str(port), "PATH": f"{installed}/bin:{os.environ['PATH']}"}
    kept = {name: value for name, value in clean_environment().items() if name != "PYTHONPATH"}
    (command,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            json.loads(command), cwd="/", env=kept | settings, stdout=output, stderr=output,
            **({"user": NOBODY, "group": NOBODY, "extra_groups": []} if as_root else {}),
        )  # fmt: skip
    try:
        wait_for(lambda: process.poll() is not None or healthy(installed, port), 30, log.read_text)
        assert process.poll() is None, log.read_text()
        yield port, state
    finally:
        process.terminate()
        process.wait(timeout=60)


def healthy(installed: Path, port: int) -> bool:
    """The HEALTHCHECK, with the port of the test."""
    (check,) = re.findall(r"HEALTHCHECK.*\\\n +CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    command = json.loads(check.replace(":8000/", f":{port}/"))
    return subprocess.run([installed / "bin/python", *command[1:]], capture_output=True, check=False).returncode == 0


def test_it_serves_as_its_own_user_from_a_store_that_it_cannot_write(container: tuple[int, Path], store: Store) -> None:
    port, state = container
    listed = json.loads(subprocess.check_output(["curl", "-s", f"http://127.0.0.1:{port}/samples/digits8?count=1"]))
    subprocess.run(["curl", "-s", "-o", state.parent / "0.png", f"http://127.0.0.1:{port}{listed['samples'][0]['image']}"], check=True)
    answer = subprocess.check_output(["curl", "-s", "--data-binary", f"@{state.parent}/0.png", f"http://127.0.0.1:{port}/predict"])
    page = subprocess.check_output(["curl", "-s", f"http://127.0.0.1:{port}/"]).decode()

    assert json.loads(answer)["model"] == "digits8"
    assert "<html" in page
    assert (state / "secret").stat().st_mode & 0o777 == 0o600
    assert not (store.root / ".veleta").exists()
