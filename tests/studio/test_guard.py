"""The wall before the page: strangers, other pages, other names of this machine, files that a request names."""

import http.client
import json
import os
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

HOSTS = (
    *("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example", "evil@localhost"),
    *(
        "localhost#.evil.com",
        "localhost:7911, evil.com",
        "localhost:7911,localhost:7911",
        "localhost:",
        "localhost:999999",
    ),
    *(
        "LOCALHOST.evil",
        "[::1",
        "::1",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "localhost/",
        "localhost:80/x",
    ),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")


def ask(studio, method, path, body=None, headers=None, *, key=True):
    """The answer to a request for a path below the key: status, headers, body."""
    host = urlsplit(studio.address).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.putrequest(method, f"/{studio.key}{path}" if key else path, skip_host=True, skip_accept_encoding=True)
    given = {"Host": host, **(headers or {})}
    if body is not None:
        given["Content-Length"] = str(len(body))
    for name, value in given.items():
        for each in value if isinstance(value, list) else [value]:
            connection.putheader(name, each)
    connection.endheaders(body)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


@pytest.fixture(scope="module")
def config(studio):
    """The page as the framework describes it: components, and what is called with which of them."""
    return json.loads(ask(studio, "GET", "/config")[2])


ROUTES = """
import json, re
import gradio as gr
from fastapi import FastAPI

def paths(route):
    yield from ([route.path] if hasattr(route, "path") else [])
    prefix = getattr(getattr(route, "include_context", None), "prefix", "")
    for each in getattr(getattr(route, "original_router", None), "routes", []):
        yield from (prefix + path for path in paths(each))

app = gr.mount_gradio_app(FastAPI(), gr.Blocks(), path="/page")
inner = next(route.app for route in app.routes if getattr(route, "path", "") == "/page")
found = {re.sub("[{][^}]*[}]", "x", path) for route in [*app.routes, *inner.routes] for path in paths(route)}
print(json.dumps(sorted(found)))
"""


@pytest.fixture(scope="module")
def routes():
    """Every path of the framework, with something in the place of each parameter."""
    done = subprocess.run([sys.executable, "-c", ROUTES], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert len(found) > 60
    return found


def test_the_page_comes_with_the_policy_and_without_permission_for_others(studio):
    status, headers, body = ask(studio, "GET", "/")
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert b"gradio" in body
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_without_the_key_there_is_nothing(studio, routes):
    """Every route of the framework, by every method, as a stranger: without the key, with another, with a part."""
    asked = 0
    for path in routes:
        for start in ("", f"/{studio.key[:-1]}", f"/{studio.key}x", "/" + "x" * 32, f"/{studio.key.lower()}"):
            for method in METHODS if not start else ("GET", "POST"):
                status, headers, body = ask(studio, method, start + path, key=False)
                assert status == (204 if start + path == "/favicon.ico" else 403), (method, start + path)
                assert studio.key.encode() not in body
                assert studio.key not in str(headers)
                asked += 1
    assert asked > 800


def test_only_what_the_page_asks_for_is_there(studio, routes):
    there = {
        (method, path)
        for path in routes
        for method in METHODS
        if not path.startswith(("/gradio_api/heartbeat", "/gradio_api/queue/data"))  # answers without an end
        and ask(studio, method, path, b"{}" if method == "POST" else None)[0] != 404
    }
    kinds = {path.removeprefix("/gradio_api/").partition("/")[0].partition("=")[0] for _, path in there}
    assert kinds <= {
        *("", "config", "theme.css", "favicon.ico", "manifest.json", "assets", "static", "svelte"),
        *("info", "startup-events", "upload_progress", "file", "queue", "upload", "cancel", "reset"),
    }
    assert {method for method, _ in there} <= {"GET", "HEAD", "POST"}
    assert ask(studio, "GET", "/openapi.json")[0] == ask(studio, "GET", "/gradio_api/openapi.json")[0] == 404


@pytest.mark.parametrize("host", HOSTS)
def test_another_host_is_refused(studio, host):
    assert ask(studio, "GET", "/", headers={"Host": host})[0] == 400


def test_a_host_that_is_said_twice_is_refused(studio):
    assert ask(studio, "GET", "/", headers={"Host": ["localhost", "localhost"]})[0] == 400
    assert ask(studio, "GET", "/", headers={"Host": []})[0] == 400


@pytest.mark.parametrize("host", ["localhost", "localhost:9000", "127.0.0.1:1", "[::1]:7860"])
def test_every_name_of_this_machine_will_do(studio, host):
    assert ask(studio, "GET", "/", headers={"Host": host})[0] == 200  # a tunnel has another port at its near end


@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/gradio_api/upload", "/gradio_api/cancel", "/"])
@pytest.mark.parametrize(
    "headers",
    [
        *(
            {"Origin": o}
            for o in ("http://evil.example", "null", "http://127.0.0.1:1", "https://localhost.evil.example")
        ),
        *({"Origin": o} for o in ("", "HOST.evil", "http://HOST@evil.example", "http://HOST/", "file://", "ws://HOST")),
        {"Origin": ["http://HOST", "http://evil.example"]},
        *({"Sec-Fetch-Site": site} for site in ("cross-site", "same-site", "", "Same-Origin", "none, none")),
        {"Sec-Fetch-Site": ["none", "cross-site"]},
    ],
    ids=str,
)
def test_another_page_is_refused(studio, headers, path):
    host = urlsplit(studio.address).netloc
    given = {
        name: [each.replace("HOST", host) for each in ([value] if isinstance(value, str) else value)]
        for name, value in headers.items()
    }
    assert ask(studio, "POST", path, b"{}", given)[0] == 403
    assert ask(studio, "GET", path, None, given)[0] == 403


def test_its_own_origin_is_not(studio):
    for headers in ({"Origin": studio.origin, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert ask(studio, "GET", "/", headers=headers)[0] == 200


@pytest.fixture
def secret(tmp_path):
    """Files outside all that the page may read."""
    (tmp_path / "secret.json").write_text('{"classes": ["hidden"], "names": ["hidden"], "attributes": true}')
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def file_values(secret, studio):
    """What a browser could send in the place of an upload."""
    uploads = studio.runs / ".studio" / "uploads"
    (uploads / "files" / "way_out").unlink(missing_ok=True)
    (uploads / "files" / "way_out").symlink_to(secret)
    paths = (
        *(str(secret / "secret.json"), str(secret / "pipe"), str(secret), "/dev/zero", "/proc/self/mem", "/etc/passwd"),
        *(
            str(uploads / ".." / "key"),
            str(uploads / "files" / ".." / ".." / "key"),
            str(uploads),
            "",
            "a\0b",
            "x" * 5000,
        ),
        *(str(uploads / "files" / "way_out" / "secret.json"), f"file://{secret}/secret.json", "relative.png"),
        *("http://127.0.0.1:1/x", "https://name.invalid/x.png", "//name.invalid/x", "~/.ssh/id_rsa", 7, None, ["/etc"]),
    )
    for path in paths:
        yield {"path": path, "meta": {"_type": "gradio.FileData"}}
        yield {"path": path, "url": path, "orig_name": "x.png", "size": 1, "is_stream": True}
        yield {"url": path}
        yield [[{"image": {"path": path, "meta": {"_type": "gradio.FileData"}}}]]
        yield {"deep": {"deeper": [{"path": path}]}}


def test_no_input_of_any_endpoint_takes_a_file_that_was_not_sent(studio, secret, config):
    """All endpoints × inputs × values: the guard refuses each before the framework opens anything."""
    values, tried = list(file_values(secret, studio)), 0
    for endpoint in config["dependencies"]:
        places = range(max(1, len(endpoint["inputs"])))
        for place in places:
            # Every value in the first place, and in the others a few, by turns: the guard does not know inputs.
            for value in values if place == 0 else values[(tried % 7) :: 40]:
                data = [None] * len(places)
                data[place] = value
                body = {"data": data, "fn_index": endpoint["id"], "session_hash": "x", "event_data": None}
                status, _, _ = ask(studio, "POST", "/gradio_api/queue/join", json.dumps(body).encode())
                assert status == 403, (endpoint["id"], place, value)
                tried += 1
        for value in values[::20]:
            body = {
                "data": [],
                "fn_index": endpoint["id"],
                "session_hash": "x",
                "event_data": value,
                "trigger_id": value,
            }
            assert ask(studio, "POST", "/gradio_api/queue/join", json.dumps(body).encode())[0] == 403
            tried += 1
    print(f"{len(config['dependencies'])} endpoints, {tried} requests, none let through")
    assert tried > 3000


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"null" * 2])
def test_what_is_no_request_is_refused(studio, body):
    assert ask(studio, "POST", "/gradio_api/queue/join", body)[0] == 400


def test_what_is_too_large_is_refused(studio):
    assert ask(studio, "POST", "/gradio_api/queue/join", b'"' + b"x" * 6_000_000 + b'"')[0] == 413
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert ask(studio, "POST", "/gradio_api/upload", head + bytes(21_000_000) + b"\r\n--b--\r\n", headers)[0] == 413
    two = (head + bytes(15_000_000) + b"\r\n") * 2 + b"--b--\r\n"  # each small enough
    assert ask(studio, "POST", "/gradio_api/upload", two, headers)[0] == 413


def test_only_uploads_are_given(studio, secret):
    uploads = studio.runs / ".studio" / "uploads"
    (uploads / "files" / "mine.png").write_bytes(b"mine")
    assert ask(studio, "GET", f"/gradio_api/file={uploads}/files/mine.png")[0::2] == (200, b"mine")
    given = [value["path"] for value in file_values(secret, studio) if isinstance(value, dict) and "path" in value]
    paths = {path for path in given if isinstance(path, str) and path.isprintable() and " " not in path}
    for path in paths - {""}:
        for route in ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/gradio_api/proxy="):
            status, _, body = ask(studio, "GET", route + path)
            assert status in (403, 404), (route, path)
            assert b"hidden" not in body


def test_no_function_of_the_page_is_offered_to_programs(studio):
    status, _, body = ask(studio, "GET", "/gradio_api/info")
    assert status == 200
    assert json.loads(body)["named_endpoints"] == {}


def test_a_ticket_leads_to_the_page_once(tmp_path):
    import asyncio

    from vitrail.studio.security import Guard

    guard, answers = Guard(None, "k" * 32, tmp_path), []

    async def send(message):
        answers.append(message)

    def visit(path):
        scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", b"localhost:1")]}
        asyncio.run(guard(scope, None, send))
        return answers[-2]["status"], dict(answers[-2]["headers"]).get(b"location")

    ticket = guard.ticket()
    assert visit(ticket) == (303, f"/{'k' * 32}/".encode())
    assert visit(ticket) == visit("/open/") == visit("/open/x") == (403, None)
