"""How many faulty trainings do the remedies bring to within two points of the healthy accuracy, and how many does chance?

The healthy accuracy is that of the twin: the same training without the fault, on the same test rows. Each arm has the same number of
trials and the same test of what to keep. What no recipe can mend is counted apart: labels that do not belong to their rows, features
that were not read, rows that are not there. Faults of the validation rows cost no accuracy and are left out.
"""

from __future__ import annotations

import io
import math
import os
import pickle
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks.diagnosis.cases import Case, cases
from benchmarks.diagnosis.run import CACHE, outcome
from training.diagnosis.proof import mcnemar
from training.quiet import load_keras_quietly

WITHIN = 0.02
#: To be raised when a repair does something else than before.
FORMAT = 5
#: What is wrong with the data itself, and what does no harm that a test could see.
BEYOND_A_RECIPE = ("constant-features", "shuffled-labels", "noisy-labels", "overfitting", "unbalanced-classes")
_MEASURING = ("leaked-validation", "validation-too-small")


def repair(say: Callable[[str], None], group: str, seeds: int, runs: int | None = None) -> dict[str, Any]:
    """Both arms on the faulty trainings that count, or on so many `runs` drawn of them, with the share mended of each kind."""
    faulty = [case for case in cases(group, seeds) if case.fault is not None and case.kind not in _MEASURING]
    rows: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), load_keras_quietly) as pool:
        all_of_them = list(dict.fromkeys([*(case.twin for case in faulty), *faulty]))
        made = dict(zip(all_of_them, pool.map(outcome, all_of_them), strict=True))
        harmed = [case for case in faulty if made[case.twin].test - made[case].test >= WITHIN]
        taken = [harmed[i] for i in np.random.default_rng(0).permutation(len(harmed))[:runs]]
        say(f"{len(harmed)} faulty trainings are two points or more below their healthy twins; {len(taken)} are taken.")
        for case, (ours, random) in zip(taken, pool.map(_arms, taken), strict=True):
            healthy = made[case.twin].test
            rows[case.kind].append((ours >= healthy - WITHIN, random >= healthy - WITHIN))
            say(f"{case!s:<55} healthy {healthy:.3f}, faulty {made[case].test:.3f}, remedies {ours:.3f}, at random {random:.3f}")
    return _told(say, rows)


def _arms(case: Case) -> tuple[float, float]:
    return _arm(case, at_random=False), _arm(case, at_random=True)


def _arm(case: Case, at_random: bool) -> float:
    """The test score after the repair, made at most once."""
    file = CACHE / "repair" / f"{case}-{'random' if at_random else 'remedies'}-{FORMAT}.pickle".replace(" ", "-")
    if file.exists():
        kept: float = pickle.loads(file.read_bytes())
        return kept
    import keras

    from training.diagnosis.repair import Repairer
    from training.fitting.progress import Progress

    keras.backend.clear_session()
    training = case.training()
    repairer = Repairer(training.problem, Progress(io.StringIO()))
    if at_random:
        done = repairer.repair_at_random(training.recipe, training.split, case.seed)
    else:
        done = repairer.repair(training.recipe, training.split)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(done.test_after))
    return done.test_after


def _told(say: Callable[[str], None], rows: dict[str, list[tuple[bool, bool]]]) -> dict[str, Any]:
    say(f"\n{'fault':<30}{'runs':>6}{'remedies':>10}{'random':>8}   mended")
    for kind, pairs in rows.items():
        say(f"{kind:<30}{len(pairs):>6}{sum(one for one, _ in pairs):>10}{sum(two for _, two in pairs):>8}")
    figures = {}
    for what, kinds in (("all", set(rows)), ("what a recipe can mend", set(rows) - set(BEYOND_A_RECIPE))):
        pairs = [pair for kind in kinds for pair in rows[kind]]
        figures[what] = _share(say, what, pairs)
    return figures


def _share(say: Callable[[str], None], what: str, pairs: list[tuple[bool, bool]]) -> dict[str, Any]:
    runs, ours, random = len(pairs), sum(one for one, _ in pairs), sum(two for _, two in pairs)
    won, lost = sum(one and not two for one, two in pairs), sum(two and not one for one, two in pairs)
    p = mcnemar(won, lost)
    if runs:
        say(f"{what}: {ours / runs:.1%} of {runs} mended by remedies, {random / runs:.1%} at random (McNemar p = {p:.2g})")
    return {"runs": runs, "remedies": ours / runs if runs else math.nan, "random": random / runs if runs else math.nan, "p": p}
