"""What went wrong in a training, and what to do: measure, judge, repair.

Rule: `measure/` turns data, network and fit into plain `facts`; `rules/` are pure functions from facts to findings and know no Keras;
only `repair.py` trains. Every number that a rule compares with stands in `thresholds.py`, beside where it comes from.
"""
