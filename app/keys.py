"""API keys: who may ask what. The file holds digests, so whoever reads it cannot ask anything.

One key a line: its holder's name, the SHA-256 of the key, and if wanted the groups of routes it opens and the last day (UTC) it does:

    anna   5f2d…   predict,feedback   2027-06-30

A name may stand in several lines, so that a key can be changed without a gap. A key has enough random bits that a slow digest
would only slow the server down.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from models.errors import VeletaError

GROUPS = ("predict", "feedback", "watch", "admin")
_BY_DEFAULT = frozenset({"predict", "feedback", "watch"})
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_OF_NOTHING = hashlib.sha256().digest()
_MAKE_ONE = "write what `printf %s KEY | sha256sum` prints"
_LONGEST = 1024
_LOOK_SECONDS = 1.0
_log = logging.getLogger("veleta.keys")


@dataclass(frozen=True)
class Key:
    """What one line of the file says."""

    name: str
    digest: bytes
    groups: frozenset[str] = _BY_DEFAULT
    until: date | None = None

    @property
    def expired(self) -> bool:
        return self.until is not None and datetime.now(UTC).date() > self.until


def read(path: Path) -> dict[bytes, Key]:
    """The keys of a file by digest. Raises VeletaError that names the line and never says what stands where a key should."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise VeletaError(f"the file of API keys {path} cannot be read: {why}; choose another with --api-keys-file FILE") from error
    keys: dict[bytes, Key] = {}
    for number, line in enumerate(lines, 1):
        if fields := line.partition("#")[0].split():
            key = _parse(fields, f"line {number} of {path}")
            if key.digest in keys:
                raise VeletaError(f"line {number} of {path} has the same key as another line; leave one of them out")
            keys[key.digest] = key
    return keys


def check(path: Path) -> None:
    """Raise VeletaError if nobody could ever ask anything."""
    if not read(path):
        raise VeletaError(f"the file of API keys {path} has no keys, so nobody could ask anything; add a line `NAME SHA256` for each")


def _parse(fields: list[str], where: str) -> Key:
    if len(fields) > 4:
        raise VeletaError(f"{where} has {len(fields)} fields, expected NAME SHA256 [GROUP,GROUP…] [YYYY-MM-DD]")
    if not _NAME.fullmatch(fields[0]):
        raise VeletaError(f"{where} has a name that does not match {_NAME.pattern}; it stands first, and the digest of the key second")
    if len(fields) < 2 or not _DIGEST.fullmatch(fields[1]):
        raise VeletaError(f"{where} has no SHA-256 of 64 hexadecimal digits after the name; {_MAKE_ONE}")
    if (digest := bytes.fromhex(fields[1])) == _OF_NOTHING:
        raise VeletaError(f"{where} has the digest of an empty key; {_MAKE_ONE} with KEY set")
    groups = _groups(fields[2], where) if len(fields) > 2 else _BY_DEFAULT
    return Key(fields[0], digest, groups, _date(fields[3], where) if len(fields) > 3 else None)


def _groups(field: str, where: str) -> frozenset[str]:
    groups = frozenset(field.split(","))
    if unknown := groups - set(GROUPS):
        raise VeletaError(f"{where} has the unknown group {min(unknown)!r}; the groups are {','.join(GROUPS)}")
    return groups


def _date(field: str, where: str) -> date:
    try:
        return date.fromisoformat(field)
    except ValueError as error:
        raise VeletaError(f"{where} has the last day {field!r}, expected YYYY-MM-DD") from error


class Keys:
    """The keys in force. The file is read again within a second of a change; while it is wrong, what it said before holds."""

    def __init__(self, path: Path, admin_token: str) -> None:
        self._path = path
        digest = hashlib.sha256(admin_token.encode()).digest()
        self._admin = {digest: Key("admin", digest, frozenset(GROUPS))} if admin_token else {}
        self._seen = self._stamp()
        self._keys = read(path) | self._admin
        self._looked_at = time.monotonic()

    def find(self, given: str) -> Key | None:
        """The key that was given (as Latin-1 text, as headers are), if it is one.

        Only digests are compared, whose bits nobody can choose, by a hash with a secret seed and then in constant time.
        """
        self._look()
        if not given or len(given) > _LONGEST:
            return None
        digest = hashlib.sha256(given.encode("latin-1", "replace")).digest()
        found = self._keys.get(digest)
        return found if found and hmac.compare_digest(found.digest, digest) else None

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        if (stamp := self._stamp()) != self._seen:
            self._seen = stamp
            try:
                self._keys = read(self._path) | self._admin
            except VeletaError as error:
                _log.error("the keys read before stay in force: %s", error)
            else:
                _log.info("read %d API keys", len(self._keys) - len(self._admin))

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino
