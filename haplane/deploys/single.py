"""Recipes of one operation: what it is called in progress and failures, and when it is given up."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def single(
    operation: Callable[..., Any], title: str, seconds: int, *, name: str | None = None, **fixed: object
) -> Callable[..., None]:
    """A recipe that runs ``operation`` with the arguments that it is given, and those ``fixed`` for every run.

    ``title`` may name arguments (``{member}``), ``seconds`` is the operation's timeout; ``name`` is the recipe's own
    where the operation's does not do.
    """
    inner: Callable[..., Any] = operation._inner  # type: ignore[attr-defined]
    own = inspect.signature(inner)

    def recipe(**arguments: object) -> None:
        given = {**fixed, **arguments}
        operation(**given, name=title.format(**given), _timeout=seconds)

    recipe.__name__ = name or inner.__name__
    recipe.__doc__ = inner.__doc__
    free = [parameter for each, parameter in own.parameters.items() if each not in fixed]
    recipe.__signature__ = own.replace(parameters=free)  # type: ignore[attr-defined]
    recipe.deploy_name = title  # type: ignore[attr-defined]
    recipe._inner = recipe  # type: ignore[attr-defined]
    return recipe
