"""The tasks: all in which watching classes and watching values differ, once the rows are measured. Everything else asks a `Task`.

Rule: pure. A new task is a new file here, its signals in `monitoring.signals.answered`, and its form in `app.forms`.
"""
