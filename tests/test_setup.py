"""What a fresh clone needs: requirements, the Makefile, and what the README says of both."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from nbval.plugin import get_sanitize_patterns
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONFIGURATION = ROOT / "tests" / "nbval.cfg"

has_make = pytest.mark.skipif(
    sys.platform == "win32" or not shutil.which("make"), reason="make is not here: see README.md"
)


def requirements() -> list[str]:
    """The lines of requirements.txt that name something."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The outcome of make with these words, whatever make this test runs under was told."""
    outer = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        ["make", *words],
        cwd=ROOT,
        env=outer | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def recipe(target: str) -> str:
    """What make would do for a target, if nothing had been installed."""
    done = make("--dry-run", target, "VENV=none", "ARGS=--no-browser")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_requirements_name_what_a_learner_needs() -> None:
    names = [Requirement(line).name for line in requirements() if not line.startswith("-")]
    assert {"jupyterlab", "matplotlib", "pytest", "nbval"} <= set(names)
    assert "-e ." in requirements()


@pytest.mark.parametrize(
    "line",
    [line for line in requirements() if not line.startswith("-")] + PROJECT["dependencies"],
)
def test_installed_version_is_in_the_range(line: str) -> None:
    wanted = Requirement(line)
    assert version(wanted.name) in wanted.specifier
    assert {part.operator for part in wanted.specifier} == {">=", "<"}


def test_ranges_agree_wherever_a_package_is_named() -> None:
    tests = PROJECT["optional-dependencies"]["test"]
    lines = [line for line in requirements() if not line.startswith("-")]
    named: dict[str, SpecifierSet] = {}
    for wanted in map(Requirement, lines + PROJECT["dependencies"] + tests):
        assert named.setdefault(wanted.name, wanted.specifier) == wanted.specifier


def test_python_is_one_that_the_project_names() -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    assert python in SpecifierSet(PROJECT["requires-python"])
    oldest = PROJECT["requires-python"].removeprefix(">=")
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert f"Python {oldest}" in README
    assert f'"{oldest}"' in workflow
    assert str(tuple(map(int, oldest.split(".")))) in MAKEFILE


def test_readme_and_makefile_name_the_same_commands() -> None:
    targets = set(re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[0].split())
    assert set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE)) == targets
    assert set(re.findall(r"\bmake ([a-z]+)\b", README)) == targets
    assert set(re.findall(r"^# make ([a-z]+)\b", MAKEFILE, re.MULTILINE)) == targets


def test_ci_does_what_the_readme_says() -> None:
    script = ROOT / ".ci" / "run"
    assert "\nmake test" in script.read_text(encoding="utf-8")
    assert os.name == "nt" or os.access(script, os.X_OK)


@has_make
def test_make_lab_installs_then_opens_the_first_notebook() -> None:
    steps = recipe("lab")
    assert steps.index("-m venv") < steps.index("-r requirements.txt") < steps.index("jupyter lab")
    assert "/lab/tree/notebooks/01_first_echo.ipynb --no-browser" in steps
    assert ("--allow-root" in steps) == (os.geteuid() == 0)


@has_make
@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("no-such-python", "no-such-python is not installed"),
        ("false", "false is too old, or does not run: 3.11 or newer is needed"),
    ],
)
def test_a_python_that_will_not_do_is_named(program: str, words: str, tmp_path: Path) -> None:
    done = make("lab", f"VENV={tmp_path / 'none'}", PYTHON=program)
    assert done.returncode != 0
    assert words in done.stdout
    assert "PYTHON=python3.12 make lab" in done.stdout
    assert not (tmp_path / "none").exists()


@has_make
def test_a_python_without_venv_is_named(tmp_path: Path) -> None:
    python = tmp_path / "python-without-venv"
    python.write_text('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', encoding="utf-8")
    python.chmod(0o755)
    done = make("lab", f"VENV={tmp_path / 'none'}", PYTHON=str(python))
    assert done.returncode != 0
    assert "has no venv" in done.stdout


def compared(words: str) -> str:
    """An error's words as nbval compares them."""
    for pattern, replacement in get_sanitize_patterns(CONFIGURATION.read_text(encoding="ascii")):
        words = re.sub(pattern, replacement, words)
    return words


@pytest.mark.parametrize(
    ("name", "everywhere"),
    [
        ("ECONNREFUSED", ["[Errno 111] Connection refused", "[Errno 61] Connection refused",
                          "[WinError 10061] No connection could be made because ..."]),
        ("EADDRINUSE", ["[Errno 98] Address already in use", "[Errno 48] Address already in use",
                        "[WinError 10048] Only one usage of each socket address ..."]),
        ("EAGAIN", ["[Errno 11] Resource temporarily unavailable",
                    "[Errno 35] Resource temporarily unavailable",
                    "[WinError 10035] A non-blocking socket operation could not ..."]),
    ],
)  # fmt: skip
def test_an_error_is_compared_by_its_name(name: str, everywhere: list[str]) -> None:
    assert {compared(words) for words in everywhere} == {name}


def test_another_error_is_another_error() -> None:
    assert compared("[Errno 2] No such file: 'a'") == "[Errno 2] No such file: 'a'"
    assert compared("timed out") == "timed out"
