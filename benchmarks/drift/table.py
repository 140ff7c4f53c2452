"""The report: what was promised beside what was measured, and every detector's delay beside Veleta's."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from benchmarks.drift import false_alarms
from benchmarks.drift.cases import NONE
from benchmarks.drift.delays import FALSE_ALARMS, Fixed, Row

_OURS = "Veleta"


@dataclass
class Report:
    """What was measured; `absent` says why a detector is not there."""

    quiet: list[false_alarms.Line] = field(default_factory=list)
    delays: list[Row] = field(default_factory=list)
    fixed: list[Fixed] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)

    def to_text(self) -> str:
        parts = [self._quiet(), *(self._delays(world) for world in dict.fromkeys(row.world for row in self.delays))]
        return "\n\n".join([*filter(None, parts), *(f"{name} is absent: {reason}" for name, reason in self.absent.items())])

    def to_dict(self) -> dict[str, Any]:
        """What has no number because it is longer than any is null."""
        found: dict[str, Any] = _finite(dataclasses.asdict(self))
        return found

    def _quiet(self) -> str:
        if not self.quiet:
            return ""
        promised = f"{false_alarms.LEVEL:,} ticks of {false_alarms.TICK_SECONDS:g} s"
        head = f"False alarms: promised are {promised} between two; then the alarms at the level of one in 30 days, in so many months"
        return "\n".join([head, false_alarms.HEAD, *(line.to_text() for line in self.quiet)])

    def _delays(self, world: str) -> str:
        rows = [row for row in self.delays if row.world == world]
        names = list(rows[0].medians)
        head = (
            f"{world}: median predictions until the alarm, and share of runs without one in time; limits by simulation, "
            f"so that without a shift {1 - FALSE_ALARMS:.0%} of all have none\n{'shift':<32}{'accuracy':>9}"
        )
        lines = [f"{row.case:<32}{100 * row.accuracy:>9.1f}" + "".join(_cell(row, name) for name in names) for row in rows]
        fixed = [_fixed(one) for one in self.fixed if one.world == world]
        return "\n".join([head + "".join(f"{name:>19}" for name in names), *lines, self._score(rows, names), *fixed])

    def _score(self, rows: list[Row], names: list[str]) -> str:
        """In how many cases Veleta was sooner, as soon, and later than each."""
        scores = []
        for name in names:
            pairs = [(row.medians[_OURS], row.medians[name]) for row in rows if row.case != NONE.title]
            sooner, later = sum(ours < other for ours, other in pairs), sum(ours > other for ours, other in pairs)
            scores.append("" if name == _OURS else f"{sooner}, {len(pairs) - sooner - later}, {later}")
        return f"{'Veleta sooner, as soon, later':<41}" + "".join(f"{score:>19}" for score in scores)


def _cell(row: Row, name: str) -> str:
    median, missed = row.medians[name], row.missed[name]
    late = f" ({100 * missed:.0f} %)" if missed else ""
    return f"{'missed' if math.isinf(median) else f'{median:,.0f}'}{late}".rjust(19)


def _fixed(one: Fixed) -> str:
    apart = "never" if math.isinf(one.apart) else f"every {one.apart:,.0f} predictions"
    return f"PSI over {one.limit:g} in windows of {one.window:,}: without drift an alarm {apart}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
