"""Folders of images by class: what is read, what is left out, and that training sees what the server would."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.images import decode_image
from training.data.pictures import read_image
from training.data.sources import load
from training.data.wanted import Wanted
from training.errors import DataError

pytestmark = pytest.mark.training


def noise(height: int, width: int, channels: int, seed: int) -> Image.Image:
    pixels: NDArray[np.uint8] = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels.squeeze())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve grey images of 8 × 6 pixels, width × height, for each of two classes."""
    root = tmp_path / "Cats & Dogs"
    for label, name in enumerate(("dog", "cat")):
        (root / name).mkdir(parents=True)
        for number in range(12):
            noise(6, 8, 1, 100 * label + number).save(root / name / f"{number:02}.png")
    return root


def test_a_folder_is_a_data_set(folder: Path) -> None:
    (folder / "cat" / ".DS_Store").write_bytes(b"x")
    dataset = load(str(folder))
    assert (dataset.name, dataset.classes, dataset.kind, dataset.notes) == ("cats-dogs", ("cat", "dog"), "image", ())
    assert (dataset.rest.x.shape, dataset.rest.x.dtype) == ((24, 6, 8, 1), np.uint8)
    assert dataset.rest.y.tolist() == [0] * 12 + [1] * 12
    assert np.array_equal(dataset.rest.x[12, :, :, 0], np.asarray(noise(6, 8, 1, 0)))
    split = dataset.split(seed=0)
    assert split.rows() == {"train": 15, "validation": 4, "test": 5}
    assert (split.problem.input.shape, split.problem.input.range) == ((None, 6, 8, 1), (0.0, 255.0))


@pytest.mark.parametrize("names", [("train", "test"), ("training", "validation", "testing")])
def test_official_parts_are_honoured(folder: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    root = tmp_path / "official"
    for place, name in enumerate(names):
        for label in ("dog", "cat"):
            (root / name / label).mkdir(parents=True)
            for path in sorted((folder / label).iterdir())[4 * place : 4 * place + 4]:
                shutil.copy(path, root / name / label)
    dataset = load(str(root))
    assert (len(dataset.rest), dataset.test and len(dataset.test)) == (8 * (len(names) - 1), 8)
    assert dataset.classes == ("cat", "dog")


def test_mixed_images_become_one_shape(folder: Path) -> None:
    noise(20, 20, 3, 7).save(folder / "cat" / "colour.jpg")
    dataset = load(str(folder))
    assert dataset.rest.x.shape == (25, 6, 8, 3)
    assert dataset.notes == (
        "1 images of another size were resized to 8 × 6 pixels, the commonest",
        "24 grey images were taken as coloured ones, as the others are",
    )


def test_images_become_what_is_said(folder: Path) -> None:
    noise(20, 20, 3, 7).save(folder / "cat" / "colour.jpg")
    dataset = load(str(folder), Wanted(image=(6, 8, 1)))
    assert dataset.rest.x.shape == (25, 6, 8, 1)
    assert dataset.notes == ("1 images of another size were resized to 8 × 6 pixels, as was said",)
    assert load(str(folder), Wanted(image=(5, 9, 3))).rest.x.shape == (25, 5, 9, 3)


def test_what_cannot_be_read_is_left_out_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cat = folder / "cat"
    whole = (cat / "00.png").read_bytes()
    (cat / "cut.png").write_bytes(whole[:-20])
    (cat / "text.jpg").write_text("no image")
    frames = [noise(6, 8, 1, seed) for seed in range(2)]
    frames[0].save(cat / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(cat / "disguised.png", format="GIF")
    (cat / "notes.txt").write_text("remember")
    (cat / "more").mkdir()
    Image.new("1", (10_000, 10_000)).save(cat / "wall.png")
    dataset = load(str(folder))
    assert len(dataset.rest) == 24
    (note,) = dataset.notes
    assert note.startswith("7 files were left out: cat/")
    monkeypatch.setattr("training.data.pictures._NAMED", 10)
    (note,) = load(str(folder)).notes
    for told in (
        "cat/cut.png is cut off",
        "cat/text.jpg is no whole PNG or JPEG image",
        "cat/moving.gif is no PNG or JPEG file",
        "cat/disguised.png is no whole PNG",
        "cat/notes.txt is no PNG or JPEG file",
        "cat/more is no PNG or JPEG file",
        "cat/wall.png has 10000 × 10000 pixels, more than 16,777,216",
    ):
        assert told in note


def test_a_class_without_images_is_told(folder: Path) -> None:
    (folder / "bird").mkdir()
    with pytest.raises(DataError, match=r"the class 'bird' of .* has no image to learn from; give it PNG or JPEG files"):
        load(str(folder))
    (folder / "bird" / "a.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"the class 'bird' .*: a\.png is no whole PNG"):
        load(str(folder))


def test_one_class_is_told(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="expected one for each of at least two classes"):
        load(str(tmp_path))


def test_too_many_bytes_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.pictures._MOST_BYTES", 1000)
    with pytest.raises(DataError, match="24 images of 8 × 6 pixels are more than 1,000 bytes"):
        load(str(folder))


def odd_images() -> dict[str, tuple[Image.Image, str]]:
    deep = Image.fromarray(np.random.default_rng(0).integers(0, 65536, (10, 12)).astype(np.uint16))
    clear = noise(10, 12, 4, 1)
    turned = noise(10, 12, 3, 2)
    turned.getexif()[0x0112] = 6
    return {
        "16 bits": (deep, "PNG"),
        "transparent": (clear, "PNG"),
        "palette": (noise(10, 12, 3, 3).quantize(16), "PNG"),
        "two colours": (noise(10, 12, 1, 4).convert("1"), "PNG"),
        "grey and clear": (clear.convert("LA"), "PNG"),
        "CMYK": (noise(10, 12, 3, 5).convert("CMYK"), "JPEG"),
        "grey": (noise(10, 12, 1, 6), "JPEG"),
        "turned": (turned, "JPEG"),
    }


@pytest.mark.parametrize("name", odd_images())
@pytest.mark.parametrize("grey", [True, False])
def test_training_sees_what_the_server_sees(tmp_path: Path, name: str, grey: bool) -> None:
    image, form = odd_images()[name]
    file = io.BytesIO()
    image.save(file, form, exif=image.getexif())
    path = tmp_path / f"a.{form.lower()}"
    path.write_bytes(file.getvalue())
    channels = 1 if grey else 3
    for size in ((12, 10), (5, 7)):
        served = decode_image(file.getvalue(), (size[1], size[0], channels), 2**24)
        assert np.array_equal(read_image(path, size, grey).reshape(served.shape[1:]), served[0])
