"""Templates to text. A name that a template uses and nobody gives is an error, never an empty string."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined


@cache
def _environment() -> Environment:
    packaged = Path(__file__).parent / "_templates"
    directory = packaged if packaged.is_dir() else Path(__file__).parent.parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(directory),
        undefined=StrictUndefined,
        autoescape=_is_page,  # noqa: S701 - what is no page is configuration; the inventory model validates its values
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["json"] = _json
    return environment


def _is_page(template: str | None) -> bool:
    return template is not None and template.endswith(".html.j2")


def _json(value: object) -> str:
    if isinstance(value, Undefined):
        str(value)  # raises UndefinedError, which names it
    return json.dumps(value, sort_keys=True)


def render(template: str, **values: object) -> str:
    """The text of ``templates/TEMPLATE`` with these values. Raises jinja2.UndefinedError for a missing one."""
    return _environment().get_template(template).render(**values)
