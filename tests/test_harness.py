"""The check harness: programs of every broken kind get their message, and nothing is left."""

import itertools
import json
import random
import signal
import socket
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import RIGHT, alive, write

from socketlab.harness import Client, Failed, Program, counts, difference, free_port, runs, show
from socketlab.harness import runner as runner_module
from socketlab.harness.output import KEEP
from socketlab.harness.report import MARKS, explanation, report
from socketlab.harness.runner import ChecksError, run_checks
from socketlab.harness.scene import Patience, Steps
from socketlab.harness.schedule import UNTRIED
from socketlab.harness.trouble import crash_text, exit_text, last_lines, read_crash
from socketlab.harness.verdicts import (
    BrokenStreamError,
    Verdict,
    final_line,
    read_verdicts,
    verdict_line,
)
from socketlab.learner import find_lab

LAB, _ = find_lab("01")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")

# Programs that are broken in every way: the source (None: no file), and what the learner is told.
BROKEN = {
    "missing": (None, ["does not exist"]),
    "syntax": (
        "import sys\ndef f(:\n    pass\n",
        ["line 2", "def f(:", "SyntaxError", "this line"],
    ),
    "indentation": ("x = 1\n  y = 2\n", ["line 2", "IndentationError", "spaces"]),
    "latin-1": (
        "# caf\udce9\n",
        ["line 1", "SyntaxError: Non-UTF-8", "save it in the encoding UTF-8"],
    ),
    "import": ("import no_such_module\n", ["line 1", "ModuleNotFoundError", "not there"]),
    "two arguments": (
        "import socket\nsocket.socket().bind('127.0.0.1', 0)\n",
        ["line 2", "TypeError", "one value, a pair: (host, port)"],
    ),
    "a port that is text": (
        "import socket\nsocket.socket().bind(('127.0.0.1', '0'))\n",
        ["line 2", "TypeError", "A port is a number, not text"],
    ),
    "no return": (
        "def f():\n    pass\n\nwith f():\n    pass\n",
        ["line 4", "TypeError", "does a function lack its return?"],
    ),
    "datagrams": (
        "import socket\nsocket.socket(type=socket.SOCK_DGRAM).listen()\n",
        ["line 2", "OSError", "make it with SOCK_STREAM"],
    ),
    "a name": ("sockt.socket()\n", ["line 1", "NameError", "spelled right"]),
    "raises": ("def f():\n    1 / 0\n\nf()\n", ["line 2, in f", "1 / 0", "ZeroDivisionError"]),
    "exits": ("", ["ended before it listened", "exit code 0"]),
    "says why": (
        "import sys\nsys.exit('no, \\x1b[31mthanks')\n",
        ["exit code 1", "no, \\x1b[31m"],
    ),
    "hard exit": ("import os\nprint('bye', flush=True)\nos._exit(7)\n", ["exit code 7", "bye"]),
    "input": ("port = input('Port? ')\n", ["line 1", "EOFError", "must not call input()"]),
    "sleeps": ("import time\ntime.sleep(1000)\n", ["on no port", "was waiting, at line 2"]),
    "spins": ("while True:\n    pass\n", ["on no port", "busy all the time, in a loop, at line"]),
    "floods": ("while True:\n    print('x' * 100000)\n", ["on no port", "at line 2"]),
    "rubbish": (
        "import os\nos.write(1, bytes(range(256)) * 9)\nos.write(2, b'\\xff\\x00\\n\\x1b]0;')\n",
        ["exit code 0", "wrote to stderr", r"\x00", r"\x1b]0;"],
    ),
    "family": (
        """
        import subprocess, sys
        subprocess.Popen([sys.executable, "-c", "while True: pass", __file__])
        while True: pass
        """,
        ["on no port"],
    ),
    "half a hole": (
        "import socket\nsocket.create_server(('127.0.0.1', 0))\n"
        "raise NotImplementedError('TODO: serve')\n",
        ["Line 3 is still to be written: TODO: serve"],
    ),
}


@pytest.fixture(scope="module")
def broken(request, tmp_path_factory):
    """For each broken program: where it is, and its verdicts to come."""
    folder = tmp_path_factory.mktemp("broken")
    runs: dict[str, tuple[str, Future]] = {}
    with ThreadPoolExecutor(4) as pool:
        for name, (source, _) in BROKEN.items():
            path = folder / f"{name}.py"
            if source is not None:
                path.write_text(source.replace("\n        ", "\n"), errors="surrogateescape")
            runs[name] = path, pool.submit(run_checks, path, [LAB.checks], patience=1)
        yield runs


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_program_is_told_what_is_wrong(broken, name):
    path, run = broken[name]
    first, *others = run.result()
    text = explanation(first)
    assert first.outcome == "fail"
    assert [words for words in BROKEN[name][1] if words not in text] == []
    assert {verdict.outcome for verdict in others} == {"skip"}
    assert "labs/checks" not in text
    assert all(char.isprintable() for line in text.splitlines() for char in line)
    assert alive(path) == []


def first_failure(path, patience=2.0):
    verdicts = run_checks(path, [LAB.checks], LAB.reading, patience=patience, first_failure=True)
    return explanation(verdicts[-1])


def test_an_error_with_a_known_meaning_needs_no_more_words(tmp_path):
    pair = first_failure(write(tmp_path, RIGHT.replace("conn, _ =", "conn =")))
    assert "accept() returns two things" in pair
    assert "recv() returns as soon as" not in pair
    other = first_failure(write(tmp_path, "1 / 0\n"))
    assert "main(), at the end of the\n  file, calls both functions" in other


def test_a_port_that_somebody_has_is_not_the_one_it_was_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mine:
        told = f"('127.0.0.1', {mine.getsockname()[1]})"
        path = write(tmp_path, f"import socket\nsocket.socket().bind({told})\n")
        assert "your program asks for another one" in first_failure(path)


def test_a_right_program_that_writes_60_megabytes_passes(tmp_path):
    flood = "import sys\nfor _ in range(600):\n    print('x' * 100_000)\n"
    path = write(tmp_path, RIGHT + "", "quiet.py")
    path.write_text(flood + path.read_text())
    verdicts = run_checks(path, [LAB.checks])
    assert [explanation(v) for v in verdicts if v.outcome != "pass"] == []


def test_after_two_full_silences_each_costs_a_fifth():
    patience, silences = Patience(5), []
    for _ in range(4):
        silences.append(patience.silence)
        patience.silence_was_full()
    assert silences == [5, 5, 1, 1]


def test_a_program_that_hangs_everywhere_costs_less_and_less(tmp_path):
    silent = RIGHT.replace("conn.sendall(data)", "pass")
    verdicts = run_checks(write(tmp_path, silent), [LAB.checks], patience=0.5, jobs=1)
    silences = [v.happened for v in verdicts if v.happened.startswith("Nothing came back")]
    assert silences[1] == "Nothing came back for 0.5 seconds."
    assert {*silences[2:]} == {"Nothing came back for 0.1 seconds."}


def test_when_failures_have_taken_too_long_the_rest_is_not_tried(tmp_path):
    fails = "import time; time.sleep(1); assert not 'right'"
    files = [checks(tmp_path, TWO.format(first=fails).replace("(server)", "()"))]
    _, last = run_checks(write(tmp_path, RIGHT), files, patience=0.1, jobs=1)
    assert last.happened == UNTRIED


# The process model


@pytest.fixture
def start(tmp_path):
    """Starts a program from its source; stops it at the end."""
    programs = []

    def start_one(source, *args):
        path = write(tmp_path, source, f"program{len(programs)}.py")
        programs.append(Program(path, *args, patience=Patience(20)))
        return programs[-1]

    yield start_one
    for program in programs:
        program.stop()


@pytest.fixture
def echo(start):
    """A right echo server."""
    return start(RIGHT, "127.0.0.1", 0)


class TestProgram:
    def test_runs_apart_from_its_folder_and_its_environment(self, start, tmp_path, monkeypatch):
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setenv("FORCE_COLOR", "1")
        write(tmp_path, "raise SystemExit('the wrong socket')", "socket.py")
        program = start("import socket, sys; print(sys.flags.isolated, sys.stdin.read() == '')")
        assert program.wait_ended(20)
        assert (program.stdout.strip(), program.stderr) == ("1 True", "")

    def test_is_seen_to_listen_without_a_connection(self, start):
        program = start(
            """
            import socket
            listener = socket.create_server(("127.0.0.1", 0))
            conn, _ = listener.accept()
            conn.sendall(conn.recv(1024))
            """
        )
        assert program.wait_listening() == [program.address]
        with Client(program) as client:
            client.exchange(b"the first and only client", b"the first and only client")

    @pytest.mark.parametrize(
        "parent", ["run()", "threading.Thread(target=run).start()"], ids=["program", "thread"]
    )
    def test_is_seen_to_listen_in_a_child(self, start, parent):
        program = start(
            f"""
            import subprocess, sys, threading
            code = "import socket; socket.create_server(('127.0.0.1', 0)).accept()"
            run = lambda: subprocess.run([sys.executable, "-c", code])
            {parent}
            """
        )
        [(host, port)] = program.wait_listening()
        assert (host, port > 0) == ("127.0.0.1", True)

    def test_keeps_the_beginning_and_the_end_of_its_output(self, start):
        program = start("print('first'); print('x' * 10**7); print('last')")
        assert program.wait_ended(20)
        assert program.stdout.startswith("first")
        assert program.stdout.rstrip().endswith("last")
        assert "bytes are left out here" in program.stdout
        assert len(program.stdout) < 2 * KEEP + 100

    @pytest.mark.parametrize(
        "child",
        [
            "subprocess.Popen([sys.executable, '-c', code])",
            pytest.param(
                "subprocess.Popen([sys.executable, '-c', code], start_new_session=True)",
                marks=POSIX,
                id="in a session of its own",
            ),
            pytest.param(
                "subprocess.run([sys.executable, '-c', orphan])",
                marks=POSIX,
                id="whose parent is gone",
            ),
        ],
    )
    def test_stop_ends_what_it_started(self, start, child):
        program = start(
            f"""
            import subprocess, sys, time
            code = "import os, time; print(os.getpid(), flush=True); time.sleep(100)"
            orphan = "import os; os.fork() or exec(" + repr(code) + ")"
            {child}
            time.sleep(100)
            """
        )
        assert program.wait_until(lambda: program.stdout.endswith("\n"), 20)
        grandchild = psutil.Process(int(program.stdout))
        program.stop()
        assert not runs(grandchild)

    @POSIX
    def test_ctrl_c_ends_it_even_if_it_is_ignored_here(self, start):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            path = write(start("").path.parent, "import time\ntime.sleep(1000)\n", "sleeps.py")
            [first, *_] = run_checks(path, [LAB.checks], patience=0.5)
        finally:
            signal.signal(signal.SIGINT, before)
        assert "was waiting, at line 2" in first.program

    @pytest.mark.parametrize(
        ("source", "words"),
        [("while True: pass", "busy all the time"), ("import time; time.sleep(999)", "waiting")],
    )
    def test_a_busy_program_is_told_from_a_waiting_one(self, start, source, words):
        program = start(source)
        program.settle()
        before = program.cpu_seconds()
        program.wait_until(lambda: program.cpu_seconds() - before > 0.1, 1)
        program.look_inside(before, 1)
        assert f"Meanwhile your program was {words}" in program.explain()
        assert program.patience.spins == words.startswith("busy")

    def test_one_that_is_known_to_spin_is_soon_left_alone(self, start, monkeypatch):
        program, looks, clock = start("while True: pass"), [], itertools.count()
        monkeypatch.setattr(counts, "asleep", looks.append)
        fake = SimpleNamespace(monotonic=lambda: next(clock) / 100, sleep=lambda _: None)
        monkeypatch.setattr("socketlab.harness.program.time", fake)
        for program.patience.spins, most in (False, 100), (True, 20):
            looks.clear()
            assert program.settle()
            assert most / 2 < len(looks) <= most

    def test_settle_tells_whether_it_still_runs(self, start, echo):
        echo.wait_listening()
        assert echo.settle()
        assert not start("").settle(20)


class TestClient:
    def test_a_megabyte_and_more_at_once(self, echo):
        data = random.Random(1).randbytes(5_000_000)
        with Client(echo) as client:
            client.exchange(data, data)

    @pytest.mark.parametrize(
        ("serve", "happened", "got"),
        [
            ("conn.sendall(conn.recv(99).upper())", "byte 0 came back as b'H'", "b'HELLO'"),
            ("conn.sendall(b'hel'); conn.recv(99)", "closed the connection too early", "b'hel'"),
            ("conn.recv(99); 1 / 0", "closed the connection too early", "nothing"),
            ("conn.sendall(b'hel'); conn.recv(99); conn.recv(99)", "3 of 5 bytes", "b'hel'"),
        ],
    )
    def test_says_how_an_exchange_failed(self, start, serve, happened, got):
        program = start(
            f"""
            import socket
            listener = socket.create_server(("127.0.0.1", 0))
            conn, _ = listener.accept()
            with conn:
                {serve}
            listener.accept()
            """
        )
        program.wait_listening()
        program.patience.full = 1.0
        with Client(program) as client, pytest.raises(Failed) as failure:
            client.exchange(b"hello", b"hello")
        assert happened in failure.value.happened
        assert failure.value.got.startswith(got)
        assert failure.value.steps[-1] == "2. client 1 sends b'hello' (5 bytes)"
        if "1 / 0" in serve:
            assert "ZeroDivisionError" in failure.value.program

    def test_wants_the_end_and_nothing_before_it(self, echo):
        with Client(echo) as client:
            client.send(b"more")
            client.finish()
            with pytest.raises(Failed, match="More came back"):
                client.expect_end()

    def test_a_reset_is_felt(self, start):
        program = start(
            """
            import socket
            listener = socket.create_server(("127.0.0.1", 0))
            conn, _ = listener.accept()
            try:
                conn.recv(1)
            except ConnectionResetError:
                print("reset")
            listener.accept()
            """
        )
        with Client(program) as client:
            client.reset()
        assert program.wait_until(lambda: "reset" in program.stdout, 20)

    def test_nobody_listens_any_more(self, echo):
        echo.wait_listening()
        echo.kill()
        with pytest.raises(Failed, match="nobody listens any more"):
            Client(echo)


# The plugin


def checks(folder, body):
    """A file of checks."""
    return write(folder, "from socketlab.harness import lab_check\n" + body, "00_checks.py")


TWO = '''
@lab_check(read="x")
def test_one(server):
    """the first

    Its meaning.
    """
    {first}

@lab_check(read="x")
def test_two():
    """the second"""
'''


@pytest.mark.parametrize(
    ("first", "outcomes"),
    [
        ("pass", ["pass", "pass"]),
        ("raise server.failed('no')", ["fail", "pass"]),
        ("1 / 0", ["error", "pass"]),
        ("import pytest; pytest.skip('not here')", ["skip", "pass"]),
        ("assert not server", ["error", "pass"]),
    ],
)
def test_each_check_has_its_verdict(tmp_path, first, outcomes):
    verdicts = run_checks(write(tmp_path, RIGHT), [checks(tmp_path, TWO.format(first=first))])
    assert [(v.title, v.outcome) for v in verdicts] == list(
        zip(["the first", "the second"], outcomes, strict=True)
    )


def test_pytest_is_compiled_once_and_nothing_is_kept_beside_the_checks(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "cache"))
    place = tmp_path / "lab"
    place.mkdir()
    files = [write(place, RIGHT), checks(place, TWO.format(first="pass"))]
    run_checks(files[0], files[1:])
    assert sorted(place.iterdir()) == sorted(files)
    kept = {path.name.partition(".")[0] for path in (tmp_path / "cache").rglob("*.pyc")}
    assert kept >= {"fixtures", "plugin", "program"}
    assert "00_checks" not in kept


@pytest.mark.parametrize(
    "body",
    [
        TWO.format(first="import os; os._exit(0)"),
        TWO.format(first="raise KeyboardInterrupt"),
        'def test_bare():\n    """not marked"""\n',
        '@lab_check(read="x")\ndef test_untitled():\n    pass\n',
        "syntax error\n",
        "",
    ],
)
def test_checks_that_break_are_never_a_pass(tmp_path, body):
    path = write(tmp_path, RIGHT)
    with pytest.raises(ChecksError, match="Your program is not to blame"):
        run_checks(path, [checks(tmp_path, body)])
    assert alive(path) == []


def test_checks_that_hang_are_ended_with_all_they_started(tmp_path, monkeypatch):
    monkeypatch.setattr(runner_module, "LONGEST_RUN", 3.0)
    path = write(tmp_path, RIGHT)
    with pytest.raises(ChecksError):
        run_checks(path, [checks(tmp_path, TWO.format(first="import time; time.sleep(1000)"))])
    assert alive(path) == []


def test_a_section_must_be_in_the_reading_table(tmp_path):
    table = write(tmp_path, '[y]\nnotebook = "01"\nsection = "s"\n', "reading.toml")
    with pytest.raises(ChecksError, match="'x' is not in the reading table"):
        run_checks(write(tmp_path, RIGHT), [checks(tmp_path, TWO.format(first="pass"))], table)


def test_the_same_seed_gives_the_same_payloads(tmp_path):
    body = (
        '\n@lab_check(read="x")\ndef test_one(server, rng):\n    """one"""\n'
        "    raise server.failed(str(rng.random()))\n"
    )
    path, file = write(tmp_path, RIGHT), [checks(tmp_path, body)]
    seen = [run_checks(path, file, seed=seed)[0].happened for seed in (1, 1, 2)]
    assert seen[0] == seen[1] != seen[2]


# Verdicts, words


VERDICTS = st.builds(
    Verdict,
    name=st.text(),
    title=st.text(),
    outcome=st.sampled_from(["pass", "fail", "skip", "error"]),
    steps=st.lists(st.text()).map(tuple),
    happened=st.text(),
)


@settings(max_examples=30)
@given(st.lists(VERDICTS, max_size=5))
def test_verdicts_come_through_whole(verdicts):
    stream = "".join(map(verdict_line, verdicts)) + final_line(len(verdicts))
    assert read_verdicts(stream.splitlines()) == verdicts


@settings(max_examples=50)
@given(st.lists(VERDICTS, min_size=1, max_size=5), st.data())
def test_a_stream_that_is_cut_or_damaged_is_refused(verdicts, data):
    stream = "".join(map(verdict_line, verdicts)) + final_line(len(verdicts))
    cut = data.draw(st.integers(0, len(stream) - 2))
    with pytest.raises(BrokenStreamError):
        read_verdicts(stream[:cut].splitlines())
    lines = stream.splitlines()
    lines.pop(data.draw(st.integers(0, len(lines) - 1)))
    with pytest.raises(BrokenStreamError):
        read_verdicts(lines)


@given(st.lists(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps)))
def test_no_stream_of_rubbish_is_read(lines):
    with pytest.raises(BrokenStreamError):
        read_verdicts(lines)


def test_odd_records_are_refused():
    good = json.loads(verdict_line(Verdict("n", "t", "pass")))["verdict"]
    odd = [
        {**good, "outcome": "passed"},
        {**good, "steps": "x"},
        {**good, "title": 1},
        {"name": "n"},
    ]
    odd += [{**good, "steps": [1]}, {**good, "extra": ""}, None, []]
    for record in odd:
        with pytest.raises(BrokenStreamError):
            read_verdicts([json.dumps({"verdict": record}), final_line(1)])
    with pytest.raises(BrokenStreamError):
        read_verdicts([verdict_line(Verdict("n", "t", "pass")), final_line(2)])


def test_bytes_are_shown_short():
    assert show(b"hello") == "b'hello' (5 bytes)"
    assert show(b"\xff\x00") == r"b'\xff\x00' (2 bytes, hex ff 00)"
    assert show(b"") == "nothing"
    assert show("port 1") == "port 1"
    assert show(b"a" * 10**6) == f"b'{'a' * 33}' ... b'aaaa' (1,000,000 bytes)"


@given(st.binary(max_size=300))
def test_shown_bytes_fit_on_a_line(data):
    assert len(show(data)) < 92


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_a_difference_is_found_where_it_is(got, wanted):
    words = difference(got, wanted)
    assert (words == "") == wanted.startswith(got)
    if words.startswith("byte"):
        at = int(words.split()[1])
        assert got[:at] == wanted[:at]
        assert got[at] != wanted[at]


def test_a_long_story_loses_its_middle():
    steps = Steps()
    for number in range(100):
        steps.add(f"step {number}")
    assert steps.lines()[:1] + steps.lines()[5:7] == ("1. step 0", "...", "93. step 92")


TRACEBACK = """\
Traceback (most recent call last):
  File "/x/lab.py", line 9, in <module>
    main()
  File "/x/lab.py", line 5, in main
    conn.sendall("text")
    ~~~~~~~~~~~~^^^^^^^^
  File "/usr/lib/helper.py", line 1, in inner
    deep()
TypeError: a bytes-like object is required, not 'str'
"""


def test_a_traceback_is_read_at_the_learners_own_line():
    crash = read_crash("noise\n" + TRACEBACK, "/x/lab.py")
    assert (crash.line, crash.function, crash.code) == (5, "main", 'conn.sendall("text")')
    assert "Sockets carry bytes, not text" in crash_text(crash)
    assert read_crash(TRACEBACK, "/y/other.py") is None
    assert read_crash("", "/x/lab.py") is None


@given(st.text())
def test_any_output_can_be_shown(text):
    read_crash(text, "lab.py")
    assert all(char.isprintable() for char in last_lines(text).replace("\n", ""))


@POSIX
def test_signals_have_names():
    assert exit_text(-signal.SIGSEGV) == "Your program was ended by SIGSEGV."
    assert exit_text(-99) == "Your program was ended by signal 99."


def test_the_report_explains_one_failure_or_all():
    bad = Verdict("a", "it works", "fail", ("1. it is tried",), "It does not.", "s", "g", "w", "p")
    skipped = Verdict("b", "never", "skip", happened="not tried here")
    verdicts = [bad, Verdict("c", "it is there", "pass"), replace(bad, title="more"), skipped]
    one = report("Lab", verdicts, False, "that")
    assert one.splitlines()[0] == "Lab: 1 of 4 checks pass"
    assert one.count("1. it is tried") == 1
    assert one.endswith("1 more failure: that explains every failure.")
    assert f"{MARKS['skip']} never: not tried here" in one
    assert report("Lab", verdicts, True, "").count("1. it is tried") == 2


def test_free_ports_are_free():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", free_port("127.0.0.1")))


def test_no_thread_is_left():
    assert [t for t in threading.enumerate() if "Output" in type(t).__name__] == []
