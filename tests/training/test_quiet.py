"""Keras as it is loaded here: at once, and without what nobody asks for, which can still be had."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.training.runs import ROOT

pytestmark = pytest.mark.training


def test_what_keras_takes_along_for_others_is_left_out_and_can_be_loaded_later() -> None:
    code = (
        "import sys; from training.quiet import load_keras_quietly; load_keras_quietly(); "
        "assert not {'sklearn', 'matplotlib', 'pandas'} & set(sys.modules), 'loaded'; import pandas, sklearn, matplotlib.pyplot"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
