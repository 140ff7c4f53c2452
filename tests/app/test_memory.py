"""What is freed and asked for again does not go to the kernel in between."""

from __future__ import annotations

import subprocess
import sys

from tests.live_server import clean_environment

#: Page faults of two hundred arrays of a megabyte, before and after it is said.
_FAULTS = """
import resource
import numpy as np
from app.memory import keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(200):
        held = np.ones(1 << 20, np.uint8), np.ones(1 << 19, np.uint8)
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before, told, _, after = faults(), keep_freed(), faults(), faults()
print(told, before, after)
"""


def test_pages_are_not_fetched_anew_for_each_array() -> None:
    done = subprocess.run([sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True, env=clean_environment())
    told, before, after = done.stdout.split()
    assert told == "True"
    assert int(before) > 200 > 20 > int(after)
