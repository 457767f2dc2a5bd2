"""A table of names, each loaded on first use."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from inspect import getdoc
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from vitrail.errors import UnknownName

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Registry(Mapping[str, Any]):
    """Maps a public name to the object at `"module:attribute"`, relative to `package`.

    Looking a name up imports its module; listing names imports nothing. A name that ends in a colon is
    a family: `table["timm:resnet18"]` is what the entry `"timm:"` gives for `"resnet18"`.
    Other packages add entries through the entry-point group called like `package` (`vitrail.backbones`).

    Args:
        kind: what an entry is, for messages ("backbone").
    """

    def __init__(self, kind: str, package: str, entries: dict[str, str]) -> None:
        self.kind = kind
        self._package = package
        self._own = entries

    @cached_property
    def _entry_points(self) -> dict[str, EntryPoint]:
        from importlib.metadata import entry_points  # 35 ms, which a task that looks nothing up is spared

        return {point.name: point for point in entry_points(group=self._package) if point.name not in self._own}

    def check(self, name: str) -> None:
        """Raises `UnknownName`, with the nearest known name, if `name` is not in the table."""
        if name in self:
            return
        near = get_close_matches(str(name), self, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UnknownName(f"Unknown {self.kind} {name!r}.{hint} Known: {', '.join(map(display_name, self))}.")

    def __getitem__(self, name: str) -> Any:
        """The object called `name`; raises `UnknownName`."""
        self.check(name)
        family, colon, member = name.partition(":")
        if not colon:
            return self._load(name)
        if not member:
            raise UnknownName(f"{name!r} needs a name after its colon. Use {display_name(name)}.")
        return self._load(family + colon)(member)

    def _load(self, name: str) -> Any:
        if name not in self._own:
            return self._entry_points[name].load()
        module, attribute = self._own[name].split(":")
        return getattr(import_module(f"{self._package}.{module}"), attribute)

    def describe(self, name: str) -> str:
        """First sentence of an entry's documentation; our own entries are read from their source, without an import.

        Raises:
            UnknownName: there is no such entry.
        """
        self.check(name)
        if name in self._own:
            module, attribute = self._own[name].split(":")
            return first_sentence(documentation(f"{self._package}.{module}", attribute))
        point = self._entry_points[name]
        return first_sentence(docstring(point.module, point.attr) or getdoc(point.load()) or "")

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self._entry_points

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        family, colon, member = name.partition(":")
        known = family + colon if member else name
        return known in self._own or known in self._entry_points

    def __len__(self) -> int:
        return len(self._own) + len(self._entry_points)


def display_name(name: str) -> str:
    """How a table's name is written for people: a family as `timm:NAME`."""
    return f"{name}NAME" if name.endswith(":") else name


def documentation(module: str, attribute: str) -> str:
    """The docstring of a function, class or constant of a module, from its source; else that of the module."""
    tree = _syntax_tree(module)
    return _docstring(tree, attribute) or ast.get_docstring(tree) or ""


def docstring(module: str, attribute: str) -> str:
    """The docstring of what a module itself defines, from its source; empty for anything else."""
    return _docstring(_syntax_tree(module), attribute)


def _docstring(tree: ast.Module, attribute: str) -> str:
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if name == attribute:
                return ast.get_docstring(node) or ""
            case ast.Assign(targets=[ast.Name(id=name)]) if name == attribute:
                match following:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        return text
    return ""


def _syntax_tree(module: str) -> ast.Module:
    try:
        spec = find_spec(module)
    except ImportError:  # an entry point whose package is gone
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return ast.Module([], [])
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, without addresses and without its full stop."""
    paragraph = " ".join(text.strip().partition("\n\n")[0].split())
    sentence = re.split(r"(?<!e\.g)(?<!i\.e)\. ", paragraph, maxsplit=1)[0]
    return re.sub(r",? ?https?://[^\s)]+", "", sentence).replace(" ()", "").rstrip(".:")


class Room(ModuleType):
    """A package whose public names are imported when they are first used, and win over submodules of the same name."""

    _homes: dict[str, str]

    def __getattr__(self, name: str) -> Any:
        if name not in self._homes:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(self._homes[name]), name)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._homes and isinstance(value, ModuleType):
            return  # importing the submodule `grad_cam` would put it in the place of the function `grad_cam`
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self._homes})


def lazy_names(package: str, homes: dict[str, str]) -> None:
    """Makes public names of a package available without importing what they need until they are used.

    Args:
        package: the package's `__name__`.
        homes: public name -> module that defines it.
    """
    room = sys.modules[package]
    room.__dict__["_homes"] = homes
    room.__class__ = Room
