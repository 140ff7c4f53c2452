"""The shelf: what a published model is (`manifest`) and how it gets to its place whole (`store`).

Rule: standard library and numpy only; imports none of the other rooms, so that each of them can read the shelf.
The artifacts lie beside this code by default, in `<name>/<version>/`, and are not in git.
"""
