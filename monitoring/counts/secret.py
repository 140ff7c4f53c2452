"""The secret that signs ids: given, or made once and kept in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from models.errors import VeletaError

_FEWEST_BYTES = 16


def read_or_make(path: Path) -> bytes:
    """The secret in a file; if there is none, a new one of 32 bytes, written with mode 0600. Safe against a second maker."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(make())
            try:
                os.link(made, path)  # fails if another process was faster: then its secret is the one
            except FileExistsError:
                pass
            finally:
                made.unlink()
        return check(path.read_bytes().strip(), str(path))
    except OSError as error:
        raise VeletaError(f"the secret {path} cannot be read or made: {error.strerror}; choose another with --secret-file FILE") from error


def make() -> bytes:
    return secrets.token_hex(32).encode()


def check(secret: bytes, where: str) -> bytes:
    """The secret if it is long enough not to be guessed. Raises VeletaError."""
    if len(secret) < _FEWEST_BYTES:
        raise VeletaError(f"the secret in {where} has {len(secret)} bytes; give at least {_FEWEST_BYTES}, as `openssl rand -hex 32` prints")
    return secret
