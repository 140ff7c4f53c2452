"""Fitting a network: batches, schedules, early stopping, and what is said meanwhile.

Rule: changes weights only, never what the network is.
"""
