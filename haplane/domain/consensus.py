"""One view out of several hosts' views of the same thing: what more than half of them report. Pure.

One host that lies is outvoted wherever two others report as well. Where there is no majority, the value is the one
that claims least: False, nothing, the smaller number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from types import NoneType
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

View = TypeVar("View", bound=BaseModel)


def agreed_view(views: Sequence[View]) -> View | None:
    """What a majority of ``views`` reports, field by field; None for no view.

    Numbers are the highest that a majority reaches; of a list of things with names, those that a majority names.
    """
    if len(views) < 2:
        return views[0] if views else None
    return _merged(views, len(views))


def _merged(views: Sequence[View], voters: int) -> View:
    kind = type(views[0])
    fields = {name: _agreed([getattr(view, name) for view in views], voters) for name in kind.model_fields}
    for name, field in kind.model_fields.items():
        if fields[name] is None and NoneType not in get_args(field.annotation):
            fields[name] = ""
    return kind.model_construct(**fields)


def _agreed(values: Sequence[Any], voters: int) -> Any:
    """The value for which more than half of ``voters`` stand; hosts that name no such thing stand for none."""
    first = next((value for value in values if value is not None), None)
    if isinstance(first, bool):
        return 2 * sum(value is True for value in values) > voters
    if isinstance(first, int | float):
        reached = sorted((value for value in values if value is not None), reverse=True)
        return reached[voters // 2] if len(reached) > voters // 2 else type(first)(0)
    if isinstance(first, tuple):
        return _agreed_items([value for value in values if value is not None], voters)
    if isinstance(first, Mapping):
        return _agreed_mapping([value for value in values if value is not None], voters)
    if isinstance(first, BaseModel):
        present = [value for value in values if value is not None]
        return _merged(present, voters) if 2 * len(present) > voters else None
    value, votes = Counter(values).most_common(1)[0]
    return value if 2 * votes > voters else None


def _agreed_items(tuples: Sequence[tuple[Any, ...]], voters: int) -> tuple[Any, ...]:
    """Each host's vote counts once for a thing, however often it lists it."""
    named: dict[Hashable, list[Any]] = {}
    for items in tuples:
        for key, item in {_key(item): item for item in items}.items():
            named.setdefault(key, []).append(item)
    found = [items for items in named.values() if 2 * len(items) > voters]
    return tuple(_merged(items, voters) if isinstance(items[0], BaseModel) else items[0] for items in found)


def _agreed_mapping(mappings: Sequence[Mapping[Any, Any]], voters: int) -> dict[Any, Any]:
    keys = Counter(key for mapping in mappings for key in mapping)
    return {
        key: _agreed([mapping[key] for mapping in mappings if key in mapping], voters)
        for key, votes in keys.items()
        if 2 * votes > voters
    }


def _key(item: Any) -> Hashable:
    """What makes two reported things the same one."""
    if not isinstance(item, BaseModel):
        return item if isinstance(item, Hashable) else repr(item)
    if (name := getattr(item, "name", None)) is not None:
        return getattr(item, "namespace", None), name
    return item.model_dump_json()
