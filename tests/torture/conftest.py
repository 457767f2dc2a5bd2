"""Campaigns: faults and hostile input by the hundred, from a seed. Short in `make test`, whole in `make torture`."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from trials import Server

KEPT = Path(__file__).parents[2] / "build" / "torture"


@dataclass(frozen=True)
class Campaign:
    """How much of a campaign is run, and what came of it.

    Attributes:
        whole: as `make torture` runs it; else a short version of the same.
        seed: of everything that is drawn.
        figures: what it counted, for `benchmarks/README.md`; kept in build/torture when the campaign is whole.
    """

    whole: bool
    seed: int
    figures: dict[str, Any] = field(default_factory=dict)

    def count(self, short: int, whole: int) -> int:
        """How many of something this campaign makes."""
        return whole if self.whole else short


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Iterator[Campaign]:
    running = Campaign(request.config.getoption("--whole"), request.config.getoption("--campaign-seed"))
    yield running
    if running.whole and running.figures:
        KEPT.mkdir(parents=True, exist_ok=True)
        name = request.node.name.removeprefix("test_")
        text = json.dumps({"seed": running.seed, **running.figures}, indent=2)
        (KEPT / f"{name.replace('/', '_')}.json").write_text(text + "\n")
        print(f"\n{name}: {text}")


@pytest.fixture(scope="session")
def tiny() -> Path:
    """What has to be on Python's path for `--backbone tiny`."""
    return Path(os.environ["PYTHONPATH"].partition(os.pathsep)[0])


@pytest.fixture(scope="session")
def server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.getbasetemp(), tiny)
    yield made
    made.close()
