"""check() in a notebook: what it accepts, what it returns, and that nothing outlives it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from programs import RIGHT, alive, write

from socketlab.harness.program import own_session
from socketlab.learner import Result, UnknownLabError, check, find_lab

ROOT = Path(__file__).parents[1]
SOLUTION = ROOT / "solutions" / "01_echo_server.py"
SLEEPS = "import time\ntime.sleep(1000)\n"


@pytest.mark.parametrize("name", ["01", "1", 1, "01_echo_server", "labs/01_echo_server.py"])
@pytest.mark.parametrize("folder", [".", "notebooks", "labs/checks"])
def test_a_lab_is_found_by_any_of_its_names(name, folder):
    lab, program = find_lab(name, ROOT / folder)
    assert (lab.name, lab.root, lab.title) == ("01_echo_server", ROOT, "Lab 01, echo server")
    assert program.name == "01_echo_server.py"


def test_a_number_means_the_file_in_labs_and_a_path_that_very_file(tmp_path):
    assert find_lab(1)[1] == ROOT / "labs" / "01_echo_server.py"
    mine = tmp_path / "01_echo_server.py"
    assert find_lab(mine)[1] == find_lab(str(mine))[1] == mine


def test_the_project_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_lab("01")[0].root == ROOT


@pytest.mark.parametrize("name", ["99", 0, "", "echo", None, True, "1.5", "../labs"])
def test_an_unknown_lab_is_told_which_there_are(name):
    with pytest.raises(UnknownLabError, match="The labs are: 01_echo_server"):
        find_lab(name)


def test_a_right_program_gives_the_same_report_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path, "raise SystemExit", "socket.py").parent)  # does no harm
    first, second = check("01", program=SOLUTION), check(SOLUTION)
    assert repr(first) == repr(second) == repr(first.all())
    assert repr(first).startswith("Lab 01, echo server: all ")
    assert not re.search(r"\d{4}", repr(first))  # no ports, no process ids
    assert first.passed


def test_a_wrong_program_has_its_first_failure_explained_or_all(tmp_path):
    result = check("01", program=write(tmp_path, RIGHT.replace("data)", "data.upper())")))
    assert not result.passed
    assert repr(result).count("sent    ") == 1
    assert "more failures: .all() explains" in repr(result)
    assert repr(result.all()).count("sent    ") > 2


def test_a_file_that_is_not_there_is_a_failure():
    result = check("01", program="nowhere.py")
    assert not result.passed
    assert "nowhere.py does not exist" in repr(result)


def test_a_program_that_is_no_path_is_named():
    with pytest.raises(TypeError, match=r"path of a file, such as 'mine.py', not 5"):
        check("01", program=5)


def test_a_result_without_verdicts_has_not_passed():
    assert not Result("Lab", ()).passed


# Nothing outlives it


@pytest.fixture
def checking(tmp_path):
    """A process that checks a program which never listens: (the process, the program's path)."""
    path = write(tmp_path, SLEEPS)
    code = f"""
import functools, signal
from socketlab import learner
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, if these tests run with &
learner.stream_checks = functools.partial(learner.stream_checks, patience=1000)
learner.check("01", program={str(path)!r})
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        **own_session(),
    )
    with process:
        assert eventually(lambda: any(" -I " in line for line in alive(path)))
        yield process, path
        process.kill()


def eventually(look, limit=30.0):
    """Whether look() becomes true within a generous time."""
    end = time.monotonic() + limit
    while not (seen := look()) and time.monotonic() < end:
        time.sleep(0.02)
    return seen


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_an_interrupt_ends_everything(checking):
    process, path = checking
    process.send_signal(signal.SIGINT)
    assert process.stderr.read().rstrip().endswith("KeyboardInterrupt")
    assert process.wait(30) != 0
    assert alive(path) == []


def test_the_end_of_the_kernel_ends_everything(checking):
    process, path = checking
    process.kill()
    process.wait(30)
    assert eventually(lambda: not alive(path))


def test_no_module_stands_in_the_way_of_a_name():
    code = (
        "import importlib, pkgutil, socketlab\n"
        "for module in pkgutil.iter_modules(socketlab.__path__, 'socketlab.'):\n"
        "    importlib.import_module(module.name)\n"
        "print([n for n in socketlab.__all__ if not callable(getattr(socketlab, n))])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
