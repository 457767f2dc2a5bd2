"""Every error a user can cause; each is ours and the builtin.

VitrailError
├── UnknownName (KeyError)            a name that no collection carries
├── BadSetting (ValueError)           a setting outside its range
├── BadImage (ValueError)           an image that cannot be read, or must not be
├── BadFolder (ValueError)            a folder or list of images that cannot be used
├── BadWeights (ValueError)           a weights file of another network, or damaged
├── BadRun (ValueError)               a folder that is not a run, or a damaged one
├── MissingWeights (FileNotFoundError)   weights that are not on this machine
├── MissingExtra (ImportError)        an optional library that is not installed
├── LostProcess (RuntimeError)        another process of the same run that has ended
└── CannotWrite (OSError)             a place that cannot be written

A message is one sentence: what is wrong, what was given, "Use ...".
Faces (the command line, the studio) catch `VitrailError` once and show the sentence.
"""


class VitrailError(Exception):
    """Base of every error a user can cause.

    Attributes:
        kind: what is wrong, in a word that programs can rely on ("damaged", "too-large"); empty: the class says it.
        path: the file or folder that it is about, as a user would name it; empty: none.
    """

    __str__ = Exception.__str__  # KeyError would print the message in quotes

    def __init__(self, message: str = "", *, kind: str = "", path: str = "") -> None:
        super().__init__(message)
        self.kind, self.path = kind, path


class UnknownName(VitrailError, KeyError):
    """A name that no collection carries."""


class BadSetting(VitrailError, ValueError):
    """A setting outside its range."""


class BadImage(VitrailError, ValueError):
    """An image that cannot be read, or must not be."""


class BadFolder(VitrailError, ValueError):
    """A folder or list of images that cannot be used."""


class BadWeights(VitrailError, ValueError):
    """A weights file of another network, or a damaged one."""


class BadRun(VitrailError, ValueError):
    """A folder that is not a run, or a damaged one."""


class MissingWeights(VitrailError, FileNotFoundError):
    """Weights that are not on this machine."""


class MissingExtra(VitrailError, ImportError):  # type: ignore[misc]  # both have a `path`
    """An optional library that is not installed."""


class LostProcess(VitrailError, RuntimeError):
    """Another process of the same run that has ended."""


class CannotWrite(VitrailError, OSError):
    """A place that cannot be written."""


def one_line(error: BaseException) -> str:
    """What a library's error says, in one line of at most 200 characters; of the system's, without number and path."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:200]
