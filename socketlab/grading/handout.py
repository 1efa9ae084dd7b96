"""The learner's copy of the course: all that a learner works with, and nothing that grades."""

from __future__ import annotations

import ast
import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from socketlab.grading.files import is_ignored

FOLDERS = ("notebooks", "labs", "scripts", "imgs", "socketlab")
FILES = ("README.md", "requirements.txt", "pyproject.toml", "Makefile", ".gitignore")
FILES += ("LICENSE", "LICENSE-prose")
GRADER, GRADERS_FOLDER = "socketlab.grading", "socketlab/grading"
SECTIONS = ("For instructors", "For maintainers")  # of the README: they are about what stays here
RULE = re.compile(r"^([^\s#:=][^:=\n]*):(?!=).*\n(?:\t.*\n)*\n?", re.MULTILINE)  # of a Makefile
NEEDS_TESTS = re.compile(r"tests/|\(VENV\)/(?:test|bench|grader)\.done")
PHONY = re.compile(r"^\.PHONY:.*$", re.MULTILINE)
HOLE = "NotImplementedError"


class HandoutError(ValueError):
    """No copy is made; the message says what to do."""


def make_handout(dest: Path, root: Path) -> list[Path]:
    """Copy what a learner needs from the project in `root` to the folder `dest`.

    Left out are solutions, hidden checks and what the guides say of them, tests, and the grader
    with all that imports it. The files of the copy, relative to it, are what comes back.
    Raises HandoutError if `dest` is not empty, or if a lab has been worked in.
    """
    if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
        raise HandoutError(f"{dest} is not an empty folder. Name one that is, or a new one.")
    files = sorted(_wanted(root))
    _check_starters(root, files)
    for file in files:
        (dest / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, dest / file)
        if change := _change_of(root, file):
            _write(dest / file, change(_read(root / file)))
    return files


def _change_of(root: Path, file: Path) -> Callable[[str], str] | None:
    """What is done to a file's text on its way; None if it is copied as it is."""
    if hidden := _hidden_checks(root, file):
        return partial(_guide, hidden)
    return {"README.md": _readme, "Makefile": _makefile}.get(file.as_posix())


def _wanted(root: Path) -> Iterator[Path]:
    graders = _graders(root)
    for name in FILES:
        if (root / name).is_file():
            yield Path(name)
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            file = path.relative_to(root)
            hidden = any(part.startswith(".") for part in file.parts) or is_ignored(
                file.as_posix()
            )
            hidden |= file in graders or file.is_relative_to(GRADERS_FOLDER)
            if path.is_file() and not path.is_symlink() and not hidden:
                yield file


def _graders(root: Path) -> set[Path]:
    """The kit's modules that belong to the grader, or cannot be imported without it."""
    imports = {}
    for path in (root / "socketlab").rglob("*.py"):
        file = path.relative_to(root)
        imports[file] = set(_imported(ast.parse(path.read_bytes()).body))
    names = {file: _module(file) for file in imports}
    found = {
        file for file, name in names.items() if name == GRADER or name.startswith(f"{GRADER}.")
    }
    count = -1
    while count != len(found):
        count = len(found)
        gone = {names[file] for file in found}
        found |= {file for file, modules in imports.items() if modules & gone}
    if Path("socketlab/cli.py") in found:
        raise HandoutError("socketlab/cli.py imports the grader, so learners could not run it.")
    return found


def _imported(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The modules that are imported when a module is, perhaps with a name in it behind a dot."""
    for node in body:
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield from (module, *(f"{module}.{alias.name}" for alias in node.names))
            case ast.If() if "TYPE_CHECKING" not in ast.dump(node.test):
                yield from _imported([*node.body, *node.orelse])
            case ast.Try():
                yield from _imported([*node.body, *node.orelse, *node.finalbody])


def _module(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _check_starters(root: Path, files: Iterable[Path]) -> None:
    """See that what is handed out of the labs is to be written yet."""
    for file in files:
        if file.parent == Path("labs") and file.suffix == ".py" and HOLE not in _read(root / file):
            message = f"{file} is no starter: nothing is left to write in it."
            raise HandoutError(f"{message} Make the copy from a project where nobody has worked.")


def _hidden_checks(root: Path, file: Path) -> set[str]:
    """The hidden checks of the lab that a guide is about; none if this is no guide."""
    hidden = root / "solutions" / "checks" / f"{file.stem}.py"
    if file.suffix != ".toml" or file.parent != Path("labs/checks") or not hidden.is_file():
        return set()
    body = ast.parse(hidden.read_bytes()).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def _guide(hidden: set[str], text: str) -> str:
    """A guide without its rows and hints about hidden checks."""
    table = tomllib.loads(text)
    rows = []
    hints = dict(table.get("hints", {}))
    for row in table.get("diagnosis", []):
        lists = {key: _listed(row[key]) for key in ("check", "fails", "passes") if key in row}
        public = {
            key: [each for each in names if each not in hidden] for key, names in lists.items()
        }
        if public.get("check", True) and all(public[k] == lists[k] for k in lists if k != "check"):
            rows.append(row | public)
        else:
            hints.pop(row["name"], None)
    parts = [_table("[[diagnosis]]", row) for row in rows]
    kept = {name: steps for name, steps in hints.items() if name not in hidden}
    return "\n".join([*parts, *([_table("[hints]", kept)] if kept else [])])


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _table(head: str, values: dict[str, object]) -> str:
    """A table in TOML, whose strings, lists and whole numbers are written as in JSON."""
    lines = (f"{json.dumps(key)} = {json.dumps(value)}" for key, value in values.items())
    return "\n".join([head, *lines, ""])


def _readme(text: str) -> str:
    """The README without what is about the grader and the tests."""
    for title in SECTIONS:
        text = re.sub(rf"^## {title}\n.*?(?=^## |\Z)", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^make test\b.*\n", "", text, flags=re.MULTILINE)


def _makefile(text: str) -> str:
    """The Makefile without the rules that need the tests, and what is said of them."""
    gone = []
    for rule in RULE.finditer(text):
        if NEEDS_TESTS.search(rule[0]):
            gone.append(rule[1].strip())
            text = text.replace(rule[0], "")
    names = "|".join(map(re.escape, gone))
    text = re.sub(rf"^# make (?:{names})\b.*\n", "", text, flags=re.MULTILINE)
    return PHONY.sub(lambda line: re.sub(rf" (?:{names})\b", "", line[0]), text)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
