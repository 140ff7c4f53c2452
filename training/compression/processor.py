"""The processor at hand, as Linux describes it."""

from __future__ import annotations

import platform
import re
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
#: Instructions that multiply and add int8 without an overflow on the way.
_INT8_DOT = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"}


def cpu_name(cpuinfo: Path = _CPUINFO) -> str:
    """As the vendor calls it; the architecture where that is not told."""
    return _field("model name", cpuinfo) or platform.processor() or platform.machine()


def has_int8_dot(cpuinfo: Path = _CPUINFO) -> bool:
    return bool(_INT8_DOT & set((_field("flags", cpuinfo) or _field("Features", cpuinfo)).split()))


def _field(name: str, cpuinfo: Path) -> str:
    try:
        text = cpuinfo.read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(rf"^{name}\s*: *(.*)$", text, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""
