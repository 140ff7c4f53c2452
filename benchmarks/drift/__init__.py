"""Drift: is the promise about false alarms kept, and how soon is a shift noticed beside other detectors? `python -m benchmarks.drift`."""
