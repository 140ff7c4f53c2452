"""reference.npz: read back as written, and files of older versions too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.errors import ManifestError
from models.store import Store
from monitoring.counts.layout import variant_layout
from monitoring.reference import Reference, Samples, read_reference, read_samples, write_references
from monitoring.signals.measure import Batch
from monitoring.subject import Subject
from tests.small_models import Data


@pytest.fixture
def subject(shelf: Path) -> Subject:
    return Subject.load(Store(shelf).open("digits8", 1))


def test_every_part_is_read_back_as_written(subject: Subject, tmp_path: Path) -> None:
    path = tmp_path / "reference.npz"
    write_references(path, {"int8": subject.reference}, Samples(np.zeros((1, 8, 8, 1), np.uint8), np.zeros(1, np.int64)))

    again = read_reference(path, "int8")

    assert again.rows == subject.reference.rows
    assert again.quality == subject.reference.quality == {"range": 0, "constant": 0, "duplicate": 0}
    assert variant_layout(again).fingerprint == subject.layout.fingerprint
    assert {"energy", "distance", "mean"} <= again.profiles.keys()
    assert again.fitted.head is not None
    assert again.moments is not None
    write_references(tmp_path / "again.npz", {"int8": again}, read_samples(path))
    with np.load(path) as first, np.load(tmp_path / "again.npz") as second:
        assert first.files == second.files
        assert all(np.array_equal(first[name], second[name]) for name in first.files)


def test_a_file_of_an_older_version_has_fewer_signals(subject: Subject, digits8: Data, tmp_path: Path) -> None:
    path, old = tmp_path / "reference.npz", tmp_path / "old.npz"
    write_references(path, {"int8": subject.reference}, Samples(digits8.test_x[:1], digits8.test_y[:1]))
    signals = [name for name in subject.reference.profiles if name not in ("energy", "distance")]
    with np.load(path) as file:
        kept = {name: file[name] for name in file.files if name.split("/")[1] in (*signals, "rows", "inputs", "labels")}
        np.savez(old, allow_pickle=False, **kept, **{"int8/signals": np.array(signals)})

    reference = read_reference(old, "int8")

    rows = digits8.test_x[:40].astype(np.float32)
    batch = Batch(rows, np.full((40, 10), 0.1, dtype=np.float32), rows.reshape(40, -1))
    assert list(reference.profiles) == signals
    assert reference.outlier(batch) is None
    assert (reference.quality, reference.ranks, reference.moments) == ({}, None, None)
    counts = reference.count(batch, digits8.taken)
    assert counts.keys() == {"signals"}
    assert {"waves", "outlier"} & variant_layout(reference).blocks.keys() == set()


def test_rows_beyond_all_numbers_are_counted_without_a_word(subject: Subject, digits8: Data) -> None:
    rows = digits8.test_x[:3].astype(np.float32)
    embeddings = np.array([[1e30] * 64, [np.inf] * 64, [np.nan] * 64], dtype=np.float32)
    batch = Batch(rows, np.full((3, 10), np.nan, dtype=np.float32), embeddings)

    counts = subject.reference.count(batch, digits8.taken)

    assert all(part.sum() == 3 for part in subject.reference.split(counts["signals"]).values())
    assert counts["outlier"].sum() == 3
    assert np.isfinite(counts["waves"]).all()


def test_a_reference_knows_how_clean_its_own_rows_were(subject: Subject, digits8: Data) -> None:
    rows = digits8.test_x[:50].astype(np.float32)
    rows[0], rows[1], rows[2:4] = 7, 900, rows[4]
    batch = Batch(rows, np.full((50, 10), 0.1, dtype=np.float32), rows.reshape(50, -1) / 255)

    assert Reference.of(batch, digits8.taken, subject.reference.fitted).quality == {"range": 1, "constant": 2, "duplicate": 2}


def test_a_variant_that_is_not_there_is_told(shelf: Path) -> None:
    path = Store(shelf).open("digits8", 1).file("reference.npz")
    with pytest.raises(ManifestError, match="no part for the variant 'pruned'"):
        read_reference(path, "pruned")
