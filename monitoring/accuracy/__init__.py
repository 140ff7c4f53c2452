"""How right the model is, with labels and without.

Rule: pure; one statistic a file.
"""
