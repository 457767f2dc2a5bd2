import numpy as np
import pytest
from seeded_data import scene


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """120 different images as PNG."""
    folder = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(0)
    files = [folder / f"{place:03d}.png" for place in range(120)]
    for file in files:
        scene(rng).save(file)
    return files
