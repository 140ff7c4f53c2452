"""TLS with a certificate of our own, and everything that can be wrong with one."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import requests

from app import tls
from app.settings import Settings, resolve
from models.errors import VeletaError
from models.store import Store
from tests.app.test_accepting import held
from tests.app.test_server import veleta
from tests.live_server import LiveServer, free_port, wait_for
from tests.small_models import Data

pytestmark = pytest.mark.timeout(120)


def make(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    return certificate, key


class SecureServer(LiveServer):
    """A server that is asked over https, and believed only with the certificate that it was given."""

    def __init__(self, store: Path, certificate: Path, key: Path, *flags: str) -> None:
        self._trusted = str(certificate)
        super().__init__(store, "--tls-cert", str(certificate), "--tls-key", str(key), *flags)

    def _ready(self) -> bool:
        self.url, self.session.verify = f"https://127.0.0.1:{self.port}", self._trusted
        self.session.trust_env = False  # certificates that the environment names would go before ours
        return super()._ready()


def test_predictions_over_tls_of_all_sizes_and_others_are_refused(store: Store, digits8: Data, tmp_path: Path) -> None:
    certificate, key = make(tmp_path, "ours")
    state = tmp_path / "state"
    server = SecureServer(store.root, certificate, key, "--workers", "2", "--state", str(state))
    try:
        for rows in (1, 100, 700):
            for _ in range(10):
                answer = server.post("/predict/digits8", data=np.ascontiguousarray(digits8.test_x[:rows]).tobytes())
                assert len(answer.json()["predictions"]) == rows
        assert server.get("/").status_code == 200
        stranger, _ = make(tmp_path, "other")
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(server.url + "/healthz", verify=str(stranger), timeout=5)
        _speak_plainly(server)
        _speak_what_is_too_old(server)
        assert server.get("/healthz").json() == {"live": True}
        server.session.close()
        wait_for(lambda: set(held(state).values()) == {0})  # whoever did not come to terms is no longer counted
        assert server.stop() == 0
        log = server.log.read_text()
    finally:
        server.stop()

    assert f"on https://127.0.0.1:{server.port}" in log
    assert "Traceback" not in log


def _speak_plainly(server: LiveServer) -> None:
    for nonsense in (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 100, b""):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                assert b"live" not in connection.recv(4096)


def _speak_what_is_too_old(server: LiveServer) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection, pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(connection)


def test_a_slow_handshake_holds_nobody_up(store: Store, tmp_path: Path) -> None:
    server = SecureServer(store.root, *make(tmp_path, "ours"), "--workers", "1")
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(30)]
    try:
        assert server.get("/healthz").status_code == 200
    finally:
        for connection in silent:
            connection.close()
        server.stop()


def test_a_slow_reader_gets_all_of_its_answer_although_the_connection_is_closed_after(store: Store, digits8: Data, tmp_path: Path) -> None:
    body = np.resize(digits8.test_x, (40_000, 8, 8, 1)).tobytes()
    certificate, key = make(tmp_path, "ours")
    server = SecureServer(store.root, certificate, key, "--workers", "1", "--max-rows", "50000")
    try:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        plain.connect(("127.0.0.1", server.port))
        context = ssl.create_default_context(cafile=str(certificate))
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            connection.sendall(
                b"POST /predict/digits8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            said = connection.recv(1024)
            time.sleep(3.5)
            while part := connection.recv(65536):
                said += part
        length = int(said.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert len(said.partition(b"\r\n\r\n")[2]) == length > 8_000_000
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10
    finally:
        server.stop()


Spoil = Callable[[Path, Path], tuple[str, str]]


def _same(certificate: Path, key: Path) -> tuple[str, str]:
    return str(certificate), str(key)


def _with_passphrase(certificate: Path, key: Path) -> tuple[str, str]:
    locked = key.with_name("locked.key")
    subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked], check=True, capture_output=True)
    return str(certificate), str(locked)


WRONG: dict[str, tuple[Spoil, str]] = {
    "no key": (lambda c, k: (str(c), ""), "tls_cert is set and tls_key is not; give both, or neither to serve without TLS"),
    "no certificate": (lambda c, k: ("", str(k)), "tls_key is set and tls_cert is not"),
    "no file": (lambda c, k: ("nowhere.crt", str(k)), "tls_cert nowhere.crt cannot be read: No such file or directory; give another file"),
    "a folder": (lambda c, k: (str(c), str(k.parent)), "cannot be read: Is a directory; give another file with --tls-key"),
    "the key of another": (lambda c, k: (str(c), str(make(c.parent, "other")[1])), "other.key does not belong to the certificate"),
    "the other way round": (lambda c, k: (str(k), str(c)), "are no certificate and key in PEM form; check tls_cert and tls_key"),
    "nonsense": (lambda c, k: (c.write_text("x") and str(c), str(k)), "are no certificate and key in PEM form"),
    "a passphrase": (_with_passphrase, "locked.key has a passphrase; write it without one, for example with `openssl pkey`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_used_is_told_in_a_sentence(tmp_path: Path, case: str) -> None:
    spoil, sentence = WRONG[case]
    certificate, key = spoil(*make(tmp_path, "ours"))

    with pytest.raises(VeletaError) as error:
        tls.check(resolve({"tls_cert": certificate, "tls_key": key}, {}, {})[0])

    assert sentence in str(error.value)


def test_a_good_pair_and_none_at_all_are_fine(tmp_path: Path) -> None:
    certificate, key = make(tmp_path, "ours")

    for settings in (Settings(), resolve({"tls_cert": str(certificate), "tls_key": str(key)}, {}, {})[0]):
        assert tls.check(settings) is None, "it raises for a pair that cannot be used"


def test_it_is_told_before_anything_starts(store: Store) -> None:
    result = veleta(
        store.root, "serve", "--store", str(store.root), "--port", str(free_port()), "--tls-cert", "nowhere.crt", "--tls-key", "x"
    )

    assert result.returncode == 1
    assert result.stderr.startswith("veleta: tls_cert nowhere.crt cannot be read")
