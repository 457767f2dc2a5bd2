"""Does what a page of the documentation says, block by block, in the present folder: `python run_page.py PAGE...`.

Python runs as it stands, in one namespace; a block of `bash` holds `vitrail` commands and nothing else; a block with a
caption is a file. A captioned pyproject.toml is installed: its entry points are, which is all that pip would add.
"""

import re
import shlex
import sys
import tomllib
from pathlib import Path

from typer.testing import CliRunner

from vitrail.cli.app import app

BLOCK = re.compile(r"^```(?:\{code-block\} )?(\w+)\n(?::caption: (\S+)\n\n)?(.*?)^```$", re.M | re.S)


def main(*pages: str) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for page in pages:
        for language, file, block in BLOCK.findall(Path(page).read_text(encoding="utf-8")):
            if file:
                write(Path(file), block)
            elif language == "python":
                exec(compile(block, page, "exec"), names)
            elif language == "bash":
                command(block)


def write(path: Path, block: str) -> None:
    path.write_text(block, encoding="utf-8")
    if path.name == "pyproject.toml":
        project = tomllib.loads(block)["project"]
        home = Path(f"{project['name']}-{project['version']}.dist-info")
        home.mkdir()
        (home / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
        groups = project["entry-points"].items()
        lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in of.items()) for group, of in groups]
        (home / "entry_points.txt").write_text("\n".join(lines))


def command(block: str) -> None:
    for line in block.replace("\\\n", " ").splitlines():
        vitrail, *arguments = shlex.split(line)
        assert vitrail == "vitrail", line
        done = CliRunner().invoke(app, arguments)
        print(f"$ {line}\n{done.output}")
        if done.exit_code:
            sys.exit(f"{line}: exit code {done.exit_code}")


if __name__ == "__main__":
    main(*sys.argv[1:])
