"""A folder of images: one folder for each class, named after it, with PNG and JPEG files in it.

If the folder has a folder `test` (or `testing`) beside `train` (or `training`), each with the folders of the classes, the first is the
official test part; a `validation` (or `val`, `valid`) beside them is taken with the training part. Images become grey if all are, else RGB,
and get the commonest size, as the server does it with an image at its door (app.images): stretched, transparency on white, 16 bits to 8.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from training.data.names import safe_name
from training.data.parts import DataSet
from training.data.rows import Part
from training.errors import DataError

#: Pixels of one file, and bytes of all images together, beyond which nothing is unpacked.
_MOST_PIXELS = 2**24
_MOST_BYTES = 8 * 2**30
_ENDINGS = (".png", ".jpg", ".jpeg")
_GREY = {"1", "L", "LA", "I", "F"}
_TRAIN, _TEST, _VALIDATION = ("train", "training"), ("test", "testing"), ("validation", "val", "valid")
#: Everything that the decoder is known to raise on damaged files.
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, zlib.error, Image.DecompressionBombError)
#: Files that are named in a sentence, at most.
_NAMED = 5


@dataclass(frozen=True)
class _Found:
    """A readable file, the number of its class, its size (width, height) as it is seen, and whether it is grey."""

    path: Path
    label: int
    size: tuple[int, int]
    grey: bool


def has_class_folders(folder: Path) -> bool:
    return any(_folders(folder))


def from_class_folders(folder: Path, image: tuple[int, int, int] | None = None) -> DataSet:
    """The data set in a folder, with images of (height, width, channels) if that is said. Raises DataError that names the folder or the
    file.
    """
    train, test = _roots(folder)
    classes = sorted({path.name for root in train + test for path in _folders(root)})
    if len(classes) < 2:
        raise DataError(f"the folder {folder} has {len(classes)} folder of images, expected one for each of at least two classes")
    skipped: dict[Path, str] = {}
    found = [list(_look(roots, classes, skipped)) for roots in (train, test)]
    _check_classes(found[0], classes, folder, skipped)
    if image:
        size, grey = (image[1], image[0]), image[2] == 1
    else:
        size = Counter(one.size for one in found[0]).most_common(1)[0][0]
        grey = all(one.grey for part in found for one in part)
    train_part, test_part = (_read(part, size, grey, skipped) if part else None for part in found)
    assert train_part is not None  # every class has an image there
    return DataSet(
        safe_name(folder.resolve().name),
        f"the images in the folder {folder.resolve().name}",
        tuple(classes),
        train_part,
        test_part,
        notes=_notes(found, size, grey, skipped, folder, said=image is not None),
    )


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


def _roots(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders that have the classes of the training and of the test part."""
    inside = {path.name.lower(): path for path in _folders(folder)}
    parts = [[inside[name] for name in names if name in inside] for names in (_TRAIN, _VALIDATION, _TEST)]
    apart = inside.keys() <= {*_TRAIN, *_TEST, *_VALIDATION} and parts[0] and all(_folders(path) for path in inside.values())
    return (parts[0] + parts[1], parts[2]) if apart else ([folder], [])


def _look(roots: list[Path], classes: list[str], skipped: dict[Path, str]) -> Iterator[_Found]:
    """The readable images, by their heads alone; what is wrong with the others goes into `skipped`."""
    for root in roots:
        for label, name in enumerate(classes):
            files = sorted((root / name).iterdir()) if (root / name).is_dir() else []
            for path in (file for file in files if not file.name.startswith(".") and file.name != "Thumbs.db"):
                try:
                    yield _head(path, label)
                except DataError as error:
                    skipped[path] = str(error)


def _head(path: Path, label: int) -> _Found:
    if path.is_dir() or path.suffix.lower() not in _ENDINGS:
        raise DataError("is no PNG or JPEG file")
    with _opened(path) as image:
        # The tag of the orientation: from 5 on, the sides change places. A PNG file would have to be decoded to know.
        turned = image.format == "JPEG" and image.getexif().get(0x0112, 1) >= 5
        return _Found(path, label, image.size[::-1] if turned else image.size, image.mode.split(";")[0] in _GREY)


def _opened(path: Path) -> Image.Image:
    """The image, not yet decoded. Raises DataError for one that is none or too large."""
    try:
        with warnings.catch_warnings(action="ignore"):  # the limit below is ours
            image = Image.open(path, formats=["PNG", "JPEG"])
    except _DAMAGED as error:
        raise DataError("is no whole PNG or JPEG image") from error
    if image.width * image.height > _MOST_PIXELS:
        image.close()
        raise DataError(f"has {image.width} × {image.height} pixels, more than {_MOST_PIXELS:,}")
    return image


def _check_classes(found: list[_Found], classes: list[str], folder: Path, skipped: dict[Path, str]) -> None:
    there = {image.label for image in found}
    if not there:
        raise DataError(
            f"{folder} has neither the four idx files (train-images-idx3-ubyte …) nor PNG or JPEG files in a folder for each class; "
            "give it one of the two"
        )
    if absent := [name for label, name in enumerate(classes) if label not in there]:
        reason = next((f": {path.name} {why}" for path, why in skipped.items() if path.parent.name == absent[0]), "")
        raise DataError(f"the class {absent[0]!r} of {folder} has no image to learn from{reason}; give it PNG or JPEG files, or remove it")


def _read(part: list[_Found], size: tuple[int, int], grey: bool, skipped: dict[Path, str]) -> Part:
    """All images (n, height, width, channels), decoded."""
    width, height = size
    shape = (len(part), height, width, 1 if grey else 3)
    if np.prod(shape, dtype=np.float64) > _MOST_BYTES:
        raise DataError(f"{len(part):,} images of {width} × {height} pixels are more than {_MOST_BYTES:,} bytes; make them smaller")
    x = np.empty(shape, dtype=np.uint8)
    kept: list[int] = []
    for image in part:
        try:
            x[len(kept)] = read_image(image.path, size, grey).reshape(shape[1:])
            kept.append(image.label)
        except DataError as error:
            skipped[image.path] = str(error)
    return Part(x[: len(kept)], np.array(kept, dtype=np.int64))


def read_image(path: Path, size: tuple[int, int], grey: bool) -> NDArray[np.uint8]:
    """A file as pixels (height, width) or (height, width, 3). Raises DataError, which goes on after the file's name."""
    with _opened(path) as image:
        if image.format == "PNG" and not _has_end(path):
            raise DataError("is cut off")
        try:
            picture = _flat(ImageOps.exif_transpose(image)).convert("L" if grey else "RGB")
        except _DAMAGED as error:
            raise DataError("is damaged or cut off") from error
    return np.asarray(picture if picture.size == size else picture.resize(size, Image.Resampling.BILINEAR), dtype=np.uint8)


def _has_end(path: Path) -> bool:
    """Whether a PNG file has its last chunk: the decoder shrugs at a file that is cut in its last rows."""
    with path.open("rb") as file:
        file.seek(-min(1024, path.stat().st_size), 2)
        return b"IEND" in file.read()


def _flat(image: Image.Image) -> Image.Image:
    """Eight bits a value, and no transparency."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image, dtype=np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        whole = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
    return image


def _notes(
    found: list[list[_Found]], size: tuple[int, int], grey: bool, skipped: dict[Path, str], folder: Path, said: bool
) -> tuple[str, ...]:
    notes = []
    other = sum(image.size != size for part in found for image in part)
    if other:
        notes.append(
            f"{other:,} images of another size were resized to {size[0]} × {size[1]} pixels, {'as was said' if said else 'the commonest'}"
        )
    if not grey and (mixed := sum(image.grey for part in found for image in part)):
        notes.append(f"{mixed:,} grey images were taken as coloured ones, as {'was said' if said else 'the others are'}")
    if skipped:
        named = [f"{path.relative_to(folder)} {why}" for path, why in list(skipped.items())[:_NAMED]]
        notes.append(f"{len(skipped):,} files were left out: " + "; ".join(named) + ("; and others" if len(skipped) > _NAMED else ""))
    return tuple(notes)
