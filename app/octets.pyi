"""Nested lists of whole numbers from 0 to 255 in JSON as bytes; written in C, and there only where a C compiler was."""

def read(body: bytes, start: int, /) -> tuple[bytearray, tuple[int, ...], int] | None:
    """The list that begins at `start`, of at most 8 axes: its values in order, its shape, and where what follows it begins. 7.0 is taken
    for 7. None if it is anything else, or does not end.
    """
