"""The sealed receipt: the id of a prediction says what was predicted, when and by what, and nobody else can make one.

So a label can be joined days later on any replica, without a row kept per prediction. 43 bytes, 58 URL-safe characters:

    1 format, 8 subject, 6 milliseconds since 1970, 4 predicted class, 2 confidence, 6 nonce, 16 keyed BLAKE2b over all before

Beside a value, which takes the place of the class as a float of 4 bytes, there is no confidence: its two bytes are 0.

The nonce tells apart two equal predictions in the same millisecond.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

_OF_CLASS, _OF_VALUE = 1, 2
_BODY, _VALUE_BODY = struct.Struct(">B8sHIIH6s"), struct.Struct(">B8sHIfH6s")
_MAC_BYTES = 16
_LENGTH = _BODY.size + _MAC_BYTES
_NONCE_BYTES, _NONCES = 6, 512
_FILL = bytes(-_LENGTH % 3)
_STRIDE, _CHARACTERS = (_LENGTH + len(_FILL)) // 3 * 4, math.ceil(_LENGTH * 8 / 6)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True)
class Receipt:
    """What an id says. `mark` is unique to it: what is remembered when its label was counted. `predicted` is a class number or a value."""

    subject: bytes
    predicted_at: float
    predicted: float
    confidence: float
    mark: bytes


@dataclass(frozen=True)
class Seal:
    """Makes and opens ids with one secret key."""

    key: bytes
    _nonces: list[bytes] = field(default_factory=list, init=False, repr=False, compare=False)

    def close(self, subject: bytes, predicted_at: float, predicted: Sequence[int], confidences: Sequence[float]) -> list[str]:
        """The ids of predictions of classes. `subject` is 8 bytes, `predicted_at` seconds since 1970.

        >>> seal = Seal(b"secret")
        >>> receipt = seal.open(seal.close(b"12345678", 1.5, [7], [0.25])[0])
        >>> receipt.subject, receipt.predicted_at, receipt.predicted, round(receipt.confidence, 4)
        (b'12345678', 1.5, 7, 0.25)
        >>> seal.open("forged") is None, Seal(b"other").open(seal.close(b"12345678", 1.5, [7], [0.25])[0]) is None
        (True, True)
        """
        at, nonce = _milliseconds(predicted_at), self._nonce
        return self._close(
            [
                _BODY.pack(_OF_CLASS, subject, *at, number, round(confidence * 0xFFFF), nonce())
                for number, confidence in zip(predicted, confidences, strict=True)
            ]
        )

    def close_values(self, subject: bytes, predicted_at: float, predicted: Sequence[float]) -> list[str]:
        """The ids of predicted values, which are floats of 4 bytes.

        >>> seal = Seal(b"secret")
        >>> seal.open(seal.close_values(b"12345678", 1.5, [-2.5])[0]).predicted
        -2.5
        """
        at = _milliseconds(predicted_at)
        return self._close([_VALUE_BODY.pack(_OF_VALUE, subject, *at, value, 0, self._nonce()) for value in predicted])

    def open(self, text: str) -> Receipt | None:
        """What an id says, or None if this key did not make it."""
        try:
            data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        body, mac = data[: _BODY.size], data[_BODY.size :]
        if len(data) != _LENGTH or not hmac.compare_digest(mac, self._mac(body)) or _encode([data]) != [text]:
            return None
        _, subject, high, low, predicted, confidence, _ = (_VALUE_BODY if body[0] == _OF_VALUE else _BODY).unpack(body)
        return Receipt(subject, ((high << 32) + low) / 1000, predicted, confidence / 0xFFFF, mac)

    def _close(self, bodies: list[bytes]) -> list[str]:
        return _encode([body + self._mac(body) for body in bodies])

    def _mac(self, body: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(body)
        return keyed.digest()

    @cached_property
    def _keyed(self) -> hashlib.blake2b:
        """Copied for each id: half the time of beginning anew with the key."""
        return hashlib.blake2b(key=self.key[:64], digest_size=_MAC_BYTES)

    def _nonce(self) -> bytes:
        """Many are fetched at once: a fetch takes as long as all the rest of an id."""
        try:
            return self._nonces.pop()
        except IndexError:
            fetched = os.urandom(_NONCE_BYTES * _NONCES)
            self._nonces.extend(fetched[i : i + _NONCE_BYTES] for i in range(0, len(fetched), _NONCE_BYTES))
            return os.urandom(_NONCE_BYTES)


def mark_of(text: str) -> bytes:
    """The mark of an id that was made here, which is not opened for it.

    >>> seal = Seal(b"secret")
    >>> (made,) = seal.close(b"12345678", 1.5, [7], [0.25])
    >>> mark_of(made) == seal.open(made).mark
    True
    """
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[_BODY.size :]


def _milliseconds(seconds: float) -> tuple[int, int]:
    milliseconds = round(seconds * 1000)
    return milliseconds >> 32, milliseconds & 0xFFFFFFFF


def _encode(receipts: list[bytes]) -> list[str]:
    """All in one piece: what is filled up with zeros to whole groups of three bytes is four characters for each."""
    text = binascii.b2a_base64(b"".join([receipt + _FILL for receipt in receipts]), newline=False).translate(_URL_SAFE).decode("ascii")
    return [text[start : start + _CHARACTERS] for start in range(0, len(text), _STRIDE)]
