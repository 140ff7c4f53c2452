"""A network that was trained elsewhere becomes a version on the shelf: read, fitted to the door of the server, and published.

Rule: the only room that knows files of networks that Veleta did not write.
"""
