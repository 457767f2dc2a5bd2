"""Whatever reads a file that somebody else may have written: how a good one is made, and who reads it.

To add a reader: a function that makes good files in a folder, one that reads them, and a line in `READERS`.
"""

import gzip
import json
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from gan_folders import described, finished, unfinished
from hostile_images import files_of, photograph
from pydantic_core import PydanticUndefined
from safetensors.numpy import save_file

from vitrail import idx
from vitrail.backbones.weights import assemble, read_state
from vitrail.datasets.image_table import find_attribute_table, read_attributes
from vitrail.datasets.network_labels import read_network_labels
from vitrail.datasets.open_dataset import open_dataset
from vitrail.events import Note, Plot, Preview, Progress, Result, Table, Weights
from vitrail.files import write_bytes, write_json
from vitrail.gan.encoders import PARTS, read_encoders
from vitrail.gan.generator import load as load_generator
from vitrail.gan_architectures.encoder import Encoder
from vitrail.gan_training.checkpoints import unpack
from vitrail.image_files import find_images, read_bytes
from vitrail.images import read_pixels
from vitrail.report import build_report
from vitrail.run_writer import environment, write_event
from vitrail.runs import read_run
from vitrail.sharding.part import Part, read_part, write_part
from vitrail.studio import html
from vitrail.studio.run_monitor import RunMonitor
from vitrail.studio.uploads import checked_image, checked_weights, unpacked
from vitrail.task import Task
from vitrail.tasks import TASKS
from vitrail.tasks.compare import Compare
from vitrail.transfer.cache import FeatureCache
from vitrail.transfer.classifier import linear_layer, load, read_classifier


@dataclass(frozen=True)
class Reader:
    """One kind of file.

    Attributes:
        make: writes good files into a folder.
        read: reads what is in the folder; it is told which file is damaged.
        executions: of the whole campaign.
    """

    make: Callable[[Path], object]
    read: Callable[[Path, Path], object]
    executions: int = 20_000


# --- settings -------------------------------------------------------------------------------------------------------


NEEDED = {
    "data": "digits",
    "values": ["beta1=0.5,0.9"],
    "chapter": "all",
    "classes": ["0"],
}  # where a default, or "a", says nothing


def settings_files(folder: Path) -> None:
    """One for each task, all its settings in it."""
    for name, task in TASKS.items():
        fields = {key: field.default for key, field in task.model_fields.items()}
        fields |= {key: value for key, value in NEEDED.items() if key in fields}
        needed = {key: ["a", "b"] if "tuple" in str(task.model_fields[key].annotation) else "a" for key in fields}
        values = {key: needed[key] if value is PydanticUndefined else value for key, value in fields.items()}
        text = yaml.safe_dump(json.loads(json.dumps(values, default=str)))
        write_bytes(folder / f"{name}.yaml", text.encode(), within=None)


def read_settings(folder: Path, changed: Path) -> None:
    task: type[Task] = TASKS[changed.stem]
    task.from_file(changed, {})


# --- run folders ----------------------------------------------------------------------------------------------------


def run_folder(folder: Path, name: str = "run") -> None:
    """As a run of `transfer` leaves it, by the package's own writers."""
    run = folder / name
    png = files_of(photograph(np.random.default_rng(0)))["plain.png"]
    write_json(
        run / "settings.json", {"task": "transfer", "settings": {"folder": "digits", "layer": "pool"}}, within=None
    )
    write_json(run / "environment.json", environment(), within=None)
    write_event(Progress("features", 8, 32, detail="quick", values={"loss": 0.5, "accuracy": 0.25}), run)
    write_event(Note("Labels from 3 class folders."), run)
    write_event(Table("classes", "Each class", ("name", "n"), [("cat", 3), ("dog", 5)]), run)
    write_event(Plot("confusion", "Which is taken for which", png), run)
    write_event(Preview("sample", png, {"step": 3.0, "score": 0.1}), run)
    write_event(Progress("fit", 3, 9, values={"loss": 0.25}), run)
    write_event(Result(RESULT), run)
    write_event(Progress("features", 9, 32), run)


RESULT: dict[str, Any] = {
    "task": "transfer",
    "seed": 0,
    "backbone": [{"name": "squeezenet", "sha256": "0a" * 32}],
    "seconds": {"features": 31.2, "fit": 2.04, "total": 34.9},
    "test": {"accuracy": 0.92, "n": 99, "interval": [0.9, 0.94], "per_class": [{"name": "cat", "precision": 0.9}]},
    "choice": {"backbone": "squeezenet", "layer": "pool", "C": 1.0, "head": "linear-svm"},
    "curve_C": [{"C": 0.1, "accuracy": 0.9}, {"C": 1.0, "accuracy": 0.92}],
    "images_per_second": 93.4,
    "skipped": [{"file": "kitchen/broken.jpg", "reason": "it ends early"}],
}


def read_run_folder(folder: Path, changed: Path) -> None:
    """The report, the page's view, and the settings for repeating it."""
    run = folder / "run"
    build_report([run], folder.with_suffix(".html"))
    assert html.finished_html(run)
    found = read_run(run)
    TASKS[found.task](**found.settings)


def read_events(folder: Path, changed: Path) -> None:
    """What the page shows of a run that goes on."""
    monitor = RunMonitor(folder / "run")
    monitor.refresh()
    monitor.seconds_left()
    monitor.result()
    html.note_list(monitor)
    html.preview_images(monitor, {name: name for name in monitor.previews})
    for figures in (monitor.curve, *monitor.previews.values()):
        names = {name for each in figures for name in each}
        html.line_chart("", {name: [each[name] for each in figures if name in each] for name in names})


def events_only(folder: Path) -> None:
    run_folder(folder)
    for path in (folder / "run").rglob("*"):
        if path.is_file() and path.name not in ("events.jsonl", "result.json"):
            path.unlink()


def two_runs(folder: Path) -> None:
    for name in ("run", "other"):
        run_folder(folder, name)
        for path in (folder / name).rglob("*"):
            if path.is_file() and path.suffix != ".json":
                path.unlink()


def read_both(folder: Path, changed: Path) -> None:
    for _ in Compare(run_folders=(folder / "run", folder / "other")).run():
        pass


# --- what was learned -----------------------------------------------------------------------------------------------

DESCRIPTION = {"network": "squeezenet", "layer": "pool"}
DIGESTS = [sha256(b"%d" % number).digest() for number in range(12)]
ROWS = np.arange(12 * 64, dtype=np.float32).reshape(12, 64)


def cache_shards(folder: Path) -> None:
    cache = FeatureCache(folder, DESCRIPTION)
    for start in (0, 4, 8):
        cache.append(DIGESTS[start : start + 4], ROWS[start : start + 4])


def read_cache(folder: Path, changed: Path) -> None:
    """A row is right or missing: never wrong."""
    cache = FeatureCache(folder, DESCRIPTION)
    positions = cache.positions(DIGESTS)
    held = positions >= 0
    if changed.suffix == ".safetensors":
        assert held.sum() >= 8
    np.testing.assert_array_equal(cache.read(positions[held]), ROWS[held])
    for aside in changed.parent.glob("*.bad"):
        aside.unlink()


def classifier(folder: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "weights": rng.normal(size=(3, 512)).astype(np.float32),
        "intercept": np.zeros(3, np.float32),
        "logit_scale": np.ones(1, np.float32),
    }
    member = {"backbone": "squeezenet", "layers": ["fire9"], "network": None, "weights": None}
    about = {"name": "mine", "members": [member], "scaling": "square-root", "flip": False, "classes": ["a", "b", "c"]}
    write_event(Weights("head", tensors, about), folder)


def read_head(folder: Path, changed: Path) -> None:
    saved = read_classifier(folder)
    linear_layer(saved.head)
    logits = saved.head.logits(np.zeros((1, saved.head.weights.shape[1]), np.float32))
    assert logits.shape == (1, len(saved.classes))


def read_network(folder: Path, changed: Path) -> None:
    network = load(folder)
    assert len(network.classes) == network(torch.zeros(1, 3, network.size, network.size)).shape[1]


def checkpoint(folder: Path) -> None:
    unfinished(folder, described())
    for name in ("settings.json", "environment.json", "events.jsonl"):
        (folder / name).unlink()


def generators(folder: Path) -> None:
    finished(folder / "finished", described())
    unfinished(folder / "unfinished", described("attributes"))
    for path in folder.rglob("*.md"):
        path.unlink()


def draw(folder: Path, changed: Path) -> None:
    for name in ("finished", "unfinished"):
        if name in changed.parts:
            made = load_generator(folder / name)
            labels = made.labels((), 2, 0)
            made.images(made.latents(0, 2), labels)
            for label in labels:
                made.label_name(label)


def encoders(folder: Path) -> None:
    about = {"arguments": {"size": 16, "channels": 1, "width": 4}, "outputs": [8, 2], "names": ["Male", "Young"]}
    parts = {
        part: Encoder(**about["arguments"], outputs=outputs).state_dict()
        for part, outputs in zip(PARTS, about["outputs"], strict=True)
    }
    tensors = {f"{part}.{name}": value.numpy() for part, state in parts.items() for name, value in state.items()}
    write_event(Weights("encoder", tensors, about), folder)
    (folder / "events.jsonl").unlink()


def encode(folder: Path, changed: Path) -> None:
    made = read_encoders(folder, "cpu")
    size = made.description["arguments"]["size"]
    latents, attributes = made.encode(torch.zeros(1, made.channels, size, size))
    assert attributes.shape == (1, len(made.description["names"]))


def weights_files(folder: Path) -> None:
    state = torch.nn.Linear(3, 2).state_dict()
    save_file({name: tensor.numpy() for name, tensor in state.items()}, folder / "a.safetensors")
    torch.save({"state_dict": state}, folder / "b.pth")


def read_weights(folder: Path, changed: Path) -> None:
    assemble(lambda: torch.nn.Linear(3, 2), read_state(changed), owner="linear", path=changed)


# --- what is learned from -------------------------------------------------------------------------------------------


def idx_files(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for part, count in (("train", 6), ("t10k", 3)):
        images = struct.pack(">IIII", 0x803, count, 5, 4) + rng.bytes(count * 20)
        labels = struct.pack(">II", 0x801, count) + rng.bytes(count)
        pack = gzip.compress if part == "t10k" else bytes
        ending = ".gz" if part == "t10k" else ""
        (folder / f"{part}-images-idx3-ubyte{ending}").write_bytes(pack(images))
        (folder / f"{part}-labels-idx1-ubyte{ending}").write_bytes(pack(labels))


def read_idx(folder: Path, changed: Path) -> None:
    for part in ("train", "test"):
        images, labels = idx.read_part(folder, part)
        assert len(images) == len(labels)


def attribute_table(folder: Path) -> None:
    rows = ["file,Male,Young,Smiling", "a.png,1,-1,0", "b.png,0,1,1", "c.png,1,1,1"]
    (folder / "labels.csv").write_text("\n".join(rows))
    _three_images(folder)


def _three_images(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    png = files_of(photograph(np.random.default_rng(0), 8, 8))["plain.png"]
    for name in "abc":
        (folder / f"{name}.png").write_bytes(png)


def read_attribute_table(folder: Path, changed: Path) -> None:
    table = find_attribute_table(folder, ("Male",))
    if table is not None:
        found = read_attributes(table, folder, ())
        assert found.values.shape == (len(found.files), len(found.names))


def label_table(folder: Path) -> None:
    (folder / "labels.csv").write_text("file,class_index,name\na.png,0,cat\nb.png,2,dog\nc.png,1,cow")
    _three_images(folder)


def read_labels(folder: Path, changed: Path) -> None:
    found = read_network_labels(folder, ("cat", "cow", "dog"), table=folder / "labels.csv")
    assert found.labels is not None
    assert len(found.labels) == len(found.files)
    assert set(found.labels) <= {0, 1, 2}


def tar_file(folder: Path) -> None:
    _three_images(folder / "in")
    with tarfile.open(folder / "shard.tar", "w") as archive:
        archive.add(folder / "in", "cats")
    shutil.rmtree(folder / "in")


def read_listed(folder: Path, changed: Path) -> None:
    """The images that a tar file or a table names."""
    for path in find_images([changed]):
        read_bytes(path)


def image_tables(folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    _three_images(folder)
    (folder / "list.csv").write_text("file,label\na.png,cat\nb.png,dog\nc.png,cow\n")
    columns = {"file": ["a.png", "b.png", "c.png"], "label": ["cat", "dog", "cow"]}
    parquet.write_table(pa.table(columns), folder / "list.parquet")


def read_image_table(folder: Path, changed: Path) -> None:
    if changed.suffix == ".png":
        return
    found = open_dataset(changed)
    assert len(found.files) == len(found.labels)


def shard_files(folder: Path) -> None:
    rows = [{"index": number, "file": f"{number}.png", "top": []} for number in range(3)]
    skipped = [{"file": "x.png", "reason": "It is no image."}]
    write_part(Part({"shard": "1/2", "images": 4}, rows, skipped), folder / "000001-of-000002", within=folder)
    tensors = {"net/layer": np.arange(12, dtype=np.float32).reshape(3, 4), "right": np.array([True, False, True])}
    write_part(Part({"shard": "2/2", "images": 3}, rows, (), tensors), folder / "000002-of-000002", within=folder)


def read_shard(folder: Path, changed: Path) -> None:
    found = read_part(changed, within=changed.parent)
    good = [{"index": number, "file": f"{number}.png", "top": []} for number in range(3)]
    assert found.rows == good  # a changed shard may never be believed


def image_files(folder: Path) -> None:
    for name, data in files_of(photograph(np.random.default_rng(0), 24, 20)).items():
        (folder / name).write_bytes(data)


def read_any_image(folder: Path, changed: Path) -> None:
    checked_image(changed, changed.parent)
    assert read_pixels(changed, short_side=16, crop=16).shape == (3, 16, 16)


def sent_files(folder: Path) -> None:
    png = files_of(photograph(np.random.default_rng(0), 8, 8))["plain.png"]
    with zipfile.ZipFile(folder / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("set/cats/1.png", "set/dogs/1.png", "set/notes.txt"):
            archive.writestr(name, png)
    save_file({"weights": np.ones((2, 3), np.float32)}, folder / "sent.safetensors")


def read_sent(folder: Path, changed: Path) -> None:
    if changed.suffix == ".safetensors":
        checked_weights(changed, changed.parent)
        return
    home = folder.parent / "elsewhere"
    try:
        unpacked(changed, home / "in")
    finally:
        assert not home.exists() or list(home.iterdir()) == [home / "in"]


READERS: dict[str, Reader] = {
    "settings": Reader(settings_files, read_settings, 10_000),
    "events": Reader(events_only, read_events),
    "run-folder": Reader(run_folder, read_run_folder, 4_000),
    "compared-runs": Reader(two_runs, read_both, 1_000),
    "cache": Reader(cache_shards, read_cache),
    "classifier": Reader(classifier, read_head),
    "classifier-as-network": Reader(classifier, read_network, 1_000),
    "checkpoint": Reader(checkpoint, lambda folder, changed: unpack(changed)),
    "generator": Reader(generators, draw, 4_000),
    "encoders": Reader(encoders, encode, 4_000),
    "weights": Reader(weights_files, read_weights),
    "idx": Reader(idx_files, read_idx),
    "attributes": Reader(attribute_table, read_attribute_table),
    "labels": Reader(label_table, read_labels),
    "tar": Reader(tar_file, read_listed),
    "image-table": Reader(image_tables, read_image_table, 4_000),
    "shards": Reader(shard_files, read_shard),
    "images": Reader(image_files, read_any_image),
    "uploads": Reader(sent_files, read_sent),
}
