"""`vitrail studio`: the page, served to this machine only."""

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
    """Serve a page for the browser: explain, attack, visualise, train, GANs and runs."""

    records: ClassVar[bool] = False

    port: int = setting(7860, "Port on 127.0.0.1; 0: any free port", ge=0, le=65535)
    runs: Path = setting(Path("runs"), "Folder of the run folders")
    allow: Names = setting(
        (), "Folders that the page may read images from, comma-separated; default: the current folder"
    )
    open: bool = setting(False, "Open the page in the browser")

    def run(self) -> Iterator[Event]:
        """Yields the address, then serves until Ctrl-C; the last event is the `Result`."""
        if not all(map(find_spec, ("gradio", "fastapi", "uvicorn"))):
            raise MissingExtra("The page needs gradio, which is not installed; run `pip install 'vitrail[studio]'`.")
        roots = tuple(Path(folder).expanduser().resolve() for folder in self.allow) or (Path.cwd(),)
        for root in roots:
            if not root.is_dir():
                raise BadSetting(f"--allow: '{root}' is not a folder. Use a folder of images.")
        import uvicorn

        make_folder(self.runs)
        with tempfile.TemporaryDirectory(prefix="vitrail-studio-") as uploads, listen(self.port) as socket:
            app, context = application(self.runs.resolve(), roots, Path(uploads))
            address = f"http://{HOST}:{socket.getsockname()[1]}"
            yield Note(f"Serving on {address}; press Ctrl-C to stop")
            if self.open:
                webbrowser.open(address)
            try:
                uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[socket])
            except KeyboardInterrupt:
                pass
            finally:
                context.jobs.close()
        yield Result({"address": address})


def application(runs: Path, roots: tuple[Path, ...], uploads: Path) -> tuple[Any, Any]:
    """The ASGI app behind the security middleware, and its context.

    Args:
        uploads: where uploaded files are stored.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads / "files")
    import gradio as gr
    from fastapi import FastAPI

    from vitrail.studio.context import StudioContext
    from vitrail.studio.page import page, style, theme
    from vitrail.studio.security import SecurityMiddleware
    from vitrail.studio.uploads import IMAGE_BYTES

    context = StudioContext(runs, roots, uploads)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        app, page(context), path="/", server_name=HOST, max_file_size=IMAGE_BYTES, show_error=False, ssr_mode=False,
        footer_links=[], theme=theme(), css=style(), pwa=False, mcp_server=False, enable_monitoring=False,
    )  # fmt: skip
    return SecurityMiddleware(app), context


def listen(port: int) -> Any:
    """A listening socket on 127.0.0.1; port 0: any free port. Raises `CannotWrite`."""
    import socket

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(100)  # connections are accepted, or wait, from now on
    except OSError as error:
        listener.close()
        raise CannotWrite(
            f"Port {port} cannot be used ({error.strerror}). Use another one, or --port 0 for any free port."
        ) from None
    return listener
