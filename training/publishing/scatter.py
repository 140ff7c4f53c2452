"""Predicted against actual values as inline SVG: a point for each row, the line on which both are equal. Colours come from the page."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from monitoring.arrays import FloatArray
from training.publishing.curves import nice_ticks

_SIZE, _LEFT, _RIGHT, _TOP, _BOTTOM = 420, 52, 12, 14, 40
#: Points that are drawn; of more, as many at evenly spaced ranks of the actual value.
_MOST = 500


def scatter(actual: FloatArray, predicted: FloatArray) -> Markup:
    """A square chart of test rows (n,), both axes alike."""
    ticks = nice_ticks(float(min(actual.min(), predicted.min())), float(max(actual.max(), predicted.max())))
    order = np.argsort(actual, kind="stable")
    shown = order[np.linspace(0, len(order) - 1, min(len(order), _MOST)).round().astype(int)]
    lowest, span = ticks[0], ticks[-1] - ticks[0]
    across = [_LEFT + (value - lowest) / span * (_SIZE - _LEFT - _RIGHT) for value in (*ticks, *actual[shown].tolist())]
    down = [_SIZE - _BOTTOM - (value - lowest) / span * (_SIZE - _TOP - _BOTTOM) for value in (*ticks, *predicted[shown].tolist())]
    parts = [_grid(x, y, tick) for x, y, tick in zip(across, down, ticks, strict=False)]
    parts.append(_line("kept", across[0], across[len(ticks) - 1], down[0], down[len(ticks) - 1]))
    points = zip(across[len(ticks) :], down[len(ticks) :], strict=True)
    parts += [Markup('<circle class="point" cx="{:.1f}" cy="{:.1f}" r="2.5"/>').format(x, y) for x, y in points]
    parts.append(Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">actual</text>').format(_SIZE // 2, _SIZE - 6))
    parts.append(
        Markup('<text class="tick" x="{0}" y="{1}" text-anchor="middle" transform="rotate(-90 {0} {1})">predicted</text>').format(
            12, _SIZE // 2
        )
    )
    return Markup(
        '<svg class="curves scatter" viewBox="0 0 {0} {0}" role="img" aria-label="Predicted against actual values">{1}</svg>'
    ).format(_SIZE, Markup("").join(parts))


def _grid(x: float, y: float, tick: float) -> Markup:
    return (
        _line("grid", _LEFT, _SIZE - _RIGHT, y, y)
        + Markup('<text class="tick" x="{}" y="{:.1f}" dy="4" text-anchor="end">{:g}</text>').format(_LEFT - 8, y, tick)
        + Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>').format(x, _SIZE - _BOTTOM + 16, tick)
    )


def _line(kind: str, x1: float, x2: float, y1: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(kind, x1, x2, y1, y2)
