"""python -m benchmarks.diagnosis: does the diagnosis name what is wrong, when it is known what was put wrong?

Faults of many kinds are put into healthy trainings of dense, convolutional, recurrent and attention networks on real data, and at
least as many healthy trainings are made, drawn from what a practitioner might write. What is printed comes from data sets and seeds that
no threshold was chosen on. Beside it stand the rules of SageMaker Debugger and AutoTrainer on the same facts. Trainings are kept in the
cache, so that rules can be changed without training again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.diagnosis.cases import GROUPS, HEALTHY, Case, cases, short_cases
from training.quiet import load_keras_quietly

if TYPE_CHECKING:
    from benchmarks.diagnosis.run import Outcome


def main(words: Sequence[str] | None = None) -> int:
    arguments = _parse(words)
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # networks this small are slower on several
    load_keras_quietly()
    if arguments.overhead:
        from benchmarks.diagnosis.overhead import overhead

        figures: dict[str, Any] = {"overhead": overhead(print, repeats=3 if arguments.short else 7)}
    elif arguments.repair:
        from benchmarks.diagnosis.repair import repair

        figures = {"repair": repair(print, arguments.group, arguments.seeds, 6 if arguments.short else arguments.runs)}
    else:
        chosen = list(short_cases() if arguments.short else cases(arguments.group, arguments.seeds))
        figures = {"diagnosis": confusion(chosen, calibrate=arguments.calibrate)}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    return 0


def confusion(chosen: Sequence[Case], calibrate: bool = False) -> dict[str, Any]:
    """Train what is not in the cache, judge, and print what came of it."""
    from benchmarks.diagnosis.judged import JUDGES, LONGER, alarmed, counted, judge_all, settled
    from benchmarks.diagnosis.run import outcome
    from benchmarks.diagnosis.table import matrix, summary, to_text

    made: dict[Case, Outcome] = {}
    found: dict[str, Any] = {}
    for number, case in enumerate(chosen):
        made[case] = outcome(case)
        print(f"\r{number + 1} of {len(chosen)} trainings", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    counting, unwell, harmless = counted(made)
    judged_by = settled(made, counting, lambda case: outcome(case, LONGER))
    grown = [case for case in counting if judged_by[case] is not made[case]]
    healthy = sum(case.kind == HEALTHY for case in counting)
    print(
        f"{len(counting) - healthy} faulty and {healthy} healthy trainings; {sum(one.seconds for one in made.values()):,.0f} s of training."
    )
    print(f"Not counted: {len(unwell)} healthy draws that trained badly, {len(harmless)} faults that did no harm.")
    print(f"{len(grown)} healthy draws had too few epochs and were trained {LONGER} times as long.")
    early = sum(alarmed(judged_by[case]) for case in counting if case.kind == HEALTHY)
    print(f"An error was said of {early} of the {healthy} healthy ones while they learnt.\n")
    for who, judge in JUDGES.items():
        judged = judge_all(judged_by, counting, judge)
        found[who] = summary(judged)
        print(to_text(found[who], who), end="\n\n")
        if who == "Veleta":
            print(matrix(judged), end="\n\n")
            if calibrate:
                _write_confidence(found[who])
    return found | {
        "healthy_with_alarm": early,
        "left_out": {"unwell": list(map(str, unwell)), "harmless": list(map(str, harmless))},
        "grown": list(map(str, grown)),
    }


def _write_confidence(found: dict[str, Any]) -> None:
    """How often each kind of verdict was right, for the confidence that is shown beside it."""
    from training.diagnosis import naming

    rows = {kind: [round((score["precision"] or 0) * score["named"]), score["named"]] for kind, score in found["kinds"].items()}
    Path(naming.__file__).with_name("confidence.json").write_text(
        "{\n" + ",\n".join(f'  "{kind}": {row}' for kind, row in rows.items()) + "\n}\n", encoding="utf-8"
    )


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosis", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--group", choices=tuple(GROUPS), default="report", help="which data and seeds (default report)")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each fault in each kind of network (default 2)")
    parser.add_argument("--short", action="store_true", help="a few of each, to see that it works")
    parser.add_argument("--overhead", action="store_true", help="how much slower is a training that is looked at?")
    parser.add_argument("--repair", action="store_true", help="how many faulty trainings do the remedies mend?")
    parser.add_argument("--runs", type=int, default=30, metavar="N", help="with --repair: so many of them, drawn (default 30)")
    parser.add_argument("--calibrate", action="store_true", help="write how often each verdict was right, as its confidence")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
