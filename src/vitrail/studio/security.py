"""The wall before the page: who may ask, for what, and which files a request may name.

Everything comes through `Guard`, before the framework sees it. The address holds a key, so neither another user of this
machine nor another page in the same browser can ask for anything; see `docs/decisions/0018-the-page-is-one-persons.md`.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vitrail.studio.uploads import IMAGE_BYTES, own_upload

HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")
BODY_BYTES = 5_000_000
UPLOAD_BYTES = IMAGE_BYTES + 100_000  # one file in its envelope

ROUTES = {
    "GET": re.compile(
        r"|config|theme\.css|favicon\.ico|manifest\.json|(assets|static|svelte)/.+"
        r"|gradio_api/(info|startup-events|queue/data|upload_progress|heartbeat/\w+|file=.+)"
    ),
    "POST": re.compile(r"gradio_api/(queue/join|upload|cancel|reset)"),
}
"""What the page asks for, below the key; nothing else of the framework is reachable."""

FILE = "gradio_api/file="
JSON_ROUTES = ("gradio_api/queue/join", "gradio_api/cancel", "gradio_api/reset")
FILE_KEYS = {"path", "url", "meta", "is_stream", "_type"}
"""Keys that the framework takes for those of a file."""

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # gradio's own scripts need it
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
NO_KEY = "This page is for the person who started it. Use the address that `vitrail studio` printed; it holds a key.\n"
OTHER_PAGE = "This page answers only requests from the machine it runs on, and from no other page.\n"

Headers = dict[str, list[str]]


class Refused(Exception):
    """A request that is answered here, with a status and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Guard:
    """ASGI middleware: lets through what the page itself asks for, and answers everything else.

    Args:
        key: the first part of every address.
        uploads: the only folder from which files are given, and that a request may name files in.
        on_upload: called, in a thread, before each upload.
    """

    def __init__(self, app: Any, key: str, uploads: Path, on_upload: Callable[[], None] = lambda: None) -> None:
        self._app, self.key, self._uploads, self._on_upload = app, key, uploads, on_upload
        self._tickets: set[str] = set()

    def ticket(self) -> str:
        """A path that leads to the page once: other users can see how a browser was started."""
        made = secrets.token_urlsafe(24)
        self._tickets.add(made)
        return f"/open/{made}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            try:
                receive = await self._admitted(scope, receive)
            except Refused as refused:
                await _answer(send, refused)
                return
            await self._app(scope, receive, _with_policy(send))
        else:  # the page opens no WebSocket
            await send({"type": "websocket.close", "code": 1008})

    async def _admitted(self, scope: Any, receive: Any) -> Any:
        """What gives the app the request's body.

        Raises:
            Refused: it is not let through.
        """
        _check_source(_headers(scope))
        inner = self._below_the_key(scope["path"])
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in ROUTES or not ROUTES[method].fullmatch(inner):
            raise Refused(404, "There is nothing here.\n")
        if inner.startswith(FILE):
            name = inner.removeprefix(FILE)
            if await asyncio.to_thread(own_upload, name, self._uploads) is None:
                raise Refused(403, "This is no file of the page.\n")
        if method != "POST":
            return receive
        if inner in JSON_ROUTES:
            return _replay(await self._checked(await _body(receive, BODY_BYTES)), receive)
        await asyncio.to_thread(self._on_upload)
        return _counted(receive, _headers(scope))

    def _below_the_key(self, path: str) -> str:
        """The path below the key; raises `Refused` for any other."""
        first, _, rest = path.removeprefix("/").partition("/")
        if path == "/favicon.ico":  # a browser asks for it on its own, and does not know the key
            raise Refused(204, "")
        if first == "open" and rest in self._tickets:
            self._tickets.remove(rest)
            raise Refused(303, f"/{self.key}/")
        if not secrets.compare_digest(first.encode(), self.key.encode()):
            raise Refused(403, NO_KEY)
        if path == f"/{self.key}":
            raise Refused(303, f"/{self.key}/")
        return rest

    async def _checked(self, body: bytes) -> bytes:
        """The JSON of a request, with nothing in it that names a file but uploads of this page."""
        try:
            content = json.loads(body)
            return json.dumps(await asyncio.to_thread(self._without_files, content)).encode()
        except (ValueError, RecursionError):
            raise Refused(400, "The request is no JSON.\n") from None

    def _without_files(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._without_files(each) for each in value]
        if not isinstance(value, dict):
            return value
        if not FILE_KEYS & value.keys():
            return {name: self._without_files(each) for name, each in value.items()}
        path = own_upload(value.get("path"), self._uploads)
        if path is None:
            raise Refused(403, "A file must be uploaded first.\n")
        name = value.get("orig_name")
        return {
            "path": str(path),
            "orig_name": name if isinstance(name, str) else path.name,
            "meta": {"_type": "gradio.FileData"},
        }


def _check_source(headers: Headers) -> None:
    """Refuses what does not come from the page itself, or from whoever opens it.

    A browser names the page that asks in `Origin` and `Sec-Fetch-Site`, and the name under which it knows this machine
    in `Host`; each is compared as it stands, and may be there once.
    """
    host, origin, site = (headers.get(name, []) for name in ("host", "origin", "sec-fetch-site"))
    if len(host) != 1 or not HOST.fullmatch(host[0]):
        raise Refused(400, OTHER_PAGE)
    if origin not in ([], [f"http://{host[0]}"], [f"https://{host[0]}"]):
        raise Refused(403, OTHER_PAGE)
    if site not in ([], ["same-origin"], ["none"]):
        raise Refused(403, OTHER_PAGE)


def _headers(scope: Any) -> Headers:
    found: Headers = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


async def _body(receive: Any, limit: int) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, "The request ended early.\n")
        body, more = body + message.get("body", b""), message.get("more_body", False)
        if len(body) > limit:
            raise Refused(413, f"The request is too large. Use at most {limit:,} bytes.\n")
    return body


def _replay(body: bytes, receive: Any) -> Any:
    """A `receive` that gives this body, and then what the server gives: that the browser has gone."""
    messages: Iterator[Any] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Any:
        return next(messages, None) or await receive()

    return replay


def _counted(receive: Any, headers: Headers) -> Any:
    """The body of an upload; it ends, as if the sender had gone, where it is larger than one file may be."""
    stated = headers.get("content-length", ["0"])[0]
    if not stated.isdecimal() or int(stated) > UPLOAD_BYTES:
        raise Refused(413, f"The file is too large. Use at most {IMAGE_BYTES:,} bytes.\n")
    left = UPLOAD_BYTES

    async def counted() -> Any:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return counted


def _with_policy(send: Any) -> Any:
    """Adds the policy to the answer, and takes permissions for other pages from it."""

    async def send_with_policy(message: Any) -> None:
        if message["type"] == "http.response.start":
            ours = {name for name, _ in HEADERS}
            given = [each for each in message.get("headers", ()) if each[0].lower() not in ours]
            given = [each for each in given if not each[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": [*given, *HEADERS]}
        await send(message)

    return send_with_policy


async def _answer(send: Any, refused: Refused) -> None:
    moved = refused.status == 303
    body = b"" if moved else refused.text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), *HEADERS]
    headers += [(b"location", refused.text.encode())] if moved else []
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
