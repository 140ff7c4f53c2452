"""A version is trained again on its original data and on what production labelled, and tried against the one that is live.

Rule: nothing here decides what is live; the outcome is a candidate, with the evidence for or against it.
"""
