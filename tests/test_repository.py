"""The repository holds what belongs to the course, and nothing of the machine it was made on."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOP = {
    ".ci",
    ".github",
    ".gitignore",
    "LICENSE",
    "LICENSE-prose",
    "Makefile",
    "README.md",
    "imgs",
    "labs",
    "notebooks",
    "pyproject.toml",
    "requirements.txt",
    "scripts",
    "socketlab",
    "solutions",
    "tests",
}
# Written so that no pattern finds itself.
FORBIDDEN = {
    "a path of a machine": r"(?<![\w.])/(?:[w]ork|[r]oot|[U]sers|[h]ome)/\w",
    "a path of an environment": r"[s]ite-packages|\.[p]yenv",
    "the host of a package registry": r"[p]ypi\.org|[p]ythonhosted|[n]pmjs|[d]eb\.debian",
    "a mark of an unfinished merge": r"^[<]{7} |^[>]{7} ",
}
MADE_UP = {"tests/test_habits.py"}  # shows such paths on purpose


def files() -> list[Path]:
    """The files of the repository: tracked, or new and not ignored."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("this is not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    names = listed.decode().split("\0")
    return [Path(name) for name in names if (ROOT / name).is_file()]


def text_of(file: Path) -> str:
    """A text file's text; nothing for a binary one."""
    content = (ROOT / file).read_bytes()
    return "" if b"\0" in content else content.decode("utf-8")


def test_top_level_holds_only_what_is_named() -> None:
    found = {file.parts[0] for file in files()}
    assert {"README.md", "Makefile", "requirements.txt", "socketlab"} <= found
    assert found <= TOP


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_tells_of_a_machine(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.MULTILINE)
    found = [
        f"{file}: {match[0]}"
        for file in files()
        if file.as_posix() not in MADE_UP
        for match in pattern.finditer(text_of(file))
    ]
    assert not found, f"{what}: {found}"


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_is_forbidden_would_be_seen(what: str) -> None:
    seen = [
        "/wor" + "k/main",
        "/roo" + "t/x",
        "site-pack" + "ages",
        "pyp" + "i.org",
        "<" * 7 + " a",
    ]
    assert any(re.search(FORBIDDEN[what], words, re.MULTILINE) for words in seen)


def test_files_are_small() -> None:
    assert [str(file) for file in files() if (ROOT / file).stat().st_size > 1_000_000] == []
