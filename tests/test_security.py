"""What SECURITY.md says is so: its tests exist, its bounds are the package's, and the code keeps its promises."""

import ast
import os
import re
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "vitrail").rglob("*.py"))
PAGE = (ROOT / "SECURITY.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def name_of(node: ast.AST) -> str:
    """`torch.load` for the attribute of that name."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Every call in the package: file, call, and what is called."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path.relative_to(ROOT / "src" / "vitrail").as_posix(), node, name_of(node.func)


def imported() -> Iterator[tuple[str, str]]:
    """Every import in the package: file, module."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            yield from ((path.relative_to(ROOT / "src" / "vitrail").as_posix(), module) for module in modules)


def keyword(call: ast.Call, name: str) -> object:
    return next((ast.literal_eval(each.value) for each in call.keywords if each.arg == name), None)


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_that_is_named_exists(file, test):
    assert f"def {test}(" in (ROOT / file).read_text()


def test_every_defence_but_one_has_a_test():
    tables = PAGE.split("| threat | defence | test |")[1:]
    rows = [row for table in tables for row in table.partition("\n\n")[0].splitlines()[2:]]
    assert len(rows) > 30
    assert [row for row in rows if "::" not in row] == [row for row in rows if "torchrun" in row]


def test_files_that_are_named_exist():
    for file in re.findall(r"`([\w/]+\.(?:py|html))`", PAGE):
        assert (ROOT / "src" / "vitrail" / file).exists(), file


def test_the_bounds_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {*project["dependencies"], *sum(project["optional-dependencies"].values(), [])}
    table = PAGE.partition("| bound | why |")[2].partition("\n\n")[0]
    stated = [bound for line in table.splitlines()[2:] for bound in re.findall(r"`([^`]+)`", line.split("|")[1])]
    assert len(stated) == 6
    assert set(stated) <= asked


def test_nothing_is_unpickled_but_in_one_place():
    assert not {"joblib", "dill", "shelve", "cloudpickle", "marshal"} & {module for _, module in imported()}
    opening = ("pickle.load", "pickle.loads", "pickle.Unpickler")
    trees = ((path.name, ast.walk(ast.parse(path.read_text()))) for path in SOURCES)
    assert {name for name, nodes in trees if any(name_of(node) in opening for node in nodes)} == {"weights.py"}
    loads = [(file, call) for file, call, name in calls() if name == "torch.load"]
    assert {file for file, _ in loads} == {"backbones/weights.py", "metrics/inception.py"}
    assert all(keyword(call, "weights_only") is True for _, call in loads)
    for file, call, name in calls():
        if name in ("np.load", "numpy.load"):
            assert keyword(call, "allow_pickle") is not True, file


def test_nothing_that_is_read_is_run():
    for file, call, name in calls():
        assert name not in ("eval", "exec", "os.system", "yaml.unsafe_load", "yaml.full_load"), file
        assert keyword(call, "shell") is not True if name.startswith("subprocess.") else True, file
        if name == "yaml.load":
            assert (file, name_of(call.args[1])) == ("settings.py", "_PlainLoader")


def test_few_files_can_reach_beyond_this_machine():
    reach = ("urllib.request", "http.client", "requests", "httpx", "aiohttp", "ftplib", "socket", "torch.hub")
    found = {file for file, module in imported() if module in reach}
    assert found == {"backbones/sources.py", "studio/serve.py"}  # a download by name; a socket on 127.0.0.1


METHODS = {"unlink", "rmdir", "rename", "replace", "touch", "mkdir", "symlink_to", "hardlink_to", "truncate", "chmod"}
METHODS |= {"open", "read_bytes", "read_text", "write_bytes", "write_text"}
"""Of a path, or of a file."""

FUNCTIONS = METHODS | {"rmtree", "remove", "removedirs", "renames", "makedirs", "link", "symlink", "fdopen", "memmap"}
FUNCTIONS |= {"copy", "copy2", "copyfile", "copytree", "move", "mkstemp", "mkdtemp", "fromfile"}
"""Of modules."""

MODULES = ("os", "shutil", "tempfile", "io", "np", "numpy", "gzip", "tarfile", "zipfile")
LIBRARIES = {"load_file", "safe_open", "torch.load", "np.memmap", "tarfile.open", "ParquetFile", "NoTrainInceptionV3"}
"""Functions of libraries that open a path."""

KEEPERS = {"files.py", "reading.py"}
ELSEWHERE = {
    ("backbones/imagenet.py", "read_text"): "a file of the package",
    ("visualisation/spectrum.py", "read_text"): "a file of the package",
    ("studio/page.py", "read_text"): "a file of the package",
    ("studio/html.py", "read_text"): "a file of the package",
    ("registry.py", "read_text"): "a module of an installed package",
    ("backbones/sources.py", "mkdir"): "torch's own cache, for a download by name",
    ("cli/execution.py", "os.open"): "/dev/null, for a terminal that is gone",
    ("studio/worker.py", "os.fdopen"): "the worker's own stdout",
    ("studio/serve.py", "webbrowser.open"): "a browser",
    ("studio/jobs.py", "self.open"): "the list of open jobs",
    ("studio/history.py", "context.jobs.open"): "the list of open jobs",
    ("studio/gans.py", "context.jobs.open"): "the list of open jobs",
    ("studio/gans.py", "self._context.jobs.open"): "the list of open jobs",
    ("studio/uploads.py", "os.chmod"): "the page's own folder, which is closed to others",
    ("studio/uploads.py", "opened.open"): "a member of a zip that was opened by the reader",
    ("tars.py", "tarfile.open"): "a tar file that was opened by the reader",
    ("idx.py", "gzip.open"): "a gzip that was opened by the reader",
    ("transfer/cache.py", "np.memmap"): "after `check_regular`",
    ("transfer/decoding.py", "os.fdopen"): "the process's own stdout",
}
"""What looks as if it opened, wrote or removed a file by itself, and why it may."""


def file_calls() -> Iterator[tuple[str, str]]:
    """Calls outside the two keepers that could open, write or remove a file."""
    for file, node, name in calls():
        if file in KEEPERS or not isinstance(node.func, ast.Attribute | ast.Name):
            continue
        if isinstance(node.func, ast.Name):
            if node.func.id == "open":
                yield file, "open"
            continue
        word, owner = node.func.attr, name.rpartition(".")[0]
        of_text = word == "replace" and len(node.args) != 1  # that of a text takes two
        if owner in MODULES and word in FUNCTIONS:
            yield file, name
        elif owner not in ("files", "reading", *MODULES) and word in METHODS and not of_text:
            yield file, name if word == "open" and name else word


def test_files_are_opened_written_and_removed_in_one_place_each():
    found = set(file_calls())
    assert found - ELSEWHERE.keys() == set()
    assert ELSEWHERE.keys() - found == set(), "no longer there: take it from the list"
    for path in SOURCES:  # else a name could hide what it is
        names = {node.module for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)}
        assert path.name in KEEPERS or not names & {"os", "shutil"}, path


def test_what_a_library_opens_is_looked_at_first():
    """A pipe would be waited for: whatever function gives a path to a library calls one of the reader's first."""
    checks = ("check_regular", "open_regular", "read_bytes", "checked_upload", "file_sha256")
    unchecked = []
    for path in SOURCES:
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            names = [name_of(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)]
            opening = [
                n for n in names if n in LIBRARIES - {"load"} or n in ("torch.load", "np.memmap", "tarfile.open")
            ]
            if opening and not any(name.rpartition(".")[2] in checks for name in names):
                unchecked.append(f"{path.name}: {function.name} calls {opening[0]}")
    assert unchecked == []


def test_every_write_says_below_which_folder_it_stays():
    """`within` is required; None, for a place that the user named, stands in these files only."""
    by_the_user = {"images.py", "report/page.py", "report/chapters.py", "gan/generator.py"}
    writers = ("write_bytes", "write_text", "write_json", "append_line")
    nowhere = set()
    for file, node, name in calls():
        if name.rpartition(".")[2] in writers and file not in KEEPERS:
            (within,) = [each.value for each in node.keywords if each.arg == "within"]
            if isinstance(within, ast.Constant) and within.value is None:
                nowhere.add(file)
    assert nowhere == by_the_user


WATCH = """
import os, sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        line = f"{event} {arguments[0 if event.startswith('socket.get') else 1]!r}"
        descriptor = os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, (line + "\\n").encode())
        os.close(descriptor)

sys.addaudithook(watch)
"""


@pytest.mark.slow
def test_the_labs_and_the_page_open_no_connection_but_to_this_machine(tmp_path, stripes):
    """Every connection of these processes and of those that they start."""
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    log = tmp_path / "sockets"
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    surroundings = {**os.environ, "PYTHONPATH": path, "WATCHED": str(log), "PYTHONUNBUFFERED": "1"}
    surroundings["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    small = ("--epochs", "1", "--width", "4", "--size", "16", "--batch", "8", "--eval-samples", "8")
    commands = {
        "transfer": ("transfer", stripes, "--backbone", "tiny"),
        "explain": ("explain", stripes / "test", "--backbone", "tiny", "--shards", 2, "--workers", 2),
        "gan train": ("gan", "train", stripes, *small, "--final-eval-samples", "8"),
    }
    for name, words in commands.items():
        done = subprocess.run(
            [sys.executable, "-m", "vitrail", *map(str, words)],
            cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (name, done.stderr)
    server = subprocess.Popen(
        [sys.executable, "-m", "vitrail", "studio", "--port", "0"],
        cwd=tmp_path, env=surroundings, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    address = re.search(r"http://\S+/", server.stdout.readline())[0]
    urllib.request.urlopen(address).close()
    server.send_signal(signal.SIGINT)
    server.stdout.close()
    assert server.wait(60) == 0
    opened = set(log.read_text().splitlines())
    elsewhere = [
        line for line in opened if not re.match(r"socket\.\w+ (\('127\.0\.0\.1', \d+\)|'[^']*'|b'[^']*'|\d+$)", line)
    ]
    assert elsewhere == []
    assert [line for line in opened if "getaddrinfo" in line or "gethostbyname" in line] == []
    assert any("bind ('127.0.0.1'" in line for line in opened)  # the page


@pytest.mark.slow
def test_a_ray_of_ours_has_no_dashboard():
    starts = [(file, call) for file, call, name in calls() if name == "ray.init"]
    assert {file for file, _ in starts} == {"sharding/ray_engine.py"}
    for _, call in starts:
        connects = any(each.arg == "address" for each in call.keywords) or bool(call.args)
        assert connects or keyword(call, "include_dashboard") is False
    assert 'os.environ["RAY_USAGE_STATS_ENABLED"] = "0"' in (ROOT / "src/vitrail/sharding/ray_engine.py").read_text()
