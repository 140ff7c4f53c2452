"""Names of data sets that are made of the names of files."""

from __future__ import annotations

import re


def safe_name(text: str) -> str:
    """As models may be called.

    >>> safe_name("My Things (2)"), safe_name("Ä")
    ('my-things-2', 'data')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].strip("-") or "data"
