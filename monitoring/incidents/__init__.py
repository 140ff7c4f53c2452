"""What an alarm means: the likely cause, what it costs, what to do, and the file that tells it.

Rule: pure but for `files`.
"""
