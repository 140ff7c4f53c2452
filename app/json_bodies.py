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
_SPACES = b" \t\n\r"
_SPACE, _OCTETS = rb"[ \t\n\r]*", rb"(?=\[[ \t\n\r[]*[0-9])"
#: Where the array of a request begins: it is all there is, or has one of these names, which stand near the beginning.
_INSTANCES = re.compile(rb'(?:\A|"(instances|inputs)"%b:)%b%b' % (_SPACE, _SPACE, _OCTETS))
_DATA = re.compile(rb'"(data)"%b:%b%b' % (_SPACE, _SPACE, _OCTETS))
_NEAR_BYTES = 400
_KINDS = {dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number"}
#: Stands where the array was, in JSON and when that is read.
_MARK_JSON, _MARK = rb'"\u0000"', "\0"


def kind_of(value: Any) -> str:
    """What a value is called in JSON.

    >>> kind_of(None), kind_of({}), kind_of(True)
    ('null', 'an object', 'true')
    """
    return str(value).lower() if isinstance(value, bool) else _KINDS.get(type(value), "null")


def read_json(body: bytes) -> Any:
    """JSON data. Raises BadInput with the place where it breaks."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "depth" in str(error):
            raise BadInput("the JSON is nested more than 1,000 deep; send arrays of the model's shape, or flat ones") from error
        raise BadInput(f"the body is not valid JSON: {error}") from error


def read_instances(body: bytes) -> Any:
    """The same, but what is an array of octets, as pixels are, and is all there is, or the `instances` or `inputs` of an object, never
    becomes a list: to make a Python object of each number takes most of the time. Raises BadInput.
    """
    data = _with_octets(body, _INSTANCES)
    return read_json(body) if data is None else data


def read_tensors(body: bytes) -> Any:
    """The same for the `data` of the first of the `inputs` of an object. Raises BadInput."""
    data = _with_octets(body, _DATA)
    return read_json(body) if data is None else data


def numbers(data: Any) -> NDArray[Any]:
    """The array that nested lists of numbers are. Raises BadInput."""
    if isinstance(data, np.ndarray):
        return data
    if not isinstance(data, list):
        raise BadInput(f"'instances' is {kind_of(data)}, expected a list of instances")
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


def _with_octets(body: bytes, where: re.Pattern[bytes]) -> NDArray[np.uint8] | dict[str, Any] | None:
    """None if there is no such array, or anything is wrong."""
    place = where.search(body, 0, _NEAR_BYTES)
    if place is None or (found := _read_octets(body, place.end())) is None:
        return None
    octets, shape, end = found
    array = np.ndarray(shape, np.uint8, octets)
    if not place[1]:
        return array if end == len(body) else None
    if body[: place.start()].strip(_SPACES) == b"{" and body[end:].strip(_SPACES) == b"}":  # nothing else is said, as mostly
        return {place[1].decode(): array}
    before, after = body[: place.end()], body[end:]
    if _MARK_JSON in before or _MARK_JSON in after:
        return None
    try:
        data = orjson.loads(b"".join((before, _MARK_JSON, after)))
    except orjson.JSONDecodeError:
        return None
    return data if _put(array, place[1].decode(), data) else None


def _put(array: NDArray[np.uint8], name: str, data: Any) -> bool:
    """Put it where the mark is, if that is where it belongs."""
    holder = data
    if name == "data":
        inputs = data.get("inputs") if isinstance(data, dict) else None
        holder = inputs[0] if isinstance(inputs, list) and inputs else None
    if not isinstance(holder, dict) or holder.get(name) != _MARK:
        return False
    holder[name] = array
    return True


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
