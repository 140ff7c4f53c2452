"""What is watched of each prediction: how it is measured, and how it is binned.

Rule: pure. Nothing here knows what a change is.
"""
