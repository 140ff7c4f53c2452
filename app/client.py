"""A client in the standard library: sends files to a server and gives back what it says."""

from __future__ import annotations

import http.client
import json
import mimetypes
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from models.errors import VeletaError
from models.store import check_name

_HELP = "start one with `veleta serve`, or name another with --url"


def ask(url: str, model: str, files: Iterable[Path], key: str = "", timeout_seconds: float = 60.0) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each file with the server's answer to it. `model` may be empty: the default one.

    Raises VeletaError with one sentence: no server there, a file that cannot be read, or what the server says.
    """
    base = _split(url)
    if not timeout_seconds > 0:
        raise VeletaError(f"--timeout is {timeout_seconds:g}, expected seconds, more than 0")
    if not (key.isascii() and key.isprintable()):
        raise VeletaError("the file of the API key holds more than one line of plain text; put the key there and nothing else")
    path = f"{base.path.rstrip('/')}/predict" + (f"/{check_name(model)}" if model else "")
    connect = http.client.HTTPSConnection if base.scheme == "https" else http.client.HTTPConnection
    connection = connect(base.netloc, timeout=timeout_seconds)
    try:
        for file in files:
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            headers = {"Content-Type": kind, "Accept": "application/json"} | ({"X-API-Key": key} if key else {})
            yield file, _answer(connection, url, path, file, headers)
    finally:
        connection.close()


def in_words(prediction: dict[str, Any]) -> str:
    """A prediction on a line: the label and its confidence; or the value and its interval, if it has one.

    >>> in_words({"label": "7", "confidence": 0.998}), in_words({"value": 3.25, "lower": 2.0, "upper": 4.5})
    ('7\\t0.9980', '3.25\\t2 to 4.5')
    """
    if "label" in prediction:
        return f"{prediction['label']}\t{prediction['confidence']:.4f}"
    interval = f"\t{prediction['lower']:.6g} to {prediction['upper']:.6g}" if "lower" in prediction else ""
    return f"{prediction['value']:.6g}{interval}"


def read(path: Path) -> bytes:
    """A file's bytes. Raises VeletaError that names it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise VeletaError(f"{path} cannot be read: {error.strerror}; name a file that can") from error


def _split(url: str) -> SplitResult:
    try:
        base = urlsplit(url)
        fits = base.scheme in ("http", "https") and bool(base.hostname) and (base.port is None or base.port > 0)
    except ValueError:
        fits = False
    if not fits:
        raise VeletaError(f"--url is {url!r}, expected an address as http://127.0.0.1:8000")
    return base


def _answer(connection: http.client.HTTPConnection, url: str, path: str, file: Path, headers: dict[str, str]) -> dict[str, Any]:
    body = read(file)
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        text = response.read()
    except TimeoutError as error:
        raise VeletaError(f"{url} did not answer in {connection.timeout:g} seconds; try again, or allow more with --timeout") from error
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise VeletaError(f"no server answers at {url} ({why}); {_HELP}") from error
    return _read(text, response.status, url, file)


def _read(text: bytes, status: int, url: str, file: Path) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if isinstance(data, dict) and status != 200 and isinstance(data.get("error"), str):
        raise VeletaError(f"{file}: {data['error']}")
    if not isinstance(data, dict) or status != 200 or not isinstance(data.get("predictions"), list):
        raise VeletaError(f"what answers at {url} is no Veleta (status {status}); {_HELP}")
    return data
