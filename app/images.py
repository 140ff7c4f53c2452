"""Pictures at the door: PNG or JPEG bytes become an array of the model's height, width and channels."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from app.errors import BadInput, OverLimit, Unsupported

MAGICS = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
_BEGINNINGS = tuple(MAGICS)
_MODES = {1: "L", 3: "RGB"}
#: Everything that the decoder is known to raise on damaged files.
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, zlib.error)


def is_image(body: bytes) -> bool:
    return body.startswith(_BEGINNINGS)


def decode_image(body: bytes, shape: tuple[int, int, int], max_pixels: int) -> NDArray[Any]:
    """An image as uint8 (1, height, width, channels). Transparent parts become white, as a browser shows them; 16 bits become 8.

    Raises BadInput for a damaged file and OverLimit before anything is decompressed.
    """
    height, width, channels = shape
    if channels not in _MODES:
        raise Unsupported(f"this model takes {channels} channels, which PNG and JPEG do not have; send an array")
    name = next(name for magic, name in MAGICS.items() if body.startswith(magic))
    if name == "PNG" and b"IEND" not in body[-1024:]:  # the decoder shrugs at a file that is cut in its last rows
        raise BadInput(_damage(name))
    try:
        with warnings.catch_warnings(action="ignore"):  # the limit below is ours
            image = Image.open(io.BytesIO(body), formats=["PNG", "JPEG"])
        if image.width * image.height > max_pixels:
            raise OverLimit(f"the image has {image.width} × {image.height} pixels", "max_pixels", max_pixels)
        picture = _flatten(ImageOps.exif_transpose(image)).convert(_MODES[channels])
    except Image.DecompressionBombError as error:
        raise OverLimit("the image has more pixels", "max_pixels", max_pixels) from error
    except _DAMAGED as error:
        raise BadInput(_damage(name)) from error
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture, dtype=np.uint8).reshape(1, height, width, channels)


def encode_png(pixels: NDArray[Any]) -> bytes:
    """A PNG of an image of shape (height, width, channels), values 0 to 255."""
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8).squeeze()).save(file, "PNG")
    return file.getvalue()


def _damage(name: str) -> str:
    return f"the {name} image is damaged or cut off; send the whole file"


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image, dtype=np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        whole = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
    return image
