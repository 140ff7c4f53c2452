"""Tensors of the Open Inference Protocol: numbers in JSON, or bytes behind the JSON (the binary tensor extension).

Bytes are little-endian, row-major and unpadded, in the order in which the JSON names the tensors; a text is its length as uint32 and then
its UTF-8. Which part of a body is JSON is said by a header and by nothing else.

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md;
https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import BadInput
from app.json_bodies import kind_of

#: Names of the datatypes that hold numbers.
NUMBERS = {
    "FP32": "<f4", "FP64": "<f8", "FP16": "<f2",
    "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
}  # fmt: skip
_NAMES = {np.dtype(code): name for name, code in NUMBERS.items()}
_MOST_DIMENSIONS = 32


def datatype(dtype: Any) -> str:
    """The protocol's name of a dtype of numbers or of text.

    >>> datatype("float32"), datatype(np.uint8), datatype(object)
    ('FP32', 'UINT8', 'BYTES')
    """
    return "BYTES" if np.dtype(dtype) == object else _NAMES[np.dtype(dtype)]


def split(body: bytes, header: str | None) -> tuple[bytes, bytes | None]:
    """The JSON of a body and the bytes behind it; None instead of bytes if the body is all JSON. Raises BadInput.

    >>> split(b"{}abc", "2"), split(b"{}", None)
    ((b'{}', b'abc'), (b'{}', None))
    """
    if header is None:
        return body, None
    length = int(header) if header.isdecimal() and len(header) < 20 else -1
    if not 0 <= length <= len(body):
        raise BadInput(f"Inference-Header-Content-Length is {header[:40]!r}, expected the bytes of JSON: 0 to {len(body)} in this request")
    return body[:length], body[length:]


def read_tensor(tensor: dict[str, Any], binary: bytes | None) -> NDArray[Any]:
    """The array of an input, out of its JSON or out of all the bytes that came behind it. Raises BadInput."""
    what = f"input {shown(tensor.get('name'))}"
    dtype, shape = _dtype(tensor.get("datatype"), what), _shape(tensor.get("shape"), what)
    size = parameters(tensor, what).get("binary_data_size")
    if ("data" in tensor) == (size is not None):
        raise BadInput(f"{what} must have either data or parameters.binary_data_size, and only one of them")
    if size is not None:
        return _from_bytes(binary or b"", size, dtype, shape, what)
    if binary:
        raise BadInput(f"unexpected additional input data: {len(binary)} bytes behind the JSON belong to no input")
    return _from_json(tensor["data"], tensor["datatype"], dtype, shape, what)


def write_json(values: NDArray[Any], what: str) -> NDArray[Any] | list[str]:
    """The values, flat, for JSON. Raises BadInput for what JSON cannot say."""
    if values.dtype == object:
        return [str(text) for text in values.ravel()]
    if not np.isfinite(values).all():
        raise BadInput(f"{what} holds NaN or an infinite value, which JSON cannot say; ask for it with the parameter binary_data: true")
    return np.ascontiguousarray(values).ravel()


def write_bytes(values: NDArray[Any]) -> bytes:
    """The values as they stand behind the JSON.

    >>> write_bytes(np.array(["ab", ""], object)).hex(), write_bytes(np.array([1], np.uint16)).hex()
    ('02000000616200000000', '0100')
    """
    if values.dtype != object:
        return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    texts = [str(text).encode() for text in values.ravel()]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def parameters(part: dict[str, Any], what: str) -> dict[str, Any]:
    """The parameters of the request, an input or an output; none if there are none. Raises BadInput."""
    found = part.get("parameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadInput(f"the parameters of {what} are {kind_of(found)}, expected an object")
    if "shared_memory_region" in found:
        raise BadInput(f"{what} lies in shared memory, which this server does not read or write; send and ask for data")
    return found


def shown(value: Any) -> str:
    """A value that a client sent, short enough for a sentence."""
    plain = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return repr(value[:64] if isinstance(value, str) else value) if plain else kind_of(value)


def _dtype(name: Any, what: str) -> np.dtype[Any]:
    if not isinstance(name, str) or name not in NUMBERS:
        raise BadInput(f"{what} has the datatype {shown(name)}, expected one of {', '.join(NUMBERS)}")
    return np.dtype(NUMBERS[name])


def _shape(shape: Any, what: str) -> tuple[int, ...]:
    if not isinstance(shape, list) or len(shape) > _MOST_DIMENSIONS or not all(type(size) is int and size >= 0 for size in shape):
        raise BadInput(f"{what} has no shape that is a list of whole numbers, expected one as in [1, 4]", "shape")
    if 0 in shape:
        raise BadInput("there are no instances, expected at least one", "shape")
    return tuple(shape)


def _from_bytes(binary: bytes, size: Any, dtype: np.dtype[Any], shape: tuple[int, ...], what: str) -> NDArray[Any]:
    wanted = math.prod(shape) * dtype.itemsize
    if type(size) is not int or size != wanted:
        raise BadInput(f"{what} has the binary_data_size {shown(size)}, its shape and datatype make {_short(wanted)}", "shape")
    if len(binary) < size:
        raise BadInput(f"{what} has {len(binary)} bytes behind the JSON, expected {size} by its binary_data_size", "shape")
    if len(binary) > size:
        raise BadInput(f"unexpected additional input data: {len(binary) - size} bytes behind the last input", "shape")
    return np.frombuffer(binary, dtype).reshape(shape)


def _from_json(data: Any, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], what: str) -> NDArray[Any]:
    """Nested or flat: the order of the numbers is the same."""
    if name == "FP16":
        raise BadInput(f"{what} is FP16, which travels as binary data only; send FP32 or use binary_data_size")
    if not isinstance(data, list | np.ndarray):
        raise BadInput(f"the data of {what} are {kind_of(data)}, expected a list of numbers")
    try:
        array = np.asarray(data) if len(data) else np.zeros(0, dtype)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"the data of {what} are not all of one shape", "shape") from error
    if array.dtype.kind not in "iuf":
        raise BadInput(f"the data of {what} hold something that is not a number (text, true, null or an object), expected numbers")
    if array.size != math.prod(shape):
        raise BadInput(f"{what} has {array.size} values, its shape makes {_short(math.prod(shape))}", "shape")
    _check_whole(array, name, dtype, what)
    return array.reshape(shape)


def _check_whole(array: NDArray[Any], name: str, dtype: np.dtype[Any], what: str) -> None:
    """Whole numbers must be whole and within their bounds. Others are rounded as their datatype says."""
    if dtype.kind == "f" or not array.size:
        return
    bounds = np.iinfo(dtype)
    if (array != np.trunc(array)).any() or array.min() < bounds.min or array.max() > bounds.max:
        raise BadInput(f"{what} holds values that {name} cannot, expected whole numbers from {bounds.min} to {bounds.max}")


def _short(number: int) -> str:
    """A number that a client made up may have thousands of digits."""
    return str(number) if number < 10**18 else "more than can be"
