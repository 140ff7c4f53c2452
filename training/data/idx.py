"""The idx format of the MNIST files (LeCun, Cortes, Burges, http://yann.lecun.com/exdb/mnist/), plain or gzipped.

Two zero bytes, a type (8: uint8), the number of dimensions, each dimension as a big-endian uint32, then the values row-major.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError

#: The four files of a set: images and labels of the training and of the test part.
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def find(folder: Path, name: str) -> Path | None:
    """The file of that name, plain or gzipped, if the folder has it."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def read_idx(path: Path) -> NDArray[Any]:
    """The array in an idx file, uint8. Raises DataError that names the file."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); get the file again") from error
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DataError(f"{path} is not an idx file of bytes; get the file again")
    end = 4 + 4 * content[3]
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, end, 4)]
    if len(content) != end + math.prod(shape):
        raise DataError(f"{path} has {len(content):,} bytes, its head promises {end + math.prod(shape):,}; get the file again")
    return np.frombuffer(content, np.uint8, offset=end).reshape(shape)
