"""Which rule serves a path: a trie over raw segments in which the most specific template wins.

At every level a literal is tried before `*` and `*` before `**`; of two templates that
end in literals after `**` the longer one wins. The order of the rules never matters.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.transcoding.template import Template, Wildcard

T = TypeVar("T")

ANY_METHOD = "*"


class RouteConflictError(ValueError):
    """Two rules claim the same method and the same paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    """The rule that serves a path, and the path's raw segments without the verb."""

    target: T
    parts: list[str]


@dataclass(slots=True)
class _Leaf(Generic[T]):
    """What one shape of path offers: verb, then HTTP method."""

    by_verb: dict[str, dict[str, tuple[Template, T]]] = field(default_factory=dict)

    def add(self, method: str, template: Template, target: T) -> None:
        methods = self.by_verb.setdefault(template.verb, {})
        if method in methods:
            other = methods[method][0]
            raise RouteConflictError(
                f"{method} {template.text} and {method} {other.text} match the same paths"
            )
        methods[method] = (template, target)

    def entry(self, verb: str, method: str) -> tuple[Template, T] | None:
        """What serves this verb and method here."""
        methods = self.by_verb.get(verb)
        return None if methods is None else methods.get(method) or methods.get(ANY_METHOD)


@dataclass(slots=True)
class _Node(Generic[T]):
    literals: dict[str, "_Node[T]"] = field(default_factory=dict)
    one: "_Node[T] | None" = None
    leaf: _Leaf[T] = field(default_factory=_Leaf)
    tails: dict[tuple[str, ...], _Leaf[T]] = field(default_factory=dict)
    """Leaves behind `**` at this place, by the literals that follow it, longest first."""


class Router(Generic[T]):
    """Finds the target of a method and a raw path; built once from all rules."""

    def __init__(self, rules: Iterable[tuple[str, Template, T]]) -> None:
        self._root: _Node[T] = _Node()
        self._verbs: set[str] = set()
        for method, template, target in rules:
            self._leaf_of(template).add(method, template, target)
            if template.verb:
                self._verbs.add(template.verb)

    def find(self, method: str, raw_path: str) -> Found[T] | None:
        """The most specific rule for this method and path, or None."""
        parts, verb = self._split(raw_path)
        if parts is None:
            return None
        entry = _find(self._root, parts, 0, verb, method)
        return Found(target=entry[1], parts=parts) if entry is not None else None

    def methods_of(self, raw_path: str) -> frozenset[str]:
        """Every HTTP method that some rule serves on this path; empty for an unknown path."""
        parts, verb = self._split(raw_path)
        if parts is None:
            return frozenset()
        return frozenset(
            method for leaf in _walk(self._root, parts, 0) for method in leaf.by_verb.get(verb, ())
        )

    def _leaf_of(self, template: Template) -> _Leaf[T]:
        node = self._root
        for index, segment in enumerate(template.segments):
            if segment is Wildcard.MANY:
                return self._tail_leaf(
                    node, tuple(str(literal) for literal in template.segments[index + 1 :])
                )
            if segment is Wildcard.ONE:
                node.one = node.one or _Node()
                node = node.one
            else:
                node = node.literals.setdefault(str(segment), _Node())
        return node.leaf

    @staticmethod
    def _tail_leaf(node: _Node[T], tail: tuple[str, ...]) -> _Leaf[T]:
        leaf = node.tails.setdefault(tail, _Leaf())
        node.tails = dict(sorted(node.tails.items(), key=lambda item: -len(item[0])))
        return leaf

    def _split(self, raw_path: str) -> tuple[list[str] | None, str]:
        """Raw segments and verb; None where no template can match."""
        if raw_path == "/":
            return [], ""
        if not raw_path.startswith("/") or raw_path.endswith("/"):
            return None, ""
        parts = raw_path[1:].split("/")
        name, colon, verb = parts[-1].rpartition(":")
        if colon and verb in self._verbs:
            parts[-1] = name
            return parts, verb
        return parts, ""


def _find(node: _Node[T], parts: list[str], at: int, verb: str, method: str) -> tuple[Template, T] | None:
    """The first entry of `_walk` for this verb and method, without the cost of its generators."""
    if at == len(parts):
        entry = node.leaf.entry(verb, method)
        if entry is not None:
            return entry
    else:
        child = node.literals.get(parts[at])
        entry = _find(child, parts, at + 1, verb, method) if child is not None else None
        if entry is None and node.one is not None and parts[at]:
            entry = _find(node.one, parts, at + 1, verb, method)
        if entry is not None:
            return entry
    for tail, leaf in node.tails.items():
        if _ends_with(parts, at, tail) and (entry := leaf.entry(verb, method)) is not None:
            return entry
    return None


def _ends_with(parts: list[str], at: int, tail: tuple[str, ...]) -> bool:
    return len(parts) - at >= len(tail) and tuple(parts[len(parts) - len(tail) :]) == tail


def _walk(node: _Node[T], parts: list[str], at: int) -> Iterator[_Leaf[T]]:
    """Every leaf that matches `parts[at:]`, the most specific first."""
    if at == len(parts):
        yield node.leaf
    else:
        child = node.literals.get(parts[at])
        if child is not None:
            yield from _walk(child, parts, at + 1)
        if node.one is not None and parts[at]:
            yield from _walk(node.one, parts, at + 1)
    for tail, leaf in node.tails.items():
        if _ends_with(parts, at, tail):
            yield leaf
