"""Costs of requests: what all workers note adds up, also of those that are gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from monitoring.counts.costs import Cost, Costs, read_cost
from monitoring.counts.shared_counts import claim_slot


def test_the_notes_of_all_workers_add_up_and_stay(tmp_path: Path) -> None:
    slots = [claim_slot(tmp_path / "slots") for _ in range(2)]
    first, second = (Costs(tmp_path / "costs", slot) for slot in slots)
    first.called("a/1/int8", 1)
    first.answered("a/1/int8", np.array([[2, 0.25, 0.5, 1.0, 1.0], [1, 0.0, 0.0, 0.0, 1.0]]))
    first.refused("a/1/int8", 0.125)
    second.answered("a/1/int8", np.array([[1, 0.25, 0.5, 1.0, 2.0]]))
    second.answered("b/1/int8", np.array([[7, 1.0, 1.0, 1.0, 1.0]]))
    for slot in slots:
        slot.lock.close()

    found = read_cost(tmp_path / "costs", "a/1/int8")
    assert found.last > 1_700_000_000
    assert found == Cost(found.last, 3, 4, 0.5, 1.0, 2.0, 4.0, 1, 1, 0.125)
    assert read_cost(tmp_path / "costs", "a/1/fp32") == Cost(0.0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0.0)
