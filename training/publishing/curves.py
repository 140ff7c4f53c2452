"""Learning curves as inline SVG: training and validation over the epochs, the kept epoch marked. Colours come from the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 14, 34


def curves(training: Sequence[float], validation: Sequence[float], best: int, what: str) -> Markup:
    """A chart of `what` after each epoch; `best` (from 0) is the epoch whose weights were kept. Values that are not finite are left out."""
    finite = [value for value in (*training, *validation) if math.isfinite(value)]
    ticks = nice_ticks(min(finite), max(finite))
    chart = _Chart(len(training), ticks[0], ticks[-1])
    parts = [chart.level(tick) for tick in ticks]
    parts += [chart.epoch(epoch) for epoch in _epochs(len(training))]
    parts += [chart.kept(best), chart.line(training, "training"), chart.line(validation, "validation"), chart.dot(best, validation[best])]
    return Markup('<svg class="curves" viewBox="0 0 {} {}" role="img" aria-label="{} by epoch">{}</svg>').format(
        _WIDTH, _HEIGHT, what, Markup("").join(parts)
    )


def nice_ticks(lowest: float, highest: float, about: int = 5) -> list[float]:
    """Round numbers around [lowest, highest].

    >>> nice_ticks(0.03, 1.4)
    [0.0, 0.5, 1.0, 1.5]
    """
    span = max(highest - lowest, 1e-3)
    rough = span / (about - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(lowest / step + 1e-9), math.ceil(highest / step - 1e-9)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def _epochs(count: int) -> list[int]:
    """Which epochs (from 0) have their number below the axis."""
    step = max(1, math.ceil(count / 8))
    return list(range(0, count, step))


class _Chart:
    """Places in the picture, and the pieces drawn there."""

    def __init__(self, epochs: int, lowest: float, highest: float) -> None:
        self._epochs, self._lowest, self._highest = epochs, lowest, highest

    def _x(self, epoch: int) -> str:
        share = epoch / (self._epochs - 1) if self._epochs > 1 else 0.5
        return f"{_LEFT + share * (_WIDTH - _LEFT - _RIGHT):.1f}"

    def _y(self, value: float) -> str:
        share = (value - self._lowest) / (self._highest - self._lowest)
        return f"{_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    def level(self, value: float) -> Markup:
        y = self._y(value)
        return Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}" dy="4" text-anchor="end">{:g}</text>'
        ).format(_LEFT, _WIDTH - _RIGHT, y, y, _LEFT - 8, y, value)

    def epoch(self, epoch: int) -> Markup:
        return Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(self._x(epoch), _HEIGHT - 12, epoch + 1)

    def kept(self, epoch: int) -> Markup:
        x = self._x(epoch)
        return Markup('<line class="kept" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(x, x, _TOP, _HEIGHT - _BOTTOM)

    def dot(self, epoch: int, value: float) -> Markup:
        return Markup('<circle class="validation" cx="{}" cy="{}" r="4"/>').format(self._x(epoch), self._y(value))

    def line(self, values: Sequence[float], kind: str) -> Markup:
        points = " ".join(f"{self._x(epoch)},{self._y(value)}" for epoch, value in enumerate(values) if math.isfinite(value))
        return Markup('<polyline class="{}" points="{}"/>').format(kind, points)
