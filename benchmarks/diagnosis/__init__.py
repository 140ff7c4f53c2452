"""Does the diagnosis name what is wrong, when it is known what was put wrong? `python -m benchmarks.diagnosis`."""
