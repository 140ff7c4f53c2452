"""The description of all routes in OpenAPI 3.1, written from the table that routes them.

Rule: an operation says what is particular to it; what many have in common (names, errors, limits) is added in `document`.
"""
