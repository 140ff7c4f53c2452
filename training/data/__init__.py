"""Where rows come from and how they are parted: data sets, files, stratified splits.

Rule: arrays in, arrays out; nothing here knows a network.
"""
