"""socketlab check --watch, in a real terminal (a pty): saves, keys, and nothing left."""

import os
import re
import shutil
import sys
import time
from pathlib import Path

import pytest
from programs import RIGHT, alive

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
LIMIT = 60.0
BAD = RIGHT.replace("conn.sendall(data)", "conn.sendall(data.upper())")
PASSES = re.compile(r"all \d+ checks pass.*Save 01_echo_server.py", re.DOTALL)
FAILS = re.compile(r"\d+ of \d+ checks pass.*Save 01_echo_server.py", re.DOTALL)

CHECKS = '''
from socketlab.harness import lab_check

@lab_check()
def test_one_message(client):
    """one message comes back"""
    client.exchange(b"hello", b"hello")

@lab_check()
def test_white_space(client):
    """a letter comes back, too"""
    client.exchange(b"x", b"x")
'''


class Terminal:
    """A `socketlab check 1 --watch` in a terminal of its own, for a copy of the labs."""

    def __init__(self, folder):
        import pty

        self.program = folder / "labs" / "01_echo_server.py"
        self.text, self.pid = "", 0
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.environ |= {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200"}
            os.execv(
                sys.executable, [sys.executable, "-m", "socketlab.cli", "check", "1", "--watch"]
            )

    def press(self, keys):
        """Press keys; what was shown before no longer counts."""
        self.text = ""
        os.write(self.fd, keys.encode())

    def save(self, source):
        """Save as an editor does: write another file, then replace."""
        self.text = ""
        new = self.program.with_name("new~")
        new.write_text(source)
        os.replace(new, self.program)

    def sees(self, pattern):
        """The text on the screen, once the pattern is on it."""
        import select

        end = time.monotonic() + LIMIT
        while not re.search(pattern, screen := self._screen()):
            assert select.select([self.fd], [], [], max(0, end - time.monotonic()))[0], screen
            self.text += os.read(self.fd, 65536).decode(errors="replace")
        return screen

    def _screen(self):
        shown = self.text.rpartition("\x1b[2J")[2]
        return re.sub(r"\x1b\[[0-9;]*[a-zA-Z]", "", shown).replace("\r", "")

    def ended(self):
        """The exit code."""
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:  # Linux: the other end of the terminal has gone
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return code

    def close(self):
        if self.pid:
            os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def terminal(tmp_path):
    shutil.copytree(ROOT / "labs", tmp_path / "labs", ignore=shutil.ignore_patterns(".progress*"))
    (tmp_path / "labs" / "checks" / "01_echo_server.py").write_text(CHECKS)
    (tmp_path / "labs" / "01_echo_server.py").write_text(BAD)
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


def test_a_save_is_checked_and_keys_are_answered(terminal):
    assert "came back as" in terminal.sees(FAILS)
    terminal.press("h")
    terminal.sees("hint 1 of ")
    terminal.press("l")
    terminal.sees("Next: Lab 01, echo server")
    terminal.press("a")
    assert terminal.sees("Save 01").count("sent  ") == 2
    terminal.save(RIGHT)
    terminal.sees(PASSES)
    terminal.press("l")
    terminal.sees("done  ")
    terminal.press("q")
    assert terminal.ended() == 0
    assert alive(terminal.program) == []


def test_a_save_in_the_middle_of_a_run_begins_another(terminal):
    terminal.save("import time\ntime.sleep(1000)\n")
    terminal.sees("Checking")
    terminal.program.unlink()  # between the two steps of some editors
    terminal.save(RIGHT)
    terminal.sees(PASSES)
    terminal.press("\3")
    assert terminal.ended() == 130
    assert alive(terminal.program) == []


def test_run_again_next_and_the_end_of_the_terminal(terminal):
    terminal.sees(FAILS)
    terminal.press("r")
    terminal.sees("Checking")
    terminal.sees(FAILS)
    terminal.press("n")  # there is a next lab, or the list says that there is none
    terminal.sees("Lab 0")
    terminal.press("\4")
    assert terminal.ended() == 1
    assert alive(terminal.program) == []
