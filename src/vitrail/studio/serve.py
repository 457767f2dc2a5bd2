"""`vitrail studio`: the page, served to this machine only."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from vitrail.errors import BadSetting, CannotWrite, MissingExtra
from vitrail.events import Event, Note, Result
from vitrail.files import make_folder
from vitrail.interrupts import stop_code
from vitrail.settings import Names, setting
from vitrail.task import Task

if TYPE_CHECKING:
    from vitrail.studio.context import StudioContext
    from vitrail.studio.security import Guard

HOST = "127.0.0.1"
WORKER_SECONDS = 0.5  # for the worker to end with the page; then it ends by itself
LAST_SECONDS = 2.0  # for everything, from the signal on


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
        before = os.umask(0o077)  # runs made of uploads are nobody else's, and neither is the key
        # A server that was started in the background of a script, which ignores Ctrl-C, is ended by it too.
        heard = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield from self._serve(roots)
        finally:
            os.umask(before)
            signal.signal(signal.SIGINT, heard)

    def _serve(self, roots: tuple[Path, ...]) -> Iterator[Event]:
        import uvicorn

        make_folder(self.runs)
        with listen(self.port) as socket:
            app, context = application(self.runs.resolve(), roots)
            address = f"http://{HOST}:{socket.getsockname()[1]}"
            page = f"{address}/{app.key}/"
            # In a thread: whatever a request waits for, the main thread hears signals.
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
            thread.start()
            try:
                yield Note(f"Serving on {page} (Ctrl-C stops it)")
                if self.open:
                    webbrowser.open(address + app.ticket())
                thread.join()
            except KeyboardInterrupt:
                _exit_soon()
                logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # of requests that are cut off now
                server.should_exit = True
            context.jobs.close(WORKER_SECONDS)
            thread.join()
        yield Result({"address": page})


def _exit_soon() -> None:
    """Ends the process when its work is done, without the seconds in which libraries are torn down.

    A timer ends it where a thread that hangs would keep it.
    """
    timer = threading.Timer(LAST_SECONDS, _leave)
    timer.daemon = True
    timer.start()
    atexit.register(_leave)


def _leave() -> None:
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(stop_code() or 0)


def application(runs: Path, roots: tuple[Path, ...]) -> tuple[Guard, StudioContext]:
    """The page behind its guard, and its context.

    Raises:
        CannotWrite: the page's own folder, in that of the runs, cannot be made or is somebody else's.
    """
    from vitrail.studio.uploads import IMAGE_BYTES, clean, page_key, private_folder

    home = private_folder(runs)
    key, uploads = page_key(home), home / "uploads"
    clean(uploads)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads / "files")
    import gradio as gr
    from fastapi import FastAPI

    from vitrail.studio.context import StudioContext
    from vitrail.studio.page import page, style, theme
    from vitrail.studio.security import Guard

    context = StudioContext(runs, roots, uploads)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        app, page(context), path=f"/{key}", server_name=HOST, max_file_size=IMAGE_BYTES, show_error=False,
        ssr_mode=False, footer_links=[], theme=theme(), css=style(), pwa=False, mcp_server=False,
        enable_monitoring=False,
    )  # fmt: skip
    return Guard(app, key, uploads, lambda: clean(uploads, context.jobs.named_by_open())), context


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
