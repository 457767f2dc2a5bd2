"""Processes that this one has started."""

import os
from pathlib import Path


def studio_workers() -> list[int]:
    """Process ids of the page's workers."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    started = [int(number) for each in children for number in each.read_text().split()]
    return [number for number in started if b"vitrail.studio.worker" in Path(f"/proc/{number}/cmdline").read_bytes()]
