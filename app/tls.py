"""TLS: whether the certificate and the key can be used, told before anything is started."""

from __future__ import annotations

import ssl
from pathlib import Path

from app.settings import Settings
from models.errors import VeletaError


class _LockedError(Exception):
    """The key has a passphrase, and nobody is there to be asked for it."""


def check(settings: Settings) -> None:
    """Raise VeletaError unless both files are there, can be read and belong together, or neither is set."""
    certificate, key = settings.tls_cert, settings.tls_key
    if not certificate and not key:
        return
    if not certificate or not key:
        given, missing = ("tls_cert", "tls_key") if certificate else ("tls_key", "tls_cert")
        raise VeletaError(f"{given} is set and {missing} is not; give both, or neither to serve without TLS")
    for name, file in (("tls_cert", certificate), ("tls_key", key)):
        _check_readable(name, Path(file))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, _refuse)
    except _LockedError as error:
        raise VeletaError(f"the key {key} has a passphrase; write it without one, for example with `openssl pkey`") from error
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise VeletaError(f"the key {key} does not belong to the certificate {certificate}; give the one it was made with") from error
        raise VeletaError(f"{certificate} and {key} are no certificate and key in PEM form; check tls_cert and tls_key") from error


def _check_readable(name: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise VeletaError(f"{name} {path} cannot be read: {error.strerror}; give another file with --{name.replace('_', '-')}") from error


def _refuse() -> str:
    raise _LockedError
