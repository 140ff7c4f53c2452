"""The servers that Veleta is measured against, each as thin as it can be, in the best of the set-ups that were tried.

A file here runs in its server's own environment, made from the pinned list of the same name, and in a working folder that is thrown away.
"""
