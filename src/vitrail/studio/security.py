"""Protection against other pages in the same browser (DNS rebinding, CSRF)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

LOCAL = ("127.0.0.1", "localhost", "[::1]", "::1")

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
)


class SecurityMiddleware:
    """ASGI middleware: answers 400 to another Host and 403 to another Origin; adds the policy to every response."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """See ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if (status := _refused(headers)) and scope["type"] == "http":
            await _answer(send, status)
        elif status:
            await send({"type": "websocket.close", "code": 1008})
        else:

            async def send_with_policy(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*_without_cors(message.get("headers", ())), *HEADERS]}
                await send(message)

            await self._app(scope, receive, send_with_policy)


def _refused(headers: dict[str, str]) -> int:
    """The status code with which a request is refused; 0: it is allowed."""
    host = headers.get("host", "")
    if _name(f"//{host}") not in LOCAL:
        return 400
    origin = headers.get("origin")
    if origin is not None and (urlsplit(origin).netloc != host or urlsplit(origin).scheme not in ("http", "https")):
        return 403
    return 403 if headers.get("sec-fetch-site") in ("cross-site", "same-site") and origin is not None else 0


def _name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _without_cors(headers: Any) -> list[tuple[bytes, bytes]]:
    """The headers without permissions for other origins."""
    return [(name, value) for name, value in headers if not name.lower().startswith(b"access-control-")]


async def _answer(send: Any, status: int) -> None:
    body = b"This page answers only requests from the machine it runs on.\n"
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
