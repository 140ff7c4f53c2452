"""A data set that has grown: what a row is for does not change as more come, and nobody is judged by what it has learnt."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.frame import Frame
from training.data.grown import Grown
from training.data.parts import DataSet, Part, Split
from training.data.twins import row_hashes

pytestmark = pytest.mark.training


def pictures(rows: int, seed: int) -> Part:
    random = np.random.default_rng(seed)
    return Part(random.integers(0, 256, (rows, 4, 4, 1)).astype(np.uint8), random.integers(0, 3, rows))


ORIGINAL = DataSet("made", "made here", ("a", "b", "c"), pictures(500, 0))


def grown(later: Part, original: DataSet = ORIGINAL) -> Grown:
    return Grown.of(original, later, "some more", ("a note",))


def hashes(part: Part) -> set[bytes]:
    return {one.tobytes() for one in row_hashes(part.x)}


def test_later_rows_stand_behind_the_original_ones_of_each_part() -> None:
    later = pictures(1000, 1)
    before, after, added = ORIGINAL.split(3), grown(later).split(3), grown(later).added(3)
    for name, share in (("train", 0.64), ("validation", 0.16), ("test", 0.2)):
        old, new, more = (getattr(split, name) for split in (before, after, added))
        assert np.array_equal(new.x[: len(old)], old.x)
        assert np.array_equal(new.x[len(old) :], more.x)
        assert abs(len(more) - 1000 * share) < 4 * np.sqrt(1000 * share * (1 - share))
    assert after.notes[-1] == (
        f"{len(added.train)} of the rows that came later are learnt from, {len(added.validation)} are for validation and "
        f"{len(added.test)} for the test"
    )
    assert (grown(later).source, grown(later).notes) == ("made here, and some more", ("a note",))


def test_whoever_has_learnt_a_row_is_never_judged_by_it_however_many_come() -> None:
    many = pictures(600, 2)
    again = many.with_rows(many.take(np.arange(0, 600, 3)))  # some are sent again
    learnt: set[bytes] = set()
    for rows in (50, 200, 600, 800):
        split = grown(again.take(np.arange(rows))).split(3)
        assert not learnt & (hashes(split.test) | hashes(split.validation))
        learnt |= hashes(split.train)
        assert not hashes(split.train) & hashes(split.test)


def test_a_row_that_is_among_the_original_ones_stays_in_their_part() -> None:
    before = ORIGINAL.split(3)
    for name in ("train", "validation", "test"):
        part = getattr(before, name)
        relabelled = Part(part.x[:20], (part.y[:20] + 1) % 3)
        added = grown(relabelled).added(3)
        assert {other: len(getattr(added, other)) for other in ("train", "validation", "test")} == {
            **dict.fromkeys(("train", "validation", "test"), 0),
            name: 20,
        }
        same = grown(Part(part.x[:20], part.y[:20])).added(3)
        assert sum(same.rows().values()) == 0


def test_what_is_sent_many_times_is_heard_once_but_not_where_chance_makes_equal_rows() -> None:
    often = Part(np.repeat(pictures(1, 4).x, 500, axis=0), np.zeros(500, np.int64))
    assert sum(grown(often).added(3).rows().values()) == 1

    two_columns = Part(np.random.default_rng(0).integers(0, 2, (500, 2)).astype(np.float32), np.arange(500) % 2)
    table = DataSet("small", "", ("a", "b"), two_columns, kind="tensor")
    assert sum(grown(two_columns.take(np.arange(100)), table).added(3).rows().values()) == 100


def test_a_table_as_production_took_it_is_known_again() -> None:
    random = np.random.default_rng(0)
    frame, x = Frame.of({"size": random.normal(size=300), "kind": random.choice(["a", "b", ""], 300)})
    table = DataSet("table", "", (), Part(x, random.normal(size=300).astype(np.float32)), kind="tabular", frame=frame)
    test: Part = table.parted(0)[0].test
    rows: NDArray[np.float64] = frame.rows(
        {**frame.table(test.x), "size": frame.table(test.x)["size"].astype(np.float32).astype(np.float64)}
    )

    added: Split = grown(Part(rows, test.y + 1), table).added(0)

    assert added.rows() == {"train": 0, "validation": 0, "test": len(test)}
    assert np.array_equal(frame.rows(frame.table(x)), x, equal_nan=True)
    assert np.isnan(frame.rows({"size": np.zeros(1), "kind": np.array(["new"])})[0, 1])


def test_the_hash_tells_of_what_was_labelled_and_of_what_was_there_before() -> None:
    one, other = grown(pictures(10, 1)), grown(pictures(11, 1))
    assert one.original_sha256 == other.original_sha256 == ORIGINAL.sha256
    assert len({ORIGINAL.sha256, one.sha256, other.sha256}) == 3
    assert one.described(one.split(0)).original_sha256 == ORIGINAL.sha256
    assert ORIGINAL.described(ORIGINAL.split(0)).original_sha256 is None
