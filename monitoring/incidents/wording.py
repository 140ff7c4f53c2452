"""How numbers are put into words.

>>> percent(0.0), percent(1e-9), percent(0.004), percent(0.314), percent(0.998), duration(95), duration(7320)
('0 %', '0 %', '0.4 %', '31 %', '99.8 %', '95 s', '2 h 2 min')
"""

from __future__ import annotations

import datetime


def percent(share: float) -> str:
    """A share with as many digits as are of use."""
    return f"{100 * share:.1f} %" if 0.0005 <= share < 0.0995 or 0.995 <= share < 0.9995 else f"{100 * share:.0f} %"


def in_measure(measure: str, value: float) -> str:
    """A figure of how right answers are: a share, or an error in the unit of the target.

    >>> in_measure("accuracy", 0.314), in_measure("mae", 12.3456)
    ('31 %', '12.3')
    """
    return percent(value) if measure == "accuracy" else f"{value:.3g}"


def duration(seconds: float) -> str:
    """A time span in its two largest units."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{round(whole / 60)} min"
    hours, days = whole // 3600, whole // 86400
    return f"{hours} h {whole % 3600 // 60} min" if days < 2 else f"{days} d {whole % 86400 // 3600} h"


def moment(seconds: float) -> str:
    """A time in UTC, to the second."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
