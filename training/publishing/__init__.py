"""From a fitted network to a version on the shelf: scores, calibration, reference, manifest and card.

Rule: reads what training made; changes no weight.
"""
