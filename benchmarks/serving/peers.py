"""The rivals: how each is installed, started and asked. One that cannot be had is reported and never stops the run."""

from __future__ import annotations

import base64
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.serving.cells import CELLS, Turns, rows_of
from benchmarks.serving.load import Post, answers
from benchmarks.serving.model import Model
from benchmarks.serving.processes import CACHE, ROOT, NotServing, environment, free_port, gunicorn_asgi, serving

_LISTS = ROOT / "benchmarks" / "peers"
_INSTALL_SECONDS = 600
Rows = NDArray[np.uint8]


class NotInstalled(Exception):
    """An environment that cannot be made; the message is the end of pip's."""


@dataclass(frozen=True)
class Peer:
    """`json` and `binary` make a request of rows. Ours are the servers that need only what Veleta needs."""

    title: str
    json: Callable[[list[Rows]], Post]
    binary: Callable[[list[Rows]], Post]
    command: Callable[[int, int], list[str]] | None = None
    own_environment: bool = True


def _posts(path: str, write: Callable[[Rows], bytes], **more: Any) -> Callable[[list[Rows]], Post]:
    return lambda groups: Post(path, tuple(map(write, groups)), len(groups[0]), **more)


def _named(key: str) -> Callable[[Rows], bytes]:
    return lambda rows: orjson.dumps({key: rows.tolist()})


def _octets(path: str) -> Callable[[list[Rows]], Post]:
    return _posts(path, lambda rows: rows.tobytes(), content_type="application/octet-stream")


def _tensor(rows: Rows, **more: Any) -> dict[str, Any]:
    return {"name": "image", "shape": list(rows.shape), "datatype": "UINT8"} | more


def _v2(rows: Rows) -> bytes:
    return orjson.dumps({"inputs": [_tensor(rows, data=rows.ravel().tolist())]})


def _v2_binary(groups: list[Rows]) -> Post:
    head = orjson.dumps({"inputs": [_tensor(groups[0], parameters={"binary_data_size": groups[0].nbytes})]})
    bodies = tuple(head + rows.tobytes() for rows in groups)
    sizes = (("Inference-Header-Content-Length", str(len(head))),)
    return Post(_V2, bodies, len(groups[0]), "application/octet-stream", sizes)


def _texts(rows: Rows) -> list[str]:
    return [base64.b64encode(row.tobytes()).decode() for row in rows]


def _v2_base64(rows: Rows) -> bytes:
    text = {"shape": [len(rows), 1], "datatype": "BYTES", "parameters": {"content_type": "base64"}, "data": _texts(rows)}
    return orjson.dumps({"inputs": [_tensor(rows) | text]})


def _gunicorn_sync(port: int, cores: int) -> list[str]:
    options = ["--worker-class", "sync", "--workers", str(cores), "--no-control-socket", "--log-level", "warning"]
    return ["-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}", "benchmarks.peers.flask:create_app()"]


_V2 = "/v2/models/model/infer"
PEERS: Mapping[str, Peer] = {
    "pytriton": Peer("PyTriton (Triton, Python backend)", _posts(_V2, _v2), _v2_binary),
    "litserve": Peer("LitServe", _posts("/predict", _named("instances")), _octets("/predict")),
    "kserve": Peer("KServe server", _posts("/v1/models/model:predict", _named("instances")), _v2_binary),
    "mlserver": Peer("MLServer", _posts(_V2, _v2), _posts(_V2, _v2_base64)),
    "bentoml": Peer("BentoML", _posts("/predict", _named("rows")), _posts("/raw", lambda rows: orjson.dumps({"images": _texts(rows)}))),
    "asgi": Peer(
        "ASGI, nothing but one call a request",
        _posts("/", _named("instances")),
        _octets("/"),
        partial(gunicorn_asgi, "benchmarks.peers.asgi:app"),
        own_environment=False,
    ),
    "flask": Peer(
        "Flask, sync, one call a request", _posts("/predict", _named("instances")), _octets("/raw"), _gunicorn_sync, own_environment=False
    ),
}


@contextlib.contextmanager
def running(name: str, model: Model, cores: int) -> Iterator[Turns]:
    """A peer that answers rightly, installed if need be. Raises NotInstalled or NotServing."""
    peer, port = PEERS[name], free_port()
    sent = posts(peer, model)
    python = python_of(name) if peer.own_environment else Path(sys.executable)
    command: list[str | Path] = [python, *(peer.command(port, cores) if peer.command else ["-m", f"benchmarks.peers.{name}"])]
    with tempfile.TemporaryDirectory(prefix=f"veleta-{name}-") as folder:
        homes = {"BENTOML_HOME": folder, "PYTRITON_HOME": folder, "BENTOML_DO_NOT_TRACK": "True"}
        environ = environment(BENCHMARK_TASK=_task(model, port, cores), **homes)
        with serving(command, port, lambda: answers(port, sent["json_1"], model.expected), Path(folder), environ) as server:
            for cell in CELLS:
                if not answers(port, sent[cell], model.expected):
                    raise NotServing(f"{cell} is not answered rightly")
            yield Turns(server, sent)


def posts(peer: Peer, model: Model) -> dict[str, Post]:
    return {cell: (peer.json if cell.startswith("json") else peer.binary)(model.groups(rows_of(cell))) for cell in CELLS}


def python_of(name: str) -> Path:
    """The interpreter of a peer's own environment, made from its pinned list, and anew when the list changes. Raises NotInstalled."""
    pinned = _LISTS / f"{name}.txt"
    return _environment(name, [pinned], ["--requirement", pinned])


def python_of_all() -> Path:
    """An interpreter with Veleta that is of the same build as those of the peers. Raises NotInstalled.

    Builds differ: one of Python 3.11 without profile-guided optimization took a third more time for Veleta's own part of a request.
    """
    if Path(sys.base_prefix) == _base_python().parent.parent:
        return Path(sys.executable)
    constraints = ROOT / "constraints.txt"
    wanted: list[str | Path] = ["--constraint", constraints, "--editable", ROOT, "pip"]  # which installs the peers
    return _environment("veleta", [ROOT / "pyproject.toml", constraints], wanted)


def _environment(name: str, files: list[Path], wanted: list[str | Path]) -> Path:
    """The interpreter of an environment in which that is installed, made anew when one of the files changes."""
    home = CACHE / "envs" / name
    made, content = home / ".made-from.txt", "\n".join(file.read_text(encoding="utf-8") for file in files)
    if not made.exists() or made.read_text(encoding="utf-8") != content:
        print(f"Installing {name} into its own environment.", file=sys.stderr, flush=True)
        shutil.rmtree(home, ignore_errors=True)
        _run([_base_python(), "-m", "venv", "--without-pip", home])
        _run(
            [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", "--quiet", "--disable-pip-version-check", *wanted]
        )
        made.write_text(content, encoding="utf-8")
    return home / "bin" / "python"


def _base_python() -> Path:
    """The distribution's Python if it is one of ours: Triton carries a library of Python that fits only that one."""
    ours = Path(f"/usr/bin/python3.{sys.version_info.minor}")
    return ours if ours.exists() else Path(sys.executable)


def _run(command: list[str | Path]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        raise NotInstalled(error.stderr.strip()[-300:]) from error
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"not installed within {_INSTALL_SECONDS} s") from error


def _task(model: Model, port: int, cores: int) -> str:
    told = {"model": str(model.path), "input": model.input, "shape": model.shape, "classes": len(model.published.manifest.classes)}
    return orjson.dumps(told | {"port": port, "cores": cores}).decode()
