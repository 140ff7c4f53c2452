"""JSON bodies: data, and the numbers in it as arrays."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.errors import BadInput

try:
    from app.octets import read as _read_octets
except ImportError:  # there was no C compiler: the same arrays, later

    def _read_octets(body: bytes, start: int, /) -> tuple[bytearray, tuple[int, ...], int] | None:
        return None


_MOST_AXES = 8
_SPACE = b" \t\n\r"
#: What may stand before the array of a request. In it is no other array or object, and no quote that is escaped: so this is a key.
_BEFORE = re.compile(rb"""[ \t\n\r]*(\{[^[{\\]{0,200}"(instances|inputs)"[ \t\n\r]*:[ \t\n\r]*)?(?=\[)""")


def read_json(body: bytes) -> Any:
    """JSON data. Raises BadInput with the place where it breaks."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "depth" in str(error):
            raise BadInput("the JSON is nested more than 1,000 deep; send arrays of the model's shape, or flat ones") from error
        raise BadInput(f"the body is not valid JSON: {error}") from error


def read_arrays(body: bytes) -> Any:
    """The same, but what is an array of octets, alone or as the `instances` or `inputs` of an object, as pixels are, never becomes a list:
    to make a Python object of each number takes most of the time. Raises BadInput.
    """
    data = _with_octets(body)
    return read_json(body) if data is None else data


def numbers(data: Any) -> NDArray[Any]:
    """The array that nested lists of numbers are. Raises BadInput."""
    if isinstance(data, np.ndarray):
        return data
    if not isinstance(data, list):
        raise BadInput(f"'instances' is {type(data).__name__}, expected a list of instances")
    if not data:
        raise BadInput("there are no instances, expected at least one", "shape")
    if (octets := _octets(data)) is not None:
        return octets
    try:
        array = np.array(data)
    except (ValueError, OverflowError) as error:
        raise BadInput("the instances are not all of one shape; make them so, or send one at a time", "shape") from error
    if array.dtype.kind not in "iuf":
        raise BadInput("the instances hold something that is not a number (text, true, null or an object), expected numbers")
    return array


def _with_octets(body: bytes) -> NDArray[np.uint8] | dict[str, Any] | None:
    """None if there is anything but octets, or anything after them."""
    before = _BEFORE.match(body)
    if before is None or (found := _read_octets(body, before.end())) is None:
        return None
    octets, shape, end = found
    head, name = before.groups()
    if body[end:].strip(_SPACE) != (b"}" if head else b""):
        return None
    array = np.frombuffer(octets, np.uint8).reshape(shape)
    if not head:
        return array
    try:
        return {**orjson.loads(head + b"0}"), name.decode(): array}
    except orjson.JSONDecodeError:
        return None


def _octets(data: list[Any]) -> NDArray[np.uint8] | None:
    """Lists of whole numbers from 0 to 255, as pixels are, in a fifth of the time of `np.array`; None if they are anything else."""
    rows, shape = [data], [len(data)]
    while type(rows[0][0]) is list and len(shape) < _MOST_AXES:
        rows = list(chain.from_iterable(rows))
        width = len(rows[0])
        if not width or any(type(row) is not list or len(row) != width for row in rows):
            return None
        shape.append(width)
    if type(rows[0][0]) is not int:  # also not if it is true or false, which a bytearray takes as well
        return None
    try:
        return np.frombuffer(b"".join(map(bytearray, rows)), np.uint8).reshape(shape)
    except (TypeError, ValueError):
        return None
