"""Other pages, other machines' names and strange files are kept out; answers carry the policy."""

import http.client
import json
from urllib.parse import urlsplit

import pytest


def ask(studio, method, path, body=None, **headers):
    host = urlsplit(studio.address).netloc
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request(method, path, body, {"Host": host, **headers})
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_the_page_comes_with_the_policy_and_without_permission_for_others(studio):
    status, headers, body = ask(studio, "GET", "/")
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert b"<gradio-app" in body or b"gradio" in body
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "127.0.0.1@evil.example"]
)
def test_another_host_is_refused(studio, host):
    assert ask(studio, "GET", "/", Host=host)[0] == 400


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost.evil.example"]
)
@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/gradio_api/upload", "/"])
def test_another_origin_is_refused(studio, origin, path):
    assert ask(studio, "POST", path, b"{}", Origin=origin)[0] == 403


def test_its_own_origin_is_not(studio):
    status, _, _ = ask(studio, "GET", "/", Origin=studio.address)
    assert status == 200


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/proc/self/environ", "../../etc/passwd", "http://127.0.0.1:1/x", __file__]
)
def test_no_file_outside_is_given(studio, path):
    for route in ("/gradio_api/file=", "/file=", "/gradio_api/proxy="):
        status, _, body = ask(studio, "GET", route + path)
        assert status >= 400, (route, path)
        assert b"root:" not in body


def test_a_large_upload_is_refused(studio):
    boundary = "b"
    body = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        + bytes(21_000_000)
        + b"\r\n--b--\r\n"
    )
    kind = f"multipart/form-data; boundary={boundary}"
    status, _, _ = ask(studio, "POST", "/gradio_api/upload", body, **{"Content-Type": kind})
    assert status == 413


def test_no_function_of_the_page_is_offered_to_programs(studio):
    status, _, body = ask(studio, "GET", "/gradio_api/info")
    assert status == 200
    assert json.loads(body)["named_endpoints"] == {}
