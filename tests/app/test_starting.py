"""While something is loaded nobody looks for cycles, and afterwards somebody does, also after an error."""

from __future__ import annotations

import gc

import pytest

from app.starting import without_collecting


def test_cycles_are_looked_for_again() -> None:
    assert gc.isenabled()
    with without_collecting():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), without_collecting():
        raise ImportError
    assert gc.isenabled()
