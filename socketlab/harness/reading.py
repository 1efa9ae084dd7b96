"""The reading table, `labs/checks/reading.toml`: which section of which notebook to read."""

from __future__ import annotations

import tomllib
from pathlib import Path


def reading_table(path: str | Path) -> dict[str, str]:
    """What to show for each key; {} if there is no path."""
    if not path:
        return {}
    table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    return {key: f'notebook {row["notebook"]}, "{row["section"]}"' for key, row in table.items()}
