"""The forms of an answer: all in which answering classes and answering values differ at the door.

Rule: every protocol writes what a form gives it, and none asks what the task is.
"""
