"""Everything that is counted: what the numbers in a row mean, the memory and the log that they lie in.

Rule: only adds; what the numbers mean is said elsewhere.
"""
