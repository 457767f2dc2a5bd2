"""Maps and metrics of many images in parts: the same in any division, and their means."""

import numpy as np
import pytest
from PIL import Image

from vitrail.attributions.explainer import Explainer
from vitrail.attributions.shard_work import ExplainWork
from vitrail.backbones.network import Network
from vitrail.datasets.data_card import image_card
from vitrail.errors import BadImage
from vitrail.events import Result, Summary, Table


@pytest.fixture
def files(tmp_path):
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "bad.png").write_text("no image")
    return sorted(tmp_path.glob("*.png"))


@pytest.fixture
def work(backbone, files):
    network = Network(backbone, backbone, {"name": "small", "sha256": None}, "cpu")
    explainer = Explainer(network, methods=("gradient", "grad-cam"), memory=2**30)
    card = lambda images, unreadable: image_card(["set"], images, {}, unreadable)  # noqa: E731
    return ExplainWork(files, [explainer], {"method": ["gradient", "grad-cam"]}, card)


def part_of(work, rows):
    steps = work.process(rows)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_parts_hold_what_the_whole_holds_and_means_are_over_all_images(work):
    whole, first, second = (part_of(work, rows) for rows in (slice(None), slice(0, 2), slice(2, 4)))
    for name in ("small/gradient", "small/grad-cam"):
        assert whole.tensors[name].shape == (3, 16, 16)
        joined = np.concatenate([first.tensors[name], second.tensors[name]])
        np.testing.assert_allclose(joined, whole.tensors[name], rtol=1e-4, atol=1e-6)
    assert [row["index"] for row in [*first.rows, *second.rows]] == [row["index"] for row in whole.rows] == [0, 1, 2]
    table, note, summary, result = work.merge([first, second])
    assert (type(table), type(summary), type(result)) == (Table, Summary, Result)
    assert note.kind == "skipped"
    assert result.values["n"] == 3
    for mean in result.values["means"]:
        own = [each for row in whole.rows for each in row["maps"] if each["method"] == mean["method"]]
        for key in ("deletion_auc", "insertion_auc", "random_deletion_auc"):
            assert mean[key] == pytest.approx(np.mean([each[key] for each in own]), abs=1e-4)
        assert sum(mean["verdicts"].values()) == 3
        assert dict(summary.lines)[mean["method"]].startswith("better than chance on")


def test_without_a_readable_image_there_is_an_error(work, files):
    with pytest.raises(BadImage):
        list(work.merge([part_of(work, slice(3, 4))]))
