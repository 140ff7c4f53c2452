"""Examples: inputs wait for their labels, as many as there is room for, and early and late labels find their share of them."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from monitoring.counts.examples import Examples, ExamplesError, Waiting
from monitoring.counts.label_log import LabelLog
from monitoring.counts.receipt import Seal, mark_of
from monitoring.subject import fingerprint

SEAL, KEY = Seal(b"a secret of some length"), "digits8/1/int8"
DAY = 86400.0


def answered(rows: int, at: float = 1000.0, key: str = KEY) -> tuple[Waiting, list[bytes]]:
    """Rows whose values are their numbers, and the marks of their ids."""
    ids = SEAL.close(fingerprint(key), at, [3] * rows, [0.5] * rows)
    inputs = np.arange(rows * 64, dtype=np.float32).reshape(rows, 8, 8, 1) % 256
    return Waiting(key, ids, inputs, at), [mark_of(one) for one in ids]


def test_an_input_and_its_label_become_an_example(tmp_path: Path) -> None:
    examples = Examples(tmp_path / "state")
    waiting, marks = answered(3)
    examples.keep([waiting])

    examples.label([(marks[1], 7.0), (b"of nothing kept.", 4.0)])
    examples.label([(marks[1], 8.0)])  # the first label is the one that counts, as in the log

    (example,) = examples.of("digits8")
    assert (example.subject, example.predicted_at, example.actual) == (KEY, 1000.0, 7.0)
    assert np.array_equal(example.input, waiting.inputs[1])
    assert example.input.dtype == np.uint8  # whole numbers, at a quarter of the room
    assert examples.of("digits") == []
    assert (examples.count("digits8"), examples.count("digits"), examples.count("digits80")) == (1, 0, 0)


def test_what_are_no_bytes_stays_as_it_is(tmp_path: Path) -> None:
    examples = Examples(tmp_path)
    for inputs in (np.array([[0.5]]), np.array([[-1.0]]), np.array([[np.nan]]), np.array([[256]], np.int32)):
        waiting = Waiting("rows/1/fp32", SEAL.close(fingerprint("rows/1/fp32"), 1.0, [0], [0.5]), inputs, 1.0)
        examples.keep([waiting])
        examples.label([(mark_of(waiting.ids[0]), 0.0)])
        found = examples.of("rows")[-1].input
        assert found.dtype == inputs.dtype
        assert np.array_equal(found, inputs[0], equal_nan=found.dtype.kind == "f")
        examples.forget(0.0, 1e9)
        (tmp_path / "examples.db").unlink()
        examples = Examples(tmp_path)


def test_two_processes_write_one_file_that_only_the_owner_reads(tmp_path: Path) -> None:
    one, other = Examples(tmp_path), Examples(tmp_path)
    waiting, marks = answered(2)
    one.keep([waiting])
    other.keep([waiting])  # the same again changes nothing
    other.label([(mark, 1.0) for mark in marks])
    assert len(one.of("digits8")) == one.count("digits8") == 2
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.glob("examples.db*") if path.suffix != ".lock")


def test_labels_that_no_tick_has_seen_are_found_in_the_log(tmp_path: Path) -> None:
    examples, log = Examples(tmp_path), LabelLog(tmp_path / "events.db")
    waiting, _ = answered(5)
    examples.keep([waiting])
    receipts = [SEAL.open(one) for one in waiting.ids]
    log.add([(receipt, 2.0) for receipt in receipts if receipt], 1001.0)

    examples.label_from(log)

    assert [example.actual for example in examples.of("digits8")] == [2.0] * 5


def test_what_is_too_old_to_be_labelled_goes_and_examples_stay(tmp_path: Path) -> None:
    examples = Examples(tmp_path)
    old, marks = answered(4, at=0.0)
    new, more = answered(2, at=10 * DAY)
    examples.keep([old, new])
    examples.label([(marks[0], 1.0)])

    examples.forget(predicted_before=5 * DAY, now=10 * DAY)
    examples.label([(mark, 9.0) for mark in [*marks, *more]])

    assert [example.predicted_at for example in examples.of("digits8", since=DAY)] == [10 * DAY] * 2
    assert [(example.predicted_at, example.actual) for example in examples.of("digits8")] == [(0.0, 1.0), (10 * DAY, 9.0), (10 * DAY, 9.0)]


def test_without_room_early_labels_find_nearly_all_inputs_and_late_ones_a_share(tmp_path: Path) -> None:
    """Of an even stream for 100 s there is room for a quarter: what is `a` seconds old is there with the probability min(1, h / a), h
    such that the room is used.
    """
    most = 1_500_000
    examples = Examples(tmp_path, most)
    per_second, marks, ids = 200, {}, 0
    for second in range(100):
        waiting, of_second = answered(per_second, at=float(second))
        examples.keep([waiting])
        examples.forget(-1.0, second + 1.0)
        marks[second], ids = of_second, ids + per_second

    for of_second in marks.values():
        examples.label([(mark, 1.0) for mark in of_second])
    found = np.bincount([round(example.predicted_at) for example in examples.of("digits8")], minlength=100)

    share, age = found / per_second, 100 - np.arange(100)
    total = found.sum()
    assert 0.1 * ids < total < 0.5 * ids
    horizon = next(h for h in np.arange(0.5, 100, 0.1) if per_second * np.minimum(1, h / age).sum() >= total)
    expected = np.minimum(1, horizon / age)
    spread = np.sqrt(expected * (1 - expected) / per_second) + 0.01
    assert np.abs((share - expected) / spread)[10:].max() < 5
    assert share[-3:].mean() > 0.9


def test_where_examples_are_most_of_what_is_kept_the_oldest_go(tmp_path: Path) -> None:
    examples = Examples(tmp_path, most_bytes=300_000)
    for day in range(20):
        waiting, marks = answered(100, at=day * DAY)
        examples.keep([waiting])
        examples.label([(mark, 1.0) for mark in marks])
        examples.forget(0.0, day * DAY + 1)

    days = [example.predicted_at / DAY for example in examples.of("digits8")]
    assert 300 < len(days) < 1900
    assert min(days) > 0
    assert max(days) == 19


def test_a_file_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "examples.db").write_bytes(b"no database, certainly not" * 100)
    with pytest.raises(ExamplesError, match=r"the file of examples .*examples\.db cannot be used: file is not a database; remove it"):
        Examples(tmp_path)


def test_nobody_is_told_to_remove_what_is_only_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "examples.db").mkdir()
    with pytest.raises(ExamplesError, match=r"examples\.db cannot be used: [^;]*; choose another folder with --state DIR$"):
        Examples(tmp_path)
