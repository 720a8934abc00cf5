"""The two spellings of the one model: snake_case in people's files, camelCase in Helm values."""

from __future__ import annotations

from collections.abc import Sequence

from bento_gitops.layers.marked import Marked, MarkedMap
from bento_gitops.model.shape import Shape


def snake(node: Marked, shape: Shape) -> Marked:
    """A tree in Helm's spelling as people's files spell it; names of people's own stay as they are."""
    if not isinstance(node, MarkedMap):
        return node
    names = {camel: name for name, (camel, _) in (shape.fields or {}).items()}
    items = {names.get(key, key): snake(value, shape.below(key)) for key, value in node.items.items()}
    return MarkedMap(items, node.place, {names.get(key, key): place for key, place in node.keys.items()})


def path_in(path: Sequence[str], shape: Shape, *, camel: bool) -> tuple[str, ...]:
    """A path, given in either spelling, in one of them."""
    result: list[str] = []
    for part in path:
        for name, (other, _) in (shape.fields or {}).items():
            if part in (name, other):
                result.append(other if camel else name)
                break
        else:
            result.append(part)
        shape = shape.below(part)
    return tuple(result)
