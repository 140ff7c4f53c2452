"""What can go wrong in training for a reason that the user can mend.

TrainingError         in the tree of models.errors.VeletaError
├── DataError         no such data set, a folder without its files, a file that is not what its name says
├── RecipeError       a recipe that cannot be read, an unknown key, a value of the wrong type or out of range
├── DivergedError     a loss that is not a number any more
├── ExportError       a network that cannot be written as ONNX, or whose ONNX file answers otherwise than Keras
├── NetworkError      a network of others that cannot be read, or does not fit its reference rows
├── RunError          no such run, or a record that cannot be read or written
├── RefreshError      a version that cannot be trained again, or nothing to train it with
├── SearchError       a space or a study that cannot be searched
└── PrunedError       an attempt that was given up because it promised nothing: no failure of the whole
"""

from models.errors import VeletaError


class TrainingError(VeletaError):
    """Training cannot go on."""


class DataError(TrainingError):
    """The data is not there or is not what it should be."""


class RecipeError(TrainingError):
    """The recipe asks for something that does not exist or cannot be."""


class DivergedError(TrainingError):
    """The loss is not a number any more."""


class ExportError(TrainingError):
    """The network cannot be exported faithfully."""


class NetworkError(TrainingError):
    """The network that was brought cannot be read, or does not fit its reference rows."""


class RunError(TrainingError):
    """The record has no such run, or cannot be read or written."""


class RefreshError(TrainingError):
    """The version cannot be trained again, or nothing was labelled."""


class SearchError(TrainingError):
    """The space, the study or its storage is not what it should be."""


class PrunedError(TrainingError):
    """An attempt was given up early; the message says why."""
