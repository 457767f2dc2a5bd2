"""`vitrail studio`: the page, served to this machine alone."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from vitrail.errors import BadSetting, CannotWrite, MissingExtra
from vitrail.events import Event, Note, Result
from vitrail.files import make_folder
from vitrail.settings import Names, setting
from vitrail.task import Task

HOST = "127.0.0.1"


class Studio(Task):
    """Open the labs as a page in the browser: look, fool, visualise, train, GANs and runs."""

    records: ClassVar[bool] = False

    port: int = setting(7860, "Where it listens, on this machine alone; 0: any free one", ge=0, le=65535)
    runs: Path = setting(Path("runs"), "Where run folders are made and found")
    allow: Names = setting((), "Folders that images may be read from, with commas; else the current one")
    open: bool = setting(False, "Open the page in the browser")

    def run(self) -> Iterator[Event]:
        """Yields the address, then serves until Ctrl-C; the last event is the `Result`."""
        if not all(map(find_spec, ("gradio", "fastapi", "uvicorn"))):
            raise MissingExtra("The page needs gradio, which is not installed; run `pip install 'vitrail[studio]'`.")
        roots = tuple(Path(folder).expanduser().resolve() for folder in self.allow) or (Path.cwd(),)
        for root in roots:
            if not root.is_dir():
                raise BadSetting(f"--allow names '{root}', which is no folder; one with images would work.")
        import uvicorn

        make_folder(self.runs)
        with tempfile.TemporaryDirectory(prefix="vitrail-studio-") as uploads, listening(self.port) as socket:
            app, desk = application(self.runs.resolve(), roots, Path(uploads))
            address = f"http://{HOST}:{socket.getsockname()[1]}"
            yield Note(f"The page: {address} (Ctrl-C ends it)")
            if self.open:
                webbrowser.open(address)
            try:
                uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[socket])
            except KeyboardInterrupt:
                pass
            finally:
                desk.jobs.close()
        yield Result({"address": address})


def application(runs: Path, roots: tuple[Path, ...], uploads: Path) -> tuple[Any, Any]:
    """The ASGI app, guarded, and the desk behind it.

    Args:
        uploads: what browsers send is kept there.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads / "files")
    import gradio as gr
    from fastapi import FastAPI

    from vitrail.studio.desk import Desk
    from vitrail.studio.guard import Guard
    from vitrail.studio.page import page, style, theme
    from vitrail.studio.uploads import IMAGE_BYTES

    desk = Desk(runs, roots, uploads)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        app, page(desk), path="/", server_name=HOST, max_file_size=IMAGE_BYTES, show_error=False, ssr_mode=False,
        footer_links=[], theme=theme(), css=style(), pwa=False, mcp_server=False, enable_monitoring=False,
    )  # fmt: skip
    return Guard(app), desk


def listening(port: int) -> Any:
    """A socket on this machine alone; 0: any free port. Raises `CannotWrite`."""
    import socket

    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
        found.listen(100)  # from now on who comes is let in, or waits
    except OSError as error:
        found.close()
        raise CannotWrite(f"Port {port} is taken ({error.strerror}); --port 0 takes any free one.") from None
    return found
