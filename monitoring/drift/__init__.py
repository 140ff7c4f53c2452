"""Whether the world has changed: distances with their limits for display, evidence with a promise for alarms.

Rule: pure. Time and counts are handed in.
"""
