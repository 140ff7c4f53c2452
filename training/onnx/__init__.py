"""Keras to ONNX, by our own hand, and the doubt afterwards.

Rule: one emitter a layer, one table; nothing here trains.
"""
