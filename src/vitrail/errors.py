"""Every error a user can cause; each is ours and the builtin.

VitrailError
├── UnknownName (KeyError)            a name that no collection carries
├── BadSetting (ValueError)           a setting outside its range
├── BadPicture (ValueError)           a picture that cannot be read, or must not be
├── BadFolder (ValueError)            a folder or list of pictures that cannot be used
├── BadWeights (ValueError)           a weights file of another network, or damaged
├── BadRun (ValueError)               a folder that is not a run, or a damaged one
├── MissingWeights (FileNotFoundError)   weights that are not on this machine
├── MissingExtra (ImportError)        an optional library that is not installed
├── LostProcess (RuntimeError)        another process of the same run that has ended
└── CannotWrite (OSError)             a place that cannot be written

A message is one sentence: what is wrong, what was given, what would work.
Faces (the command line, the studio) catch `VitrailError` once and show the sentence.
"""


class VitrailError(Exception):
    """Base of every error a user can cause."""

    __str__ = Exception.__str__  # KeyError would print the message in quotes


class UnknownName(VitrailError, KeyError):
    """A name that no collection carries."""


class BadSetting(VitrailError, ValueError):
    """A setting outside its range."""


class BadPicture(VitrailError, ValueError):
    """A picture that cannot be read, or must not be."""


class BadFolder(VitrailError, ValueError):
    """A folder or list of pictures that cannot be used."""


class BadWeights(VitrailError, ValueError):
    """A weights file of another network, or a damaged one."""


class BadRun(VitrailError, ValueError):
    """A folder that is not a run, or a damaged one."""


class MissingWeights(VitrailError, FileNotFoundError):
    """Weights that are not on this machine."""


class MissingExtra(VitrailError, ImportError):
    """An optional library that is not installed."""


class LostProcess(VitrailError, RuntimeError):
    """Another process of the same run that has ended."""


class CannotWrite(VitrailError, OSError):
    """A place that cannot be written."""
