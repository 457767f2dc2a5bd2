"""The feature cache gives back what was stored or nothing: after crashes, damage, full disks and many writers."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

import vitrail
from vitrail import files
from vitrail.errors import BadWeights, CannotWrite
from vitrail.transfer.cache import FeatureCache
from vitrail.transfer.store import FeatureStore

DESCRIPTION = {"backbone": "squeezenet", "weights": "00ff", "layer": "pool", "size": [227, 227], "flipped": False}
WIDTH = 96

WRITER = """
import sys
from hashlib import sha256
from pathlib import Path
import numpy as np
from vitrail.transfer.cache import FeatureCache
from vitrail.transfer.store import FeatureStore

folder, first, last, step = Path(sys.argv[1]), *map(int, sys.argv[2:5])
cache = FeatureCache(folder, {description})
print("ready", flush=True)
for start in range(first, last, step):
    digests = [sha256(b"%d" % number).digest() for number in range(start, start + step)]
    cache.append(digests, np.repeat(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32), 3, 1).astype("f4"))
"""


def digests_of(numbers: Iterable[int]) -> list[bytes]:
    return [sha256(b"%d" % number).digest() for number in numbers]


def rows_of(digests: list[bytes]) -> np.ndarray:
    """Features that only their own digest can have, so that a wrong row shows."""
    return np.repeat(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32), 3, axis=1).astype(np.float32)


def stored(cache: FeatureCache, digests: list[bytes]) -> np.ndarray:
    """Which digests the cache holds; every row it gives is checked."""
    positions = cache.positions(digests)
    held = positions >= 0
    expected = rows_of([digest for digest, here in zip(digests, held, strict=True) if here])
    if held.any():
        np.testing.assert_array_equal(cache.read(positions[held]), expected)
    return held


def filled(folder: Path, batches: int = 3, size: int = 4) -> tuple[FeatureCache, list[bytes]]:
    cache = FeatureCache(folder, DESCRIPTION)
    digests = digests_of(range(batches * size))
    for start in range(0, len(digests), size):
        cache.append(digests[start : start + size], rows_of(digests[start : start + size]))
    return cache, digests


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/shard-*.safetensors"))


def start_writer(folder: Path, first: int, last: int, step: int) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(Path(vitrail.__path__[0]).parent)}
    program = WRITER.replace("{description}", repr(DESCRIPTION))
    arguments = [sys.executable, "-c", program, str(folder), str(first), str(last), str(step)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment)


def test_rows_come_back_in_the_order_asked_for(tmp_path: Path):
    _, digests = filled(tmp_path)
    cache = FeatureCache(tmp_path, DESCRIPTION)
    order = np.random.default_rng(0).integers(0, len(digests), 50)
    asked = [digests[number] for number in order]

    rows = cache.read(cache.positions(asked))

    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, rows_of(asked))
    assert cache.damaged == []


def test_missing_images_are_told_and_never_read(tmp_path: Path):
    cache, digests = filled(tmp_path)
    positions = cache.positions([digests[1], *digests_of([999])])

    assert positions.dtype == np.int64
    assert positions[0] >= 0
    assert positions[1] == -1
    with pytest.raises(IndexError, match="those of missing images are -1"):
        cache.read(positions)
    with pytest.raises(IndexError, match=r"\[0, 12\)"):
        cache.read(np.array([12]))


def test_an_empty_cache_writes_nothing_and_answers(tmp_path: Path):
    cache = FeatureCache(tmp_path / "cache", DESCRIPTION)
    cache.append([], np.empty((0, WIDTH), np.float32))

    assert cache.positions(digests_of([1, 2])).tolist() == [-1, -1]
    assert cache.positions([]).shape == (0,)
    assert cache.read(cache.positions([])).shape == (0, 0)
    assert os.listdir(tmp_path) == []


def test_a_given_array_is_filled(tmp_path: Path):
    cache, digests = filled(tmp_path)
    out = np.zeros((len(digests), WIDTH), np.float32)

    assert cache.read(cache.positions(digests), out=out) is out
    np.testing.assert_array_equal(out, rows_of(digests))
    with pytest.raises(ValueError, match=r"out must have shape \(12, 96\). Got \(12, 95\)"):
        cache.read(cache.positions(digests), out=np.zeros((12, 95), np.float32))


def test_positions_stay_right_while_the_cache_grows(tmp_path: Path):
    cache, digests = filled(tmp_path)
    positions = cache.positions(digests)
    more = digests_of(range(100, 120))
    FeatureCache(tmp_path, DESCRIPTION).append(more, rows_of(more))
    assert not stored(cache, more).any()

    cache.refresh()

    assert stored(cache, more).all()
    np.testing.assert_array_equal(cache.read(positions), rows_of(digests))


def test_reading_holds_no_file_open(tmp_path: Path):
    cache, digests = filled(tmp_path, batches=30)
    before = len(os.listdir("/dev/fd"))
    rows = cache.read(cache.positions(digests))

    assert len(os.listdir("/dev/fd")) == before
    assert len(rows) == 120


@settings(max_examples=25, deadline=None)
@example(batches=[[bytes(32), b"\0" * 31 + b"\1"], [b"\1" + bytes(31), bytes(32)]], asked=[bytes(32), b"\1" * 32])
@given(
    batches=st.lists(st.lists(st.binary(min_size=32, max_size=32), max_size=5), max_size=4),
    asked=st.lists(st.binary(min_size=32, max_size=32), max_size=5),
)
def test_any_digests_are_found_exactly(batches: list[list[bytes]], asked: list[bytes]):
    with tempfile.TemporaryDirectory() as folder:
        writer = FeatureCache(Path(folder), DESCRIPTION)
        for batch in batches:
            writer.append(batch, rows_of(batch))
        known = sum(batches, [])
        for cache in (writer, FeatureCache(Path(folder), DESCRIPTION)):
            assert stored(cache, known).all()
            assert stored(cache, asked).tolist() == [digest in known for digest in asked]


def test_the_description_is_the_key(tmp_path: Path):
    _, digests = filled(tmp_path)

    assert stored(FeatureCache(tmp_path, dict(reversed(DESCRIPTION.items()))), digests).all()
    for other in ({"layer": "relu7"}, {"flipped": True}, {"weights": "00fe"}, {"precision": "bfloat16"}):
        assert not stored(FeatureCache(tmp_path, DESCRIPTION | other), digests).any()
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / "meta.json").read_text()) == DESCRIPTION


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_refused(tmp_path: Path, value: float):
    cache = FeatureCache(tmp_path, DESCRIPTION)
    rows = rows_of(digests_of(range(5)))
    rows[3, 7] = value

    with pytest.raises(BadWeights, match="features of 1 of 5 images are not finite"):
        cache.append(digests_of(range(5)), rows)
    assert os.listdir(tmp_path) == []


def test_rows_that_do_not_fit_are_refused(tmp_path: Path):
    cache, digests = filled(tmp_path)

    with pytest.raises(ValueError, match="columns like those before"):
        cache.append(digests[:1], np.zeros((1, WIDTH + 1), np.float32))
    for wrong in (digests[:2], [b"short"], []):
        with pytest.raises(ValueError, match="one for each row"):
            cache.append(wrong, rows_of(digests[:1]))


@pytest.mark.parametrize("region", ["length", "header", "rows", "digests"])
def test_one_flipped_bit_anywhere_is_noticed(tmp_path: Path, region: str):
    _, digests = filled(tmp_path, batches=1)
    (path,) = shards(tmp_path)
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    end = start + 4 * WIDTH * 4
    low, high = {"length": (0, 8), "header": (8, start), "rows": (start, end), "digests": (end, len(data))}[region]
    for position in np.random.default_rng(0).integers(8 * low, 8 * high, 50):
        changed = bytearray(data)
        changed[position // 8] ^= 1 << int(position % 8)
        path.write_bytes(changed)
        cache = FeatureCache(tmp_path, DESCRIPTION)

        assert not stored(cache, digests).any(), f"bit {position}"
        assert cache.damaged == [path.name]
        assert shards(tmp_path) == []


@pytest.mark.parametrize("kept", [0, 7, 8, 100, 0.5, 0.999])
def test_a_cut_shard_is_computed_again(tmp_path: Path, kept: float):
    _, digests = filled(tmp_path)
    path = shards(tmp_path)[1]
    data = path.read_bytes()
    path.write_bytes(data[: int(kept if kept >= 1 else kept * len(data))])
    cache = FeatureCache(tmp_path, DESCRIPTION)
    held = stored(cache, digests)
    assert held.sum() == 8
    assert cache.damaged == [path.name]

    missing = [digest for digest, here in zip(digests, held, strict=True) if not here]
    cache.append(missing, rows_of(missing))

    assert stored(cache, digests).all()
    assert stored(FeatureCache(tmp_path, DESCRIPTION), digests).all()
    assert path.with_suffix(".bad").exists()


def shard_bytes(folder: Path, layer: str, width: int) -> bytes:
    cache = FeatureCache(folder, DESCRIPTION | {"layer": layer})
    cache.append(digests_of(range(4)), np.ones((4, width), np.float32))
    return shards(folder)[0].read_bytes()


@pytest.mark.parametrize("content", ["text", "tensors", "another width"])
@pytest.mark.parametrize("name", ["shard-0.safetensors", "shard-z.safetensors"], ids=["first", "last"])
def test_a_foreign_file_is_set_aside(tmp_path: Path, content: str, name: str):
    _, digests = filled(tmp_path / "cache")
    path = shards(tmp_path / "cache")[0].with_name(name)
    path.write_bytes(
        {
            "text": b"GIF89a" * 99,
            "tensors": save({"weight": np.ones((4, 4), np.float32)}),
            "another width": shard_bytes(tmp_path / "wider", "pool", WIDTH + 1),
        }[content]
    )
    cache = FeatureCache(tmp_path / "cache", DESCRIPTION)

    assert stored(cache, digests).all()
    assert cache.damaged == [name]
    cache.append(digests_of([50]), rows_of(digests_of([50])))


def test_a_whole_shard_of_another_network_is_set_aside(tmp_path: Path):
    _, digests = filled(tmp_path / "cache")
    data = shard_bytes(tmp_path / "other", "relu7", WIDTH)
    name = f"shard-{sha256(data).hexdigest()}.safetensors"
    shards(tmp_path / "cache")[0].with_name(name).write_bytes(data)
    cache = FeatureCache(tmp_path / "cache", DESCRIPTION)

    assert stored(cache, digests).all()
    assert cache.damaged == [name]


@pytest.mark.parametrize("number", [0, 1])
def test_damage_that_appears_while_the_cache_is_open_spoils_no_position(tmp_path: Path, number: int):
    _, digests = filled(tmp_path)
    cache = FeatureCache(tmp_path, DESCRIPTION)
    path = shards(tmp_path)[number]
    data = bytearray(path.read_bytes())
    data[-200] ^= 4
    path.write_bytes(data)
    held = stored(cache, digests)

    assert held.sum() == 8
    assert cache.damaged == [path.name]
    assert stored(cache, digests).tolist() == held.tolist()


def test_a_damaged_shard_that_another_process_wrote_again_is_found(tmp_path: Path):
    _, digests = filled(tmp_path, batches=1)
    (path,) = shards(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    cache = FeatureCache(tmp_path, DESCRIPTION)
    assert not stored(cache, digests).any()
    FeatureCache(tmp_path, DESCRIPTION).append(digests, rows_of(digests))

    cache.refresh()

    assert stored(cache, digests).all()


def test_a_shard_that_cannot_be_opened_is_passed_over(tmp_path: Path):
    _, digests = filled(tmp_path)
    path = shards(tmp_path)[0].with_name("shard-0.safetensors")
    path.symlink_to(tmp_path / "nowhere")
    cache = FeatureCache(tmp_path, DESCRIPTION)

    assert stored(cache, digests).all()
    assert cache.damaged == [path.name]
    assert path.is_symlink()


@pytest.mark.slow
def test_writers_killed_at_any_moment_lose_no_more_than_one_shard(tmp_path: Path):
    moments = np.random.default_rng(0).uniform(0, 0.1, 10)
    for number, moment in enumerate(moments):
        writer = start_writer(tmp_path / str(number), 0, 200_000, 20)
        assert writer.stdout is not None
        with writer, writer.stdout as output:
            assert output.readline() == b"ready\n"
            time.sleep(moment)
            writer.send_signal(signal.SIGKILL)
    for number in range(len(moments)):
        cache = FeatureCache(tmp_path / str(number), DESCRIPTION)
        digests = digests_of(range(20 * (len(shards(tmp_path / str(number))) + 2)))
        held = stored(cache, digests)
        assert not held[-20:].any()
        assert held[:-40].all()

        missing = [digest for digest, here in zip(digests, held, strict=True) if not here]
        cache.append(missing, rows_of(missing))

        assert stored(FeatureCache(tmp_path / str(number), DESCRIPTION), digests).all()
        assert cache.damaged == []


def test_what_a_killed_writer_left_is_cleared_away_after_a_day(tmp_path: Path):
    filled(tmp_path)
    young, old = (shards(tmp_path)[0].with_name(name) for name in (".shard.1.abababab.part", ".shard.2.abababab.part"))
    young.touch()
    old.touch()
    os.utime(old, (0, time.time() - 25 * 60 * 60))

    FeatureCache(tmp_path, DESCRIPTION)

    assert young.exists()
    assert not old.exists()


@pytest.mark.parametrize("count", [2, 4])
def test_many_writers_at_once_lose_and_mix_nothing(tmp_path: Path, count: int):
    ranges = [(120 * number, 120 * number + 240) for number in range(count)]  # each overlaps the next by half
    writers = [start_writer(tmp_path, first, last, 12) for first, last in ranges]
    digests = digests_of(range(120 * (count + 1)))
    reader = FeatureCache(tmp_path, DESCRIPTION)
    held = 0
    while any(writer.poll() is None for writer in writers):
        reader.refresh()
        now = int(stored(reader, digests).sum())
        assert now >= held
        held = now
        time.sleep(0.02)
    for writer in writers:
        with writer:
            assert writer.returncode == 0
    reader.refresh()

    assert stored(reader, digests).all()
    assert stored(FeatureCache(tmp_path, DESCRIPTION), digests).all()
    assert reader.damaged == []


def test_a_full_disk_leaves_the_cache_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cache, digests = filled(tmp_path)
    (folder,) = tmp_path.iterdir()
    before = sorted(os.listdir(folder))
    more = digests_of([100, 101])

    def fill_up(descriptor: int, data: bytes) -> None:
        os.write(descriptor, bytes(data)[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_all", fill_up)
        with pytest.raises(CannotWrite, match="the disk is full"):
            cache.append(more, rows_of(more))
        assert sorted(os.listdir(folder)) == before
        assert stored(cache, digests).all()
        assert not stored(cache, more).any()

    cache.append(more, rows_of(more))
    assert stored(FeatureCache(tmp_path, DESCRIPTION), digests + more).all()


def test_a_folder_that_cannot_be_written_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, digests = filled(tmp_path)
    path = shards(tmp_path)[2]
    path.write_bytes(path.read_bytes()[:-1])

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("mkdir", "replace", "unlink"):
        monkeypatch.setattr(Path, name, refuse)
    cache = FeatureCache(tmp_path, DESCRIPTION)

    assert stored(cache, digests).sum() == 8
    cache.refresh()
    assert cache.damaged == [path.name]
    with pytest.raises(CannotWrite, match="the disk is read-only"):
        cache.append(digests, rows_of(digests))


@pytest.mark.parametrize("late", [False, True], ids=["opened", "asked"])
def test_a_shard_that_cannot_be_read_now_stays_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_reads, late: bool
):
    _, digests = filled(tmp_path)
    path = shards(tmp_path)[0]
    cache = FeatureCache(tmp_path, DESCRIPTION) if late else None
    failing_reads(lambda given: given == path)
    cache = cache or FeatureCache(tmp_path, DESCRIPTION)
    assert stored(cache, digests).sum() == 8
    assert cache.damaged == [path.name]
    monkeypatch.undo()

    assert stored(FeatureCache(tmp_path, DESCRIPTION), digests).all()


def test_rows_that_cannot_be_read_back_are_kept_in_memory(tmp_path: Path, failing_reads):
    digests = digests_of(range(4))
    store = FeatureStore(FeatureCache(tmp_path, DESCRIPTION))
    failing_reads(lambda path: path.name.startswith("shard-"))
    assert store.add(digests, rows_of(digests)) is None
    assert store.holds(digests).all()
    assert np.array_equal(store.read(digests), rows_of(digests))


def test_a_cache_that_was_deleted_meanwhile_is_filled_anew(tmp_path: Path):
    _, digests = filled(tmp_path)
    cache = FeatureCache(tmp_path, DESCRIPTION)
    shutil.rmtree(next(tmp_path.iterdir()))

    assert not stored(cache, digests).any()
    cache.append(digests, rows_of(digests))
    assert stored(cache, digests).all()
    assert stored(FeatureCache(tmp_path, DESCRIPTION), digests).all()
