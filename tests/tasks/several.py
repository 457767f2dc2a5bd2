"""The command line in several processes, as torchrun starts them."""

import os
import subprocess
import sys
from pathlib import Path


def start(*arguments, ranks=2):
    """`torchrun --nproc-per-node RANKS -m vitrail ARGUMENTS`, begun; what it prints can be asked for.

    Two hyphens after `-m`, as torchrun takes `--run` for an option of its own.
    """
    launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node", ranks, "-m", "--", "vitrail")
    command = [sys.executable, "-m", *map(str, launcher), *map(str, arguments)]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings)


def done(*arguments, ranks=2):
    """The same, ended: exit code, stdout, stderr."""
    process = start(*arguments, ranks=ranks)
    printed, errors = process.communicate(timeout=300)
    return process.returncode, printed, errors


def rank_of(launcher, rank):
    """The process id of one rank."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    wanted = f"RANK={rank}".encode()
    return next(int(child) for child in children if wanted in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"))


def own_errors(errors):
    """The error lines of vitrail in stderr, without torchrun's."""
    return [line.removeprefix("Error: ") for line in errors.splitlines() if line.startswith("Error: ")]
