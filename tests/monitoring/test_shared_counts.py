"""Shared counts: sums are exact whoever dies, and the file stays as it is."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import VeletaError
from monitoring.counts.layout import Layout
from monitoring.counts.shared_counts import SLOTS, alive, claim_slot, counted_keys, subject_counts

LAYOUT = Layout({"pid": (1,), "a": (3,)})
SPAWN = multiprocessing.get_context("spawn")


def count(folder: Path, times: int, die: bool, told: Any) -> None:
    slot = claim_slot(folder / "slots")
    row = subject_counts(folder, "m/1/int8", LAYOUT).row(slot)
    parts = LAYOUT.split(row)
    parts["pid"][0] = os.getpid()
    for _ in range(times):
        parts["a"] += 1
    told.put(slot.number)
    if die:
        told.close()
        told.join_thread()
        os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_come_and_are_killed_leave_an_exact_sum_and_no_growth(tmp_path: Path) -> None:
    told = SPAWN.Queue()
    for _ in range(3):
        workers = [SPAWN.Process(target=count, args=(tmp_path, 500, i % 2 == 0, told)) for i in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    counts = subject_counts(tmp_path, "m/1/int8", LAYOUT)
    assert LAYOUT.split(counts.total())["a"].tolist() == [6000, 6000, 6000]
    slots = {told.get(timeout=5) for _ in range(12)}
    assert max(slots) < 4, "a dead worker's place is used again"
    assert [path.stat().st_size for path in tmp_path.glob("m/1/*")] == [SLOTS * LAYOUT.size * 8]
    assert counted_keys(tmp_path) == ["m/1/int8"]
    assert not alive({"pid": counts.rows[:, 0]}).any()


def test_a_new_meaning_of_the_numbers_begins_a_new_file(tmp_path: Path) -> None:
    slot = claim_slot(tmp_path / "slots")
    subject_counts(tmp_path, "m/1/int8", LAYOUT).row(slot)[:] = 1

    assert subject_counts(tmp_path, "m/1/int8", Layout({"b": (4,)})).total().tolist() == [0, 0, 0, 0]
    assert counted_keys(tmp_path) == ["m/1/int8"]
    slot.lock.close()


def test_when_all_places_are_taken_it_says_so(tmp_path: Path) -> None:
    slots = [claim_slot(tmp_path) for _ in range(SLOTS)]

    with pytest.raises(VeletaError, match="all 64 places for workers"):
        claim_slot(tmp_path)
    for slot in slots:
        slot.lock.close()
    first = claim_slot(tmp_path)
    assert first.number == 0
    first.lock.close()


def test_a_layouts_blocks_do_not_overlap() -> None:
    row = np.zeros(LAYOUT.size)
    LAYOUT.split(row)["a"][:] = [1, 2, 3]

    assert row.tolist() == [0, 1, 2, 3]
