"""The `veleta` command. Rule: finds the rooms' commands by name and imports a room only when its command runs."""

__version__ = "0.1.0"
