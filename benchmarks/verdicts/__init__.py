"""What causes do alarms name, when it is known what has changed? `python -m benchmarks.verdicts`."""
