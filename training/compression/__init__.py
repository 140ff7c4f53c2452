"""Smaller and faster: pruning, int8, and the gate that a variant has to pass.

Rule: takes a fitted network, gives files and figures.
"""
