"""Damage to files, from a seed: bits, cuts and insertions; values of another kind where JSON or a header says them."""

import json
import random
import struct
from collections.abc import Callable
from typing import Any

import yaml

Mutation = Callable[[bytes, random.Random], bytes]

ALIENS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 255, 2**31, 2**63, -(2**63) - 1, 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320),
    *(
        float("nan"),
        float("inf"),
        "",
        " ",
        "\0",
        "x",
        "1",
        "-1",
        "nan",
        "a" * 5000,
        "\n",
        "\x1b[2J",
        "\u202e",
        "\ud800",
    ),
    *("../../etc/passwd", "/", "~", "<script>alert(1)</script>", "{{7*7}}", "cos\nsystem\n(S'true'\ntR."),
    *([], {}, [None], [[]], {"": None}, [0, 1], ["a", "b"], [{}], {"a": {"b": []}}),
)
TOKENS = (
    *(
        b"\0",
        b"\xff",
        b"\n",
        b"\r",
        b'"',
        b"'",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"- ",
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!",
    ),
    *(b"!!python/object/apply:os.system ['true']", b"!!binary x", b"2024-99-99", b"1e999", b"0x", b"NaN", b"Infinity"),
    *(
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"9" * 5000,
        b"[" * 3000,
        b"\xff" * 8,
        b"\x7f\xff\xff\xff",
        b"\0" * 64,
    ),
)


def mutated(data: bytes, suffix: str, rng: random.Random) -> bytes:
    """`data` damaged once to four times; where it has parts that can be parsed, half the time one of those."""
    structured = STRUCTURED.get(suffix)
    if structured is not None and rng.random() < 0.5:
        return structured(data, rng)
    for _ in range(rng.randint(1, 4)):
        data = rng.choice(BYTES)(data, rng)
    return data


# --- of bytes -------------------------------------------------------------------------------------------------------


def _place(data: bytes, rng: random.Random) -> int:
    """Anywhere; the first bytes more often, where headers are."""
    return rng.randrange(min(len(data), 64) if rng.random() < 0.3 else len(data)) if data else 0


def flipped(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :] if data else data


def replaced(data: bytes, rng: random.Random) -> bytes:
    at, some = _place(data, rng), rng.choice((rng.randbytes(rng.randint(1, 8)), rng.choice(TOKENS)))
    return data[:at] + some + data[at + len(some) :]


def inserted(data: bytes, rng: random.Random) -> bytes:
    at = _place(data, rng)
    return data[:at] + rng.choice((rng.randbytes(rng.randint(1, 8)), rng.choice(TOKENS))) + data[at:]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: _place(data, rng)]


def taken_out(data: bytes, rng: random.Random) -> bytes:
    start = _place(data, rng)
    return data[:start] + data[start + rng.randint(1, 40) :]


def doubled(data: bytes, rng: random.Random) -> bytes:
    start, length = _place(data, rng), rng.randint(1, 200)
    return data[:start] + data[start : start + length] * rng.randint(2, 5) + data[start + length :]


def swapped(data: bytes, rng: random.Random) -> bytes:
    """Two lines, or two stretches of eight bytes, in each other's place."""
    parts = data.split(b"\n") if data.count(b"\n") > 1 else [data[at : at + 8] for at in range(0, len(data), 8)]
    if len(parts) < 2:
        return data
    one, other = rng.randrange(len(parts)), rng.randrange(len(parts))
    parts[one], parts[other] = parts[other], parts[one]
    return (b"\n" if data.count(b"\n") > 1 else b"").join(parts)


BYTES: tuple[Mutation, ...] = (flipped, flipped, replaced, inserted, cut, taken_out, doubled, swapped)


# --- of what is written ---------------------------------------------------------------------------------------------


def alien(content: Any, rng: random.Random) -> Any:
    """The content with one value, anywhere in it, of another kind, gone, deep, or in another's place."""
    places = list(_places(content))
    if not places:
        return rng.choice(ALIENS)
    parent, key = rng.choice(places)
    match rng.randrange(6):
        case 0:
            del parent[key]
        case 1:
            other, its_key = rng.choice(places)
            parent[key], other[its_key] = other[its_key], parent[key]
            return _plain(content, 0)  # what was put into itself ends somewhere
        case 2 if isinstance(parent, dict):
            parent[rng.choice(["", "x", "__class__", key + "s", "\0"])] = parent.pop(key)
        case 3:
            parent[key] = _near(parent[key], rng)
        case _:
            parent[key] = rng.choice(ALIENS)
    return content


def _places(content: Any) -> Any:
    children = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, child in list(children):
        yield content, key
        yield from _places(child)


def _near(value: Any, rng: random.Random) -> Any:
    """A value of the same kind that is hardly another."""
    match value:
        case bool():
            return not value
        case int() | float():
            return rng.choice([value + 1, value - 1, -value, value * 1000, value / 2, str(value), [value]])
        case str():
            return rng.choice([value + "x", value[1:], value.upper(), value * 50, [value]])
        case list():
            return rng.choice([value * 2, value[1:], value[::-1], value + [None]])
    return [value]


def _plain(content: Any, depth: int) -> Any:
    if depth > 12:
        return None
    if isinstance(content, dict):
        return {key: _plain(child, depth + 1) for key, child in content.items()}
    return [_plain(child, depth + 1) for child in content] if isinstance(content, list) else content


def _written(content: Any) -> bytes:
    return json.dumps(content).encode()


def of_json(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.05:  # deeper than any reader goes
        return b'{"a":' * 100_000 if rng.random() < 0.5 else b"[" * 100_000
    return _written(alien(json.loads(data), rng))


def of_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = of_json(lines[at], rng)
    return b"\n".join(lines) + b"\n"


def of_yaml(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.05:  # nine lists of nine, each of the one before
        lists = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 10)]
        return "\n".join(["a0: &a0 [x]", *lists, f"{next(iter(yaml.safe_load(data)))}: *a9"]).encode()
    content = alien(yaml.safe_load(data), rng)
    return _written(content) if rng.random() < 0.5 else yaml.safe_dump(content).encode()


def of_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Another header, of the length that is said in front of it."""
    size = struct.unpack("<Q", data[:8])[0]
    head, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    about = head.get("__metadata__", {})
    if "about" in about and rng.random() < 0.5:  # JSON within the header's JSON
        about["about"] = of_json(about["about"].encode(), rng).decode()
    else:
        head = alien(head, rng)
    written = _written(head)
    return struct.pack("<Q", len(written)) + written + rest


def of_table(data: bytes, rng: random.Random) -> bytes:
    rows = [line.split(b",") for line in data.splitlines()]
    row = rng.choice(rows)
    row[rng.randrange(len(row))] = rng.choice([*TOKENS, b"", b"x" * 200_000, b'"', b"a" * 300, b"2"])
    if rng.random() < 0.2:
        row.append(b"more")
    return b"\n".join(b",".join(row) for row in rows)


STRUCTURED: dict[str, Mutation] = {
    ".json": of_json,
    ".jsonl": of_lines,
    ".yaml": of_yaml,
    ".safetensors": of_safetensors,
    ".csv": of_table,
}
