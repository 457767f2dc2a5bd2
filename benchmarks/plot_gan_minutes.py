"""Draws what `gan_minutes.py` measured: Fréchet distance over minutes of training, the median of each entry's seeds.

    python benchmarks/plot_gan_minutes.py RESULTS PNG

RESULTS is a file of its lines, as `benchmarks/results/gan_minutes.jsonl`.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from vitrail.files import write_bytes
from vitrail.plots.curves import Axis, Line, curve

NAMES = {
    "projected": "projected",
    "dcgan": "DCGAN",
    "pytorch-examples": "DCGAN of pytorch/examples",
    "r3gan": "residual, R3GAN's loss",
}
"""Entries that are drawn, and what the legend calls them."""


def distance(result: dict[str, Any]) -> dict[str, Any]:
    """The Fréchet distance of a line of the results."""
    found: dict[str, Any] = next(each for each in result["metrics"] if each["name"] == "frechet-distance")
    return found


def lines(results: list[dict[str, Any]]) -> list[Line]:
    """A line for each entry, and one for real images against others."""
    values: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        if result["entry"] in NAMES:
            values[result["entry"]][result["minutes"]].append(distance(result)["value"])
    drawn = [
        Line(sorted(of), [median(of[minutes]) for minutes in sorted(of)], NAMES[entry])
        for entry, of in sorted(values.items(), key=lambda item: list(NAMES).index(item[0]))
    ]
    span = sorted({minutes for of in values.values() for minutes in of})
    real = median(distance(result)["baseline"] for result in results)
    return [*drawn, Line([span[0], span[-1]], [real, real], "real images")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("png", type=Path)
    given = parser.parse_args()
    results = [json.loads(line) for line in given.results.read_text().splitlines()]
    axis = Axis("minutes of two cores", "FD [SqueezeNet, N 800]", log_x=True, log_y=True)
    drawn = lines([result for result in results if "entry" in result])
    write_bytes(given.png, curve(drawn, axis), within=given.png.parent)


if __name__ == "__main__":
    main()
