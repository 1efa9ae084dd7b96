"""The pages: templates filled in, with no script, no network, and one style sheet inside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from socketlab.grading.out.clean import number, visible
from socketlab.grading.out.told import points
from socketlab.harness.report import MARKS


def render(template: str, **values: Any) -> str:
    """A whole page. Everything in `values` that is not Markup is escaped, and made visible."""
    return "".join(stream(template, **values))


def stream(template: str, **values: Any) -> Iterator[str]:
    """The same page, piece by piece."""
    return _environment().get_template(template).generate(**values)


@cache
def _environment() -> Environment:
    loader = PackageLoader("socketlab.grading.out", "templates")
    rules = {"autoescape": True, "undefined": StrictUndefined, "finalize": _seen}
    found = Environment(loader=loader, trim_blocks=True, lstrip_blocks=True, **rules)
    style = loader.get_source(found, "style.css")[0]
    found.filters |= {"number": number, "points": points}
    found.globals |= {"style": Markup(style), "policy": _policy(style), "marks": MARKS}
    return found


def _seen(value: Any) -> Any:
    """What stands for a value in a page; text with all that it holds."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _policy(style: str) -> str:
    """Content-Security-Policy: this style sheet, and nothing else: no script, frame or address."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
