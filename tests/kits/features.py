"""The features of a camera that no producer has: a node map in a few lines of Python."""

from __future__ import annotations

from typing import Any


class Node:
    """A feature that can be read and written; a selector has words."""

    def __init__(self, value: Any, words: tuple[str, ...] = (), unit: str = "") -> None:
        self.value = value
        self.symbolics = words
        self.unit = unit

    def get_access_mode(self) -> int:
        return 4


class Features:
    """A node map of so many features; `by_component` holds what ComponentSelector selects."""

    def __init__(self, by_component: Any = None, **more: Any) -> None:
        self._nodes = {name: v if isinstance(v, Node) else Node(v) for name, v in more.items()}
        self._by_component: dict[str, dict[str, Any]] = by_component or {}
        if self._by_component:
            names = tuple(self._by_component)
            self._nodes["ComponentSelector"] = Node(names[0], names)

    def has_node(self, name: str) -> bool:
        return name in self._nodes or name in self._selected()

    def __getattr__(self, name: str) -> Any:
        if name in self._nodes:
            return self._nodes[name]
        if name in self._selected():
            return Node(self._selected()[name])
        raise AttributeError(name)

    def _selected(self) -> dict[str, Any]:
        selector = self._nodes.get("ComponentSelector")
        return self._by_component[selector.value] if selector is not None else {}
