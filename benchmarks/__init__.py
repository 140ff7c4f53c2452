"""Measurements that others can repeat: each prints what it measured beside what it is held against."""
