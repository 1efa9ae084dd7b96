"""Each promise of each sandbox that works here, as root and as an ordinary user."""

import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import psutil
import pytest
from probing import ALONE, CLOSED, EVERY, HERE, graded, linux, make_lab, told

from socketlab.grading import bubblewrap, confined, uids
from socketlab.grading.sandbox import SandboxError, find_sandbox
from socketlab.grading.uids import UNUSED, NoUidError, am_root, own_uid
from socketlab.grading.workplace import DISK, PROCESSES

pytestmark = linux
every = pytest.mark.parametrize("tier", EVERY)
closed = pytest.mark.parametrize("tier", CLOSED)
alone = pytest.mark.parametrize("tier", ALONE)


MARK = f"daemon-{os.getpid()}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return make_lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


@pytest.fixture(scope="module")
def tell(lab, listener, tmp_path_factory):
    """For each sandbox, what a program told that tried everything; it is run once."""
    others = tmp_path_factory.mktemp("submissions") / "ada.py"
    others.write_text("SECRET")
    files = [others, bubblewrap.__file__, lab.checks, lab.hidden_checks, lab.reading]
    files += [lab.root / "solutions" / lab.program.name, "/etc/passwd"]
    given = {"port": listener.getsockname()[1], "files": list(map(str, files))}

    @cache
    def tell(tier):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GRADEBOOK_PASSWORD", "SECRET")
            return told(lab, tier, **given, mark=f"{MARK}-{tier}", uid=os.getuid())

    return tell


@pytest.mark.parametrize("tier", CLOSED[:1])
def test_nothing_outside_is_reached(tell, listener, tier):
    unreachable = "Network is unreachable"
    assert tell(tier)["calls_out"] == ["Connection refused", unreachable, unreachable, "ended 0"]
    with pytest.raises(BlockingIOError):
        listener.accept()


@closed
def test_what_is_not_the_programs_cannot_be_read(tell, tier):
    assert tell(tier)["reads"] == ["ended 0"]


@every
def test_the_environment_is_not_the_graders(tell, tier):
    assert tell(tier)["looks_at_its_environment"] == ["[]", "ended 0"]


@closed
def test_the_kit_and_what_is_installed_cannot_be_imported(tell, tier):
    assert tell(tier)["imports"] == ["ended 0"]


@every
def test_a_program_may_write_in_its_folder(tell, tier):
    assert tell(tier)["writes"] == ["hello 5 True", "ended 0"]


@alone
def test_the_program_file_stays_as_it_is(tell, tier):
    assert tell(tier)["changes_its_file"] == ["ended 0"]


@every
def test_nothing_is_inherited(tell, tier):
    assert tell(tier)["inherits"] == ["[0, 1, 2] ['SIGPIPE', 'SIGXFSZ'] True b''", "ended 0"]


@alone
def test_no_other_process_can_be_killed(tell, tier):
    if tier == "B" and not confined.keeps_signals():
        pytest.skip("this kernel's Landlock does not keep signals in")
    assert tell(tier)["kills"] == ["still here", "ended 0"]


@alone
def test_no_other_process_can_be_traced(tell, tier):
    assert tell(tier)["traces"] == ["[]", "ended 0"]


@alone
def test_forged_verdicts_are_no_pass(tell, tier):
    assert tell(tier)["forges"] == ["0", "ended 0"]


@every
def test_daemons_and_listeners_are_gone(tell, tier):
    port, *_ = tell(tier)["leaves_a_daemon"]
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not [words for words in lines if f"{MARK}-{tier}" in words]
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", int(port)))


@every
def test_the_exit_code_is_the_programs_own(tell, tier):
    assert tell(tier)["exits_130"] == ["ended 130"]
    assert tell(tier)["dies_of_ctrl_c"] == ["ended -2"]
    assert tell(tier)["dies_of_a_signal"] == ["ended -2"]


@every
def test_memory_is_bounded(tell, tier):
    assert tell(tier)["takes_memory"] == ["no more memory", "ended 0"]
    assert tell(tier)["takes_memory_together"] == ["ended -9"]
    assert tell(tier)["hides_memory"] == ["ended -9"]


@every
def test_the_disk_is_bounded(tell, tier):
    written, *_ = tell(tier)["fills_the_disk"]
    assert 0 < int(written) <= DISK


@alone
def test_processes_are_bounded(tell, tier):
    count, *_ = tell(tier)["starts_processes"]
    assert 0 < int(count) <= PROCESSES


@every
def test_limits_cannot_be_raised(tell, tier):
    assert tell(tier)["raises_its_limits"] == ["ended 0"]


# Which sandbox


def test_the_best_one_is_found():
    assert find_sandbox() == HERE[min(HERE)]
    assert find_sandbox().title in ("A bubblewrap", "B Landlock", "C unsandboxed")


@every
def test_a_sandbox_goes_to_other_processes(tier):
    assert pickle.loads(pickle.dumps(HERE[tier])) == HERE[tier]


def test_without_bubblewrap_the_next_best_is_told(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = find_sandbox()
    assert found.tier > "A"
    assert "apt install bubblewrap" in found.advice
    with pytest.raises(SandboxError, match=r"A bubblewrap is required.*apt install bubblewrap"):
        find_sandbox("A")


@pytest.mark.parametrize(
    ("says", "advice"),
    [
        ("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "AppArmor|apparmor"),
        ("echo 'bwrap: Unknown option --disable-userns' >&2; exit 1", "0.8 or later"),
        ("exit 1", "may not make namespaces"),
    ],
)
def test_a_bubblewrap_that_does_not_work_says_why(monkeypatch, tmp_path, says, advice):
    bwrap = tmp_path / "bwrap"
    bwrap.write_text(f"#!/bin/sh\n{says}\n")
    bwrap.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(bwrap))
    with pytest.raises(SandboxError, match=advice):
        find_sandbox("A")


def test_without_landlock_nothing_is_left_but_limits(monkeypatch):
    monkeypatch.setattr(bubblewrap, "why_no_bubblewrap", lambda: "No A.")
    monkeypatch.setitem(sys.modules, "landlockpy", None)
    with pytest.raises(SandboxError, match=r"B Landlock is required.*pip install landlockpy"):
        find_sandbox("B")
    assert find_sandbox("C").tier == "C"


def test_an_unknown_sandbox_is_refused():
    with pytest.raises(SandboxError, match=r"no sandbox 'D'. The sandboxes are: A bubblewrap, B"):
        find_sandbox("D")


# Users, and what is left


@pytest.mark.skipif(not am_root(), reason="only root can be others")
def test_each_worker_has_a_user_of_its_own_and_nothing_of_it_is_left(monkeypatch):
    monkeypatch.setattr(uids, "UNUSED", UNUSED[-3:-1])  # other tests take the first ones
    with own_uid() as one, own_uid() as other:
        assert (one, other) == tuple(UNUSED[-3:-1])
        sleeper = subprocess.Popen(["/bin/sleep", "1000"], user=one)
        with pytest.raises(NoUidError, match="All user ids from 61181 to 61182 are in use"):
            own_uid().__enter__()
    assert sleeper.wait(30) == -9
    with own_uid() as again:
        assert again == one


def test_others_have_no_user_to_give(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with own_uid() as uid:
        assert uid == 0


@every
def test_nothing_is_left(lab, tier):
    def held():
        mounts = len(Path("/proc/self/mounts").read_text().splitlines())
        folders = {path.name for path in Path(tempfile.gettempdir()).glob("socketlab-*")}
        children = psutil.Process().children(recursive=True)
        return mounts, folders, children, psutil.Process().num_fds()

    before = held()
    graded(lab, "open('left', 'w')\n", tier)
    after = held()
    assert (after[0], after[2:]) == (before[0], before[2:])
    ours = after[1] - before[1]  # others may grade meanwhile
    programs = [Path(tempfile.gettempdir(), name, "program", "07_probe.py") for name in ours]
    assert not list(filter(os.path.exists, programs))
