"""Learning curves as inline SVG: training and validation over the epochs, the kept epoch marked; or one line for each of several runs
or layers. Colours come from the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 14, 34


@dataclass(frozen=True)
class Line:
    """A line of a chart: its name, its values by epoch (what is missing or not finite is left out), and its class on the page."""

    name: str
    values: Sequence[float | None]
    kind: str


def chart(lines: Sequence[Line], what: str, log: bool = False) -> Markup:
    """A chart with one line for each; empty if there is nothing to draw. With `log` the axis is logarithmic, and zero is left out."""
    values = [value for line in lines for value in line.values if value is not None and _drawn(value, log)]
    if not values:
        return Markup("")
    ticks = _decades(min(values), max(values)) if log else nice_ticks(min(values), max(values))
    drawn = _Chart(max(len(line.values) for line in lines), ticks[0], ticks[-1], log)
    parts = [drawn.level(tick) for tick in ticks] + [drawn.epoch(epoch) for epoch in _epochs(drawn.epochs)]
    return _picture([*parts, *(drawn.line(line.values, line.kind, line.name) for line in lines)], what)


def curves(training: Sequence[float], validation: Sequence[float], best: int, what: str) -> Markup:
    """A chart of `what` after each epoch; `best` (from 0) is the epoch whose weights were kept. Values that are not finite are left out."""
    finite = [value for value in (*training, *validation) if math.isfinite(value)]
    ticks = nice_ticks(min(finite), max(finite))
    drawn = _Chart(len(training), ticks[0], ticks[-1])
    parts = [drawn.level(tick) for tick in ticks]
    parts += [drawn.epoch(epoch) for epoch in _epochs(len(training))]
    parts += [drawn.kept(best), drawn.line(training, "training"), drawn.line(validation, "validation"), drawn.dot(best, validation[best])]
    return _picture(parts, what)


def _picture(parts: Sequence[Markup], what: str) -> Markup:
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


def _decades(lowest: float, highest: float, most: int = 6) -> list[float]:
    """Powers of ten around [lowest, highest], both above zero.

    >>> _decades(0.002, 3.0)
    [0.001, 0.01, 0.1, 1.0, 10.0]
    """
    first, last = math.floor(math.log10(lowest) + 1e-9), math.ceil(math.log10(highest) - 1e-9)
    if first >= last:
        first, last = first - 1, first + 1
    step = math.ceil((last - first) / most)
    return [10.0**power for power in range(first, last + step, step)]


def _label(value: float) -> str:
    """Short enough for the margin.

    >>> _label(0.5), _label(2e-05)
    ('0.5', '2e-5')
    """
    text = f"{value:.0e}" if 0 < abs(value) < 1e-3 else f"{value:g}"
    return text.replace("e-0", "e-").replace("e+0", "e")


def _drawn(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def _epochs(count: int) -> list[int]:
    """Which epochs (from 0) have their number below the axis."""
    step = max(1, math.ceil(count / 8))
    return list(range(0, count, step))


class _Chart:
    """Places in the picture, and the pieces drawn there."""

    def __init__(self, epochs: int, lowest: float, highest: float, log: bool = False) -> None:
        self.epochs, self._log = epochs, log
        self._lowest, self._highest = self._place(lowest), self._place(highest)

    def _place(self, value: float) -> float:
        return math.log10(value) if self._log else value

    def _x(self, epoch: int) -> str:
        share = epoch / (self.epochs - 1) if self.epochs > 1 else 0.5
        return f"{_LEFT + share * (_WIDTH - _LEFT - _RIGHT):.1f}"

    def _y(self, value: float) -> str:
        share = (self._place(value) - self._lowest) / (self._highest - self._lowest)
        return f"{_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM):.1f}"

    def level(self, value: float) -> Markup:
        y = self._y(value)
        return Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}" dy="4" text-anchor="end">{}</text>'
        ).format(_LEFT, _WIDTH - _RIGHT, y, y, _LEFT - 8, y, _label(value))

    def epoch(self, epoch: int) -> Markup:
        return Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(self._x(epoch), _HEIGHT - 12, epoch + 1)

    def kept(self, epoch: int) -> Markup:
        x = self._x(epoch)
        return Markup('<line class="kept" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(x, x, _TOP, _HEIGHT - _BOTTOM)

    def dot(self, epoch: int, value: float) -> Markup:
        return Markup('<circle class="validation" cx="{}" cy="{}" r="4"/>').format(self._x(epoch), self._y(value))

    def line(self, values: Sequence[float | None], kind: str, name: str = "") -> Markup:
        """A line; of a single value a dot."""
        found = [(epoch, value) for epoch, value in enumerate(values) if value is not None and _drawn(value, self._log)]
        title = Markup("<title>{}</title>").format(name) if name else Markup("")
        if name and len(found) == 1:
            epoch, value = found[0]
            return Markup('<circle class="{}" cx="{}" cy="{}" r="4">{}</circle>').format(kind, self._x(epoch), self._y(value), title)
        points = " ".join(f"{self._x(epoch)},{self._y(value)}" for epoch, value in found)
        return Markup('<polyline class="{}" points="{}">{}</polyline>').format(kind, points, title)
