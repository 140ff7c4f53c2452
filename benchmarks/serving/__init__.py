"""Serving measured side by side: Veleta, its rivals and the limit of the machine, all in the same run. `python -m benchmarks.serving`."""
