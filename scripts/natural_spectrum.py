"""Print the packaged spectrum of natural images.

    python scripts/natural_spectrum.py > src/vitrail/visualisation/spectrum.txt

It is measured on photographs in scikit-image's package that are in the public domain or CC0 according to the docstrings
of `skimage.data`: astronaut (NASA), chelsea (S. van der Walt), coffee (R. Michetti) and rocket (SpaceX).
"""

from importlib.util import find_spec
from pathlib import Path

from vitrail.images import read_pixels, to_unit
from vitrail.visualisation import measure_spectrum

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


def main() -> None:
    """Prints the table: one line per ring."""
    spec = find_spec("skimage")
    assert spec, "this script needs scikit-image"
    assert spec.origin
    folder = Path(spec.origin).parent / "data"
    table = measure_spectrum(to_unit(read_pixels(folder / name))[None] for name in PHOTOGRAPHS).table
    print(f"# Log mean magnitude of {', '.join(PHOTOGRAPHS)} (scikit-image: CC0 or public domain).")
    print("# One line per ring, low to high frequency, per colour plane; columns: horizontal to vertical.")
    for plane in table:
        for ring in plane:
            print(" ".join(f"{value:.4f}" for value in ring.tolist()))


if __name__ == "__main__":
    main()
