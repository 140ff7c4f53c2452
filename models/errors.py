"""What goes wrong for a reason that the user can mend: one sentence that names the value and the remedy.

VeletaError            the command line prints it after `veleta:` and exits with 1
├── ManifestError      a manifest, or a file that it names, is not what it should be
├── StoreError         the shelf: no such model or version, not writable
└── …                  each room adds its own
"""


class VeletaError(Exception):
    """A failure that is told to the user in one sentence, without a traceback."""


class ManifestError(VeletaError):
    """A manifest has a wrong field, or a file beside it is missing or altered."""


class StoreError(VeletaError):
    """The shelf has no such model or version, or cannot be written."""
