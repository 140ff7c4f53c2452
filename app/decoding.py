"""Bodies become rows: JSON, images, NumPy files and raw values, told apart by what they are and not by what their header says.

The result always is an array (n, *the model's shape). Values are only checked here, never scaled: scaling lives inside the model.
Pixels stay bytes for as long as they can: a quarter of the memory to put together, to look at and to keep.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from tokenize import TokenError
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from app.errors import BadInput, OverLimit, Unsupported
from app.images import decode_image, is_image
from app.json_bodies import numbers, read_instances, read_json
from app.takes import Takes
from models.manifest import Input

_NPY = b"\x93NUMPY"
_MOST_FILES = 1000
#: Values that are looked at first, which nearly always settle it.
_FIRST_VALUES = 256


@dataclass(frozen=True)
class Limits:
    """The limits that decoding holds; the names are those of the settings."""

    max_body_bytes: int
    max_rows: int
    max_pixels: int


def decompress(body: bytes, encoding: str, limits: Limits) -> bytes:
    """The body without its Content-Encoding; never more than the limit is unpacked."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Unsupported(f"the body has Content-Encoding {encoding[:40]!r}, expected gzip, deflate or none")
    unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, told apart by their heads
    try:
        unpacked = unpacker.decompress(body, limits.max_body_bytes + 1)
    except zlib.error as error:
        raise BadInput(f"the body is not {encoding}, as its Content-Encoding says") from error
    if len(unpacked) > limits.max_body_bytes:
        raise OverLimit("the unpacked body is too large", "max_body_bytes", limits.max_body_bytes)
    if not unpacker.eof:
        raise BadInput(f"the {encoding} body is cut off; send all of it")
    return unpacked


def decode(body: bytes, content_type: str, taken: Takes, limits: Limits) -> NDArray[Any]:
    """Rows (n, …) out of a body, as `hold` gives them. Raises BadInput, OverLimit or Unsupported."""
    mimetype, options = _media_type(content_type)
    if mimetype == "multipart/form-data":
        rows = np.concatenate([_rows(file, mimetype, taken, limits) for file in _files(body, mimetype, options)])
    else:
        rows = _rows(body, mimetype, taken, limits)
    return hold(rows, taken, limits)


def from_values(values: Any, taken: Takes, limits: Limits) -> NDArray[Any]:
    """Rows (n, …), as `hold` gives them, out of a list of instances: each in the model's shape or flat, or a row of its table.

    Raises BadInput or OverLimit.
    """
    return hold(_batch(values, taken), taken, limits)


def hold(rows: NDArray[Any], taken: Input, limits: Limits) -> NDArray[Any]:
    """Rows (n, …) in the model's dtype, or images as the bytes that they came in, within the limits. Raises BadInput or OverLimit."""
    if not len(rows):
        raise BadInput("there are no instances, expected at least one", "shape")
    if len(rows) > limits.max_rows:
        raise OverLimit(f"the request has {len(rows)} instances", "max_rows", limits.max_rows)
    if rows.dtype == np.uint8:  # as pixels are: finite in whatever the model takes
        return rows if taken.kind == "image" else rows.astype(taken.dtype, copy=False)
    if "int" in taken.dtype:
        return _whole(rows, taken)
    with np.errstate(over="ignore"):  # what is too large for the model's dtype is refused below
        rows = rows.astype(taken.dtype, copy=False)
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        raise BadInput("the instances hold NaN or an infinite value, expected finite numbers", "not_finite")
    return rows


def _whole(rows: NDArray[Any], taken: Input) -> NDArray[Any]:
    """Rows for a model that takes whole numbers, as tokens are: what is none is not rounded in silence."""
    bounds = np.iinfo(taken.dtype)
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        raise BadInput("the instances hold NaN or an infinite value, expected whole numbers", "not_finite")
    if (rows.dtype.kind == "f" and (rows != np.trunc(rows)).any()) or rows.min() < bounds.min or rows.max() > bounds.max:
        raise BadInput(f"the instances hold values that {taken.dtype} cannot, expected whole numbers from {bounds.min} to {bounds.max}")
    return rows.astype(taken.dtype, copy=False)


@lru_cache(256)
def _media_type(content_type: str) -> tuple[str, Mapping[str, str]]:
    """A client says the same again and again."""
    mimetype, options = parse_options_header(content_type)
    return mimetype, MappingProxyType(options)


def _files(body: bytes, mimetype: str, options: Mapping[str, str]) -> list[bytes]:
    parser = FormDataParser(_in_memory, max_form_memory_size=None, max_form_parts=_MOST_FILES, silent=False)
    try:
        _, _, files = parser.parse(io.BytesIO(body), mimetype, len(body), dict(options))
    except RequestEntityTooLarge as error:
        raise OverLimit("the form has too many parts", "max_rows", _MOST_FILES) from error
    except ValueError as error:
        raise BadInput("the multipart form is damaged or cut off; send it again") from error
    found = [file.read() for file in files.getlist("file")]
    if not found:
        raise BadInput("the multipart form has no field 'file' with a file in it; name it so, as in `curl -F file=@image.png`")
    return found


def _in_memory(*_: Any, **__: Any) -> io.BytesIO:
    """Parts are kept as the whole body already is: in memory, within the limit."""
    return io.BytesIO()


def _rows(body: bytes, mimetype: str, taken: Takes, limits: Limits) -> NDArray[Any]:
    if not body:
        raise BadInput(f"the body is empty, expected {_expected(taken)} as JSON, an image, a .npy file or raw values")
    if is_image(body):
        return _image(body, taken, limits)
    if body.startswith(_NPY):
        return fit(_npy(body), taken, batch_only=False)
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            return _instances(read_instances(body), taken)
        except BadInput:
            # Raw values may begin with the byte of a bracket.
            if mimetype == "application/json" or not _is_raw(body, taken):
                raise
    if mimetype == "application/json":
        read_json(body)
        raise BadInput('the JSON is neither an object nor a list, expected {"instances": [...]}')
    return _raw(body, taken)


def _image(body: bytes, taken: Input, limits: Limits) -> NDArray[Any]:
    if taken.kind != "image":
        raise Unsupported(f"this model takes {_expected(taken)}, not images")
    height, width, channels = taken.row_shape
    return decode_image(body, (height, width, channels), limits.max_pixels)


def _instances(data: Any, taken: Takes) -> NDArray[Any]:
    if isinstance(data, dict):
        if "instances" not in data:
            if taken.columns and data.keys() & set(taken.columns.names):
                return taken.encode([data])
            raise BadInput(f"the JSON object has no 'instances' but {sorted(data)[:3]}, expected {{\"instances\": [...]}}")
        return _batch(data["instances"], taken)
    if taken.is_row(data):
        return taken.encode([data])
    return _batch(data, taken, batch_only=False)


def _batch(values: Any, taken: Takes, batch_only: bool = True) -> NDArray[Any]:
    """Rows of a list: those of a table if they are written so, which for lists of numbers takes too long to ask beforehand."""
    if taken.holds_objects(values):
        return taken.encode(values)
    try:
        return fit(numbers(values), taken, batch_only)
    except BadInput:
        if not taken.holds_rows(values):
            raise
        return taken.encode(values)


def _npy(body: bytes) -> NDArray[Any]:
    """The array of a .npy file, without trusting its header for memory, and never unpickling."""
    file = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, TokenError) as error:
        raise BadInput("the .npy file has a damaged head; write it with numpy.save") from error
    if dtype.kind not in "iuf":
        raise BadInput(f"the .npy file holds {dtype}, expected numbers")
    values = body[file.tell() :]
    if len(values) != math.prod(shape) * dtype.itemsize:
        raise BadInput(f"the .npy file has {len(values)} bytes of values, its head says {math.prod(shape) * dtype.itemsize}", "shape")
    return np.frombuffer(values, dtype).reshape(shape, order="F" if fortran else "C")


def _is_raw(body: bytes, taken: Input) -> bool:
    return len(body) % math.prod(taken.row_shape) == 0


def _raw(body: bytes, taken: Input) -> NDArray[Any]:
    """Little-endian values in the model's dtype, or bytes; when the length allows both, whichever gives sensible values."""
    shape = taken.row_shape
    values, wide = math.prod(shape), _little_endian(taken.dtype)
    if len(body) % values:
        raise BadInput(
            f"the body has {len(body)} bytes and is no JSON, image or .npy file; as raw values, expected a multiple of {values} bytes "
            f"(uint8) or {values * wide.itemsize} ({taken.dtype}) for {_expected(taken)}",
            "shape",
        )
    if len(body) % (values * wide.itemsize) == 0:
        rows = np.frombuffer(body, wide)
        if _plausible(rows[:_FIRST_VALUES], taken) and _plausible(rows, taken):
            return rows.reshape(-1, *shape)
    return np.frombuffer(body, np.uint8).reshape(-1, *shape)


@lru_cache(64)
def _little_endian(dtype: str) -> np.dtype[Any]:
    return np.dtype(dtype).newbyteorder("<")


def _plausible(values: NDArray[Any], taken: Input) -> bool:
    """Bytes read as floats are tiny, huge or not numbers at all; real values lie in the model's range and are not that close to 0."""
    lowest, highest = taken.range
    with np.errstate(invalid="ignore"):
        if not (values.min() >= min(lowest, 0) and values.max() <= max(highest, 0)):  # also if one is no number
            return False
        return bool(np.all((values == 0) | ((values >= lowest) & (values <= highest) & (np.abs(values) > 1e-20))))


def fit(array: NDArray[Any], taken: Input, batch_only: bool) -> NDArray[Any]:
    """The array as rows: each in the model's shape, without its axes of length 1, or flat."""
    shape = taken.row_shape
    if array.ndim and _is_row(array.shape[1:], shape):
        return array.reshape(len(array), *shape)
    if not batch_only and _is_row(array.shape, shape):
        return array.reshape(1, *shape)
    came = " × ".join(map(str, array.shape)) or "a single number"
    raise BadInput(f"the instances have the shape {came}, expected {_expected(taken)}, each so or flat", "shape")


def _is_row(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return shape == (math.prod(wanted),) or [n for n in shape if n != 1] == [n for n in wanted if n != 1]


def _expected(taken: Input) -> str:
    shape = taken.row_shape
    return f"instances of {' × '.join(map(str, shape))} = {math.prod(shape)} numbers"
