"""`veleta predict`: labels of files, by a real server; and one sentence for everything that goes wrong."""

from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.store import Store
from tests.app.test_predict import npy, png
from tests.live_server import LiveServer, clean_environment, free_port, running
from tests.small_models import Data


def veleta(*words: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "veleta", "predict", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_environment(), check=False)


@pytest.fixture
def files(digits8: Data, tmp_path: Path) -> dict[str, Path]:
    contents = {
        "zero.png": png(digits8.test_x[0]),
        "many.npy": npy(digits8.test_x[:3]),
        "many.json": json.dumps({"instances": digits8.test_x[:3].tolist()}).encode(),
        "raw": digits8.test_x[0].tobytes(),
        "broken.png": png(digits8.test_x[0])[:-20],
        "flower.json": b'[[5.1, 3.5, 1.4, 0.2]]',
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


def test_each_file_gets_its_labels(server: LiveServer, files: dict[str, Path], shelf: Path) -> None:
    wanted = server.post("/predict", data=files["many.npy"].read_bytes()).json()["predictions"]

    done = veleta(files["zero.png"], files["many.npy"], files["many.json"], files["raw"], "--url", server.url)

    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [Path(name).name for name, _, _ in lines] == ["zero.png", *["many.npy"] * 3, *["many.json"] * 3, "raw"]
    expected = [wanted[0], *wanted, *wanted, wanted[0]]
    assert [(label, confidence) for _, label, confidence in lines] == [(p["label"], f"{p['confidence']:.4f}") for p in expected]


def test_json_is_one_object_with_the_ids(server: LiveServer, files: dict[str, Path]) -> None:
    done = veleta(files["zero.png"], files["many.json"], "--url", f"{server.url}/", "--model", "digits8", "--json")

    data = json.loads(done.stdout)
    assert [len(answer["predictions"]) for answer in data["files"]] == [1, 3]
    assert {answer["model"] for answer in data["files"]} == {"digits8"}
    labels = [{"id": p["id"], "label": p["label"]} for answer in data["files"] for p in answer["predictions"]]
    assert server.post("/feedback", json={"feedback": labels}).json()["matched"] == 4


def test_another_model(server: LiveServer, files: dict[str, Path]) -> None:
    assert veleta(files["flower.json"], "--url", server.url, "--model", "iris").stdout.split("\t")[1] == "setosa"


class _Stranger(http.server.BaseHTTPRequestHandler):
    """Something that speaks HTTP and is no Veleta."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def stranger() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), _Stranger) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


@pytest.mark.parametrize(
    ("name", "flags", "sentence"),
    [
        ("broken.png", [], "broken.png: the PNG image is damaged or cut off; send the whole file"),
        ("nothing.png", [], "nothing.png cannot be read: No such file or directory"),
        ("", [], "cannot be read: Is a directory"),
        ("zero.png", ["--model", "nothing"], "zero.png: there is no model 'nothing'; there is digits8, iris"),
        ("zero.png", ["--model", "../../x y"], "'../../x y' cannot be a model's name"),
        ("zero.png", ["--timeout", "-1"], "--timeout is -1, expected seconds"),
        ("zero.png", ["--key-file", __file__], "holds more than one line"),
        ("zero.png", ["--url", "ftp://127.0.0.1"], "--url is 'ftp://127.0.0.1', expected an address as http://127.0.0.1:8000"),
        ("zero.png", ["--url", "127.0.0.1:8000"], "--url is '127.0.0.1:8000', expected an address"),
        ("zero.png", ["--url", "http://127.0.0.1:99999"], "expected an address"),
        ("zero.png", ["--key-file", "nowhere"], "nowhere cannot be read"),
    ],
)
def test_what_goes_wrong_is_one_sentence(server: LiveServer, files: dict[str, Path], name: str, flags: list[str], sentence: str) -> None:
    done = veleta(files["raw"].parent / name, "--url", server.url, *flags)

    assert done.returncode == 1
    assert done.stderr.startswith("veleta: ")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_server_there(files: dict[str, Path]) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    done = veleta(files["raw"], "--url", url)

    assert done.returncode == 1
    assert (
        done.stderr
        == f"veleta: no server answers at {url} (Connection refused); start one with `veleta serve`, or name another with --url\n"
    )


def test_something_else_there(files: dict[str, Path], stranger: str) -> None:
    done = veleta(files["raw"], "--url", stranger)

    assert done.returncode == 1
    assert "is no Veleta (status 200)" in done.stderr


def test_the_key_is_sent(store: Store, files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"anna {hashlib.sha256(b'secret').hexdigest()}\n")
    (tmp_path / "key").write_text("secret\n")
    with running(store.root, "--api-keys-file", str(tmp_path / "keys"), "--workers", "1") as server:
        assert "needs an API key" in veleta(files["raw"], "--url", server.url).stderr
        assert veleta(files["raw"], "--url", server.url, "--key-file", tmp_path / "key").returncode == 0


def test_usage() -> None:
    assert veleta().returncode == 2
