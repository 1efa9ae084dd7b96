"""The learner's copy works by itself, and holds nothing that is not for learners."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from handed_in import ROOT, put

from socketlab.grading.handout import HandoutError, make_handout
from socketlab.harness.guide import read_guide

NAMES = sorted(path.stem for path in (ROOT / "labs").glob("[0-9][0-9]_*.py"))
PASSED, FAILED = 0, 1


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh copy."""
    folder = tmp_path_factory.mktemp("learner") / "course"
    files = make_handout(folder, ROOT)
    assert sorted(files) == sorted(found(folder))
    return folder


def found(folder: Path) -> list[Path]:
    """All files in a folder, relative to it."""
    return [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]


def socketlab(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What the command does in a copy, with the copy's own kit."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("SOCKETLAB")}
    command = [sys.executable, "-m", "socketlab.cli", *words]
    env |= {"PYTHONPATH": str(folder), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, encoding="utf-8", check=False
    )


def test_everything_a_learner_needs_is_there(copy: Path) -> None:
    files = {file.as_posix() for file in found(copy)}
    assert {
        "README.md",
        "requirements.txt",
        "pyproject.toml",
        "Makefile",
        "LICENSE",
        "LICENSE-prose",
    } <= files
    for name in NAMES:
        assert {f"labs/{name}.py", f"labs/checks/{name}.py", f"labs/checks/{name}.toml"} <= files
    for folder in ("notebooks", "scripts", "imgs", "labs/scenes"):
        named = {
            f"{folder}/{path.name}" for path in (ROOT / folder).glob("*.*") if path.name[0] != "."
        }
        assert named
        assert named <= files


def test_nothing_else_is_there(copy: Path) -> None:
    tops = {file.parts[0] for file in found(copy)}
    assert not tops & {"solutions", "tests", ".git", ".github", ".ci"}
    assert not (copy / "socketlab" / "grading").exists()
    assert not [
        file for file in found(copy) if "progress" in file.name and file.parts[0] == "labs"
    ]


def hidden_titles() -> Iterator[tuple[str, str]]:
    """Each lab's hidden checks by name, and their titles."""
    for path in (ROOT / "solutions" / "checks").glob("*.py"):
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield path.stem, (ast.get_docstring(node) or "").splitlines()[0]


def test_no_byte_of_it_tells_of_a_hidden_check(copy: Path) -> None:
    titles = {title.encode() for _, title in hidden_titles()}
    assert len(titles) > 15
    for file in found(copy):
        data = (copy / file).read_bytes()
        assert not [title for title in titles if title in data], file


@pytest.mark.parametrize("name", NAMES)
def test_guides_say_nothing_of_hidden_checks_and_the_same_of_the_others(
    copy: Path, name: str
) -> None:
    body = ast.parse((ROOT / "solutions" / "checks" / f"{name}.py").read_bytes()).body
    hidden = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    file = Path("labs") / "checks" / f"{name}.toml"
    words = set(re.findall(r"test_\w+", (copy / file).read_text(encoding="utf-8")))
    assert words
    assert not words & hidden
    whole, public = read_guide(ROOT / file), read_guide(copy / file)
    causes = [row.cause for row in whole.diagnoses if not row.check or set(row.check) - hidden]
    assert [row.cause for row in public.diagnoses] == causes
    assert {row.name for row in public.diagnoses} | set(whole.hints) >= set(public.hints)


def test_nothing_in_it_needs_the_grader(copy: Path) -> None:
    modules = [
        file for file in found(copy) if file.parts[0] == "socketlab" and file.suffix == ".py"
    ]
    names = [".".join(file.with_suffix("").parts) for file in modules]
    code = "import sys\n" + "\n".join(f"import {name}" for name in names)
    code += "\nassert not [name for name in sys.modules if name.startswith('socketlab.grading')]"
    code += f"\nassert sys.modules['socketlab'].__file__.startswith({str(copy)!r})"
    env = os.environ | {"PYTHONPATH": str(copy)}
    subprocess.run([sys.executable, "-c", code], cwd=copy, env=env, check=True)


def test_a_lab_is_worked_in_a_copy(copy: Path) -> None:
    name = NAMES[0]
    first = socketlab(copy, "check", "1")
    assert first.returncode == FAILED
    assert "TODO: make the listener" in first.stdout
    assert "Traceback" not in first.stdout + first.stderr
    assert socketlab(copy, "hint", "1").returncode == PASSED
    starter = (copy / "labs" / f"{name}.py").read_bytes()
    shutil.copy(ROOT / "solutions" / f"{name}.py", copy / "labs" / f"{name}.py")
    second = socketlab(copy, "check", "1")
    (copy / "labs" / f"{name}.py").write_bytes(starter)
    assert second.returncode == PASSED, second.stdout + second.stderr
    assert "done        Lab 01" in socketlab(copy, "list").stdout


def test_links_of_the_readme_lead_somewhere(copy: Path) -> None:
    text = (copy / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert len(links) > 20
    assert [link for link in links if not (copy / link).exists()] == []
    assert "make lab" in text
    assert "make test" not in text


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_the_makefile_still_opens_the_course(copy: Path) -> None:
    done = subprocess.run(
        ["make", "-n", "lab"], cwd=copy, capture_output=True, encoding="utf-8", check=True
    )
    assert "pip install -q" in done.stdout
    assert "jupyter lab" in done.stdout
    text = (copy / "Makefile").read_text(encoding="utf-8")
    assert not re.search(r"tests/|test\.done|bench\.done|grader|make (?:test|bench|execute)", text)


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    put(tmp_path, {"full/mine.txt": b"1", "file": b"2"})
    for name in ("full", "file"):
        with pytest.raises(HandoutError, match="is not an empty folder"):
            make_handout(tmp_path / name, ROOT)
    assert len(found(tmp_path)) == 2
    (tmp_path / "empty").mkdir()
    assert make_handout(tmp_path / "empty", ROOT)


SMALL_PROJECT = {
    "labs/01_x.py": b"raise NotImplementedError\n",
    "labs/.progress.json": b"{}",
    "labs/checks/01_x.py": b"",
    "socketlab/__init__.py": b"",
    "socketlab/cli.py": b"def grade():\n    from socketlab.grading import a\n",
    "socketlab/plain.py": b"import os\nif TYPE_CHECKING:\n    from socketlab.grading import a\n",
    "socketlab/box.py": b"try:\n    from socketlab.grading import a\nfinally:\n    pass\n",
    "socketlab/lid.py": b"from socketlab import box\n",
    "socketlab/grading/__init__.py": b"",
    "socketlab/grading/a.py": b"",
    "socketlab/grading/out/page.html": b"",
    "solutions/checks/01_x.py": b"",
}


def test_what_imports_the_grader_is_left_out_with_it(tmp_path: Path) -> None:
    root = put(tmp_path / "root", SMALL_PROJECT)
    files = {file.as_posix() for file in make_handout(tmp_path / "copy", root)}
    kit = {"socketlab/__init__.py", "socketlab/cli.py", "socketlab/plain.py"}
    assert files == kit | {"labs/01_x.py", "labs/checks/01_x.py"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labs/01_x.py", b"x = 1\n", "no starter"),
        ("socketlab/cli.py", b"import socketlab.grading.a\n", "imports the grader"),
    ],
)
def test_a_copy_that_would_give_away_or_fail_is_not_made(
    tmp_path: Path, name: str, text: bytes, message: str
) -> None:
    root = put(tmp_path / "root", SMALL_PROJECT | {name: text})
    with pytest.raises(HandoutError, match=message):
        make_handout(tmp_path / "copy", root)
    assert not (tmp_path / "copy").exists()
