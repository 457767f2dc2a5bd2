"""The fork server, as campaigns speak to it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


def options(settings):
    """Settings as the command line takes them."""
    words = []
    for name, value in settings.items():
        option = name.replace("_", "-")
        words += [f"--{'' if value else 'no-'}{option}"] if isinstance(value, bool) else [f"--{option}", value]
    return words


@dataclass(frozen=True)
class Outcome:
    """What became of one process.

    Attributes:
        code: of its exit; negative: the signal that ended it.
        seconds: from the start of its group.
        writes, reads: how many there were.
        said: all that it printed.
    """

    code: int
    seconds: float
    writes: int
    reads: int
    said: str

    @property
    def killed(self):
        return self.code < 0

    def assert_well(self):
        assert self.code == 0, self.said
        return self

    def assert_one_sentence(self):
        """It ended with an error of ours, and no more than that."""
        errors = [line for line in self.said.splitlines() if line.startswith("Error: ")]
        assert self.code in (1, 2), (self.code, self.said)
        assert len(errors) == 1, self.said
        assert "Traceback" not in self.said, self.said
        assert "Our mistake" not in self.said, self.said
        return errors[0].removeprefix("Error: ")


class Server:
    """Runs command lines in processes that begin at once.

    Args:
        home: of logs; reads below it are counted and may fail.
        path: what more has to be on Python's path.
    """

    def __init__(self, home, path):
        self.home, self.logs = home, 0
        folders = [str(HERE), str(path), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(folders)}
        environment |= {"XDG_CACHE_HOME": str(home / "xdg"), "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "fork_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.process.stdout.readline() == "ready\n"

    def run(self, *arguments, **trial):
        """One process; `kill_after` seconds, or a `fault` of `faults.play`, may end it."""
        return self.together([{"arguments": arguments, **trial}])[0]

    def together(self, trials):
        """Several at the same time."""
        orders = []
        for trial in trials:
            self.logs += 1
            arguments = [str(argument) for argument in trial["arguments"]]
            log = str(self.home / f"{self.logs}.log")
            Path(log).touch()
            orders.append({"home": str(self.home), **trial, "arguments": arguments, "log": log})
        self.process.stdin.write(json.dumps(orders) + "\n")
        self.process.stdin.flush()
        ended = json.loads(self.process.stdout.readline())
        said = [Path(order["log"]).read_text(errors="replace") for order in orders]
        for order in orders:
            Path(order["log"]).unlink()
        return [Outcome(**each, said=text) for each, text in zip(ended, said, strict=True)]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(timeout=60) == 0
