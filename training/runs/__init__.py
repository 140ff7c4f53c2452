"""The record: every training, with what was tried, how, and what came of it.

Rule: reading needs neither Keras nor TensorFlow, so that `veleta runs` starts fast. Only `folds`, `outcome` and `event_files` know them.
"""
