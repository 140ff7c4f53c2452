"""Arguments from a recipe, checked against what Keras itself takes, so that a misspelt one is named beside those that there are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from training.errors import RecipeError


def check_arguments(where: str, what: Callable[..., Any], given: Mapping[str, Any], hidden: Collection[str] = ("self", "name")) -> None:
    """Raise RecipeError if `what` takes no argument of a name that is given. `hidden` are those that are not the recipe's to set.

    >>> check_arguments("schedule_arguments", lambda share, final=0.0: share, {"fnal": 0.1}, hidden=("share",))
    Traceback (most recent call last):
    training.errors.RecipeError: schedule_arguments has no 'fnal'; it has final
    """
    taken = argument_names(what, hidden)
    for name in given:
        if name not in taken:
            raise RecipeError(f"{where} has no {name!r}; it has {', '.join(taken) or 'no arguments'}")


def argument_names(what: Callable[..., Any], hidden: Collection[str] = ("self", "name")) -> list[str]:
    """The arguments that a function or the making of a class takes by name."""
    function = getattr(what, "__init__") if isinstance(what, type) else what  # noqa: B009  inspect would look at __new__ first
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, parameter in inspect.signature(function).parameters.items() if parameter.kind in named and name not in hidden]


def first_sentence(error: Exception) -> str:
    """What Keras says, without the page that follows."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
