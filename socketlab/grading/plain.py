"""Values as JSON and back, exactly: dataclasses, times, any text. Nothing is run to read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Value = TypeVar("Value")
TEXT = ("utf-8", "surrogatepass")  # a name that is no Unicode comes back as it was


def to_json(value: object, leave: str = "") -> bytes:
    """A dataclass as JSON; the field `leave` is left out."""
    plain = _plain(value)
    plain.pop(leave, None)
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode(*TEXT)


def from_json(kind: type[Value], data: bytes, **more: object) -> Value:
    """The dataclass `kind` that was written; `more` are fields that were left out.

    ValueError if this is not what to_json wrote for one.
    """
    try:
        plain = json.loads(_a(bytes, data).decode(*TEXT))
        return _made(kind, {**plain, **more})
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise ValueError(f"no {kind.__name__}: {error}") from None


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return [value.days, value.seconds, value.microseconds]
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return dict(value) if isinstance(value, Mapping) else value


def _made(kind: Any, value: Any) -> Any:
    origin, inside = get_origin(kind), get_args(kind)
    if origin is UnionType:  # the only one in use is "or None"
        return None if value is None else _made(*(set(inside) - {NoneType}), value)
    if origin is tuple:
        return tuple(_made(inside[0], each) for each in _a(list, value))
    if origin is Literal:
        return inside[inside.index(value)]
    if origin is Mapping:
        return {_a(str, key): _made(inside[1], each) for key, each in _a(dict, value).items()}
    return _single(kind, value)


def _single(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _made(hints[name], each) for name, each in _a(dict, value).items()})
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind is timedelta:
        days, seconds, microseconds = value
        return timedelta(days, seconds, microseconds)
    return _a((int, float) if kind is float else kind, value)


_hints = cache(get_type_hints)


def _a(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r:.80} is of another type")
    return value
