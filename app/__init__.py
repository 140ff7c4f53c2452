"""The server: turns HTTP into arrays and answers into HTTP. One predictor and one set of decoders; each protocol a thin file over them.

Rule: imports `models` and `monitoring`, never `training`; nothing here, nor anything it imports, knows TensorFlow.
"""
