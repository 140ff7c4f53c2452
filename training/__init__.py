"""A recipe read top to bottom: data, network, fit, export, compress, evaluate, profile, publish.

Rule: imports `models`, `monitoring` and third-party packages; never `app`. Keras is loaded by `train.py` and what it calls, not
by `commands.py`, so that `veleta --help` stays fast. `train.py` is the page to start with.
"""
