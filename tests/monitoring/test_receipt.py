"""Ids: whatever is changed in one, it is no longer one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from monitoring.counts.receipt import Seal

SEAL = Seal(b"0123456789abcdef0123456789abcdef")


@given(st.binary(min_size=8, max_size=8), st.floats(0, 4e9), st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(0, 1)), max_size=4))
def test_what_was_sealed_is_what_is_opened(subject: bytes, moment: float, predicted: list[tuple[int, float]]) -> None:
    texts = SEAL.close(subject, moment, [number for number, _ in predicted], [confidence for _, confidence in predicted])

    for text, (number, confidence) in zip(texts, predicted, strict=True):
        receipt = SEAL.open(text)

        assert receipt is not None
        assert (receipt.subject, receipt.predicted) == (subject, number)
        assert abs(receipt.predicted_at - moment) <= 0.001
        assert abs(receipt.confidence - confidence) <= 1 / 65535
        assert re.fullmatch(r"[A-Za-z0-9_-]{58}", text)
    assert len(set(texts)) == len(predicted)


def test_a_change_of_any_character_makes_it_invalid() -> None:
    (text,) = SEAL.close(b"12345678", 1e9, [3], [0.5])
    for place in range(len(text)):
        for other in "AB-_":
            if other != text[place]:
                assert SEAL.open(text[:place] + other + text[place + 1 :]) is None


@given(st.text(max_size=120))
def test_nonsense_is_no_id_and_no_error(text: str) -> None:
    assert SEAL.open(text) is None


def test_another_key_opens_nothing_and_equal_predictions_get_different_ids() -> None:
    first, second = SEAL.close(b"12345678", 1e9, [3, 3], [0.5, 0.5])

    assert first != second
    assert Seal(b"another key that is long enough").open(first) is None
