"""Whether a text is Kubernetes objects, as kubectl would read them: documents of YAML, or of JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

import yaml

LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NULL = "tag:yaml.org,2002:null"
MOST_DEPTH = 100
"""Definitions of kinds have 40 levels; the parser's own stack ends somewhere."""


def check_objects(text: str) -> None:
    """Raises ValueError, with the line, where it is not made of objects that can be applied, or of none at all."""
    if not any([_check_object(node) for node in _documents(text)]):
        raise ValueError("it holds no Kubernetes object")


def _documents(text: str) -> Iterator[yaml.Node]:
    """Their nodes, which no tag of theirs makes into anything."""
    text, depth = _without_tabs(text), 0
    try:
        for event in yaml.parse(text, LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_DEPTH:
                raise ValueError(f"it is nested more than {MOST_DEPTH} levels deep")
        yield from (node for node in yaml.compose_all(text, LOADER) if node is not None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ValueError(f"{f'line {mark.line + 1}: ' if mark else ''}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error).splitlines()[0]) from None


def _without_tabs(text: str) -> str:
    """Where it is JSON, which may have tabs between its values as YAML may not."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        json.loads(text)
    except ValueError:
        return text
    return text.replace("\t", " ")


def _check_object(node: yaml.Node) -> bool:
    """Whether it is one, or several in a List; a document of comments is none. Raises ValueError for others."""
    if node.tag == NULL:
        return False
    where = f"line {node.start_mark.line + 1}"
    if not isinstance(node, yaml.MappingNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a text"
        raise ValueError(f"{where}: not a Kubernetes object, but {kind}")
    fields = _fields(node)
    for name in ("apiVersion", "kind"):
        if not _text(fields.get(name)):
            raise ValueError(f"{where}: an object without {name}")
    kind, items = _text(fields["kind"]), fields.get("items")
    if kind.endswith("List") and isinstance(items, yaml.SequenceNode):
        return any([_check_object(item) for item in items.value])
    if not _text(_fields(fields.get("metadata")).get("name")):
        raise ValueError(f"{where}: a {kind} without a name in its metadata")
    return True


def _fields(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """By name, none of what is no mapping."""
    return {str(key.value): value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) and node.tag != NULL else ""
