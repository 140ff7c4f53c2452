"""Searching for a better recipe: a space, trials judged on the validation rows alone, and the recipe that is found.

Rule: the test rows are never looked at here.
"""
