"""Protocols: each file turns one protocol's requests into (model, rows) and answers into its replies.

Rule: nothing here knows a lane, a queue or how a model is run. `PREDICTIONS` is the one table that both lanes route by.
"""
