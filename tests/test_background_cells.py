"""background() in a real kernel: cells that are run again, that fail, that are interrupted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

SECONDS = 60
SETUP = """
import gc, os, socket, threading
from socketlab import background, crew

def serve_forever(listener):
    while True:
        conn, _ = listener.accept()
        with conn:
            while data := conn.recv(1024):
                conn.sendall(data)

def listening(address):
    with socket.socket() as sock:
        return sock.connect_ex(address) == 0

before = set(threading.enumerate())

def servers():
    return sorted(t.name for t in threading.enumerate() if t not in before)
"""


class Kernel:
    """A kernel that runs cells as JupyterLab has them run, each with its id."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    def start(self, code: str, cell: str | None = None) -> str:
        """Send `code` as the text of `cell`; the id of the request."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        content |= {"user_expressions": {}, "stop_on_error": True}
        metadata = {"cellId": cell} if cell else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def outputs(self, request: str) -> Iterator[dict]:
        """What the cell shows, as it comes; ends with the cell."""
        while True:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return
            yield message["content"]

    def run(self, code: str, cell: str | None = None) -> str:
        """What the cell shows in the end: its value, or its traceback."""
        shown = ""
        for content in self.outputs(self.start(code, cell)):
            shown = content.get("data", {}).get("text/plain") or _traceback(content) or shown
        return shown


def _traceback(content: dict) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(content.get("traceback", [])))


@pytest.fixture(scope="module")
def started() -> Iterator[Kernel]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(extra_arguments=["--HistoryManager.enabled=False"])
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=SECONDS)
        kernel = Kernel(manager, client)
        assert kernel.run(SETUP) == ""
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(started: Kernel) -> Iterator[Kernel]:
    """Nothing of a test is left in the kernel."""
    yield started
    assert started.run("for crew_ in tuple(crew.live): crew_.stop()\nservers()") == "[]"


STARTS = "server = background(serve_forever)\nserver.address"


@pytest.mark.parametrize("cell", ["an-id", None])
def test_a_cell_that_is_run_again_stops_its_earlier_server(kernel: Kernel, cell) -> None:
    first = kernel.run(STARTS, cell)
    assert kernel.run(f"listening({first})") == "True"
    kernel.run("kept = server")
    second = kernel.run(STARTS, cell)
    assert kernel.run(f"listening({first}), listening({second})") == "(False, True)"
    assert kernel.run("kept, server") == (
        "(<server serve_forever: stopped>, <server serve_forever: running>)"
    )


def test_a_cell_whose_text_was_changed_is_the_same_cell(kernel: Kernel) -> None:
    kernel.run("kept = []; kept.append(background(serve_forever))", "an-id")
    kernel.run("kept.append(background(serve_forever, name='changed'))", "an-id")
    assert kernel.run("servers()") == "['changed']"


def test_other_cells_and_the_same_run_keep_their_servers(kernel: Kernel) -> None:
    kernel.run("kept = [background(serve_forever, name=name) for name in 'ab']", "one")
    kernel.run("kept.append(background(serve_forever, name='c'))", "two")
    assert kernel.run("servers()") == "['a', 'b', 'c']"
    assert kernel.run("[server.stop() for server in kept]; servers()") == "[]"


def test_a_name_that_is_bound_again_ends_its_server(kernel: Kernel) -> None:
    kernel.run("server = background(serve_forever, name='old')", "one")
    kernel.run("server = background(serve_forever, name='new')", "two")
    assert kernel.run("servers()") == "['new']"
    kernel.run("server = None")
    assert kernel.run("servers()") == "[]"


def test_the_same_port_again(kernel: Kernel) -> None:
    """A cell with a port of its own can be run again and again."""
    address = kernel.run(STARTS, "first")
    kernel.run("server.stop()")
    again = f"server = background(serve_forever, port={address}[1])\nserver.address"
    for _ in range(3):
        assert kernel.run(again, "again") == address


def test_an_interrupted_cell_leaves_nothing(kernel: Kernel) -> None:
    blocks = """
with background(serve_forever) as server, socket.create_connection(server.address) as sock:
    print("waiting")
    sock.recv(1024)
"""
    request, shown = kernel.start(blocks, "blocks"), []
    for content in kernel.outputs(request):
        shown.append(content.get("ename", ""))
        if content.get("text") == "waiting\n":
            kernel.manager.interrupt_kernel()
    assert "KeyboardInterrupt" in shown
    assert kernel.run("server, servers(), listening(server.address)") == (
        "(<server serve_forever: stopped>, [], False)"
    )


def test_an_error_is_shown_at_the_readers_line(kernel: Kernel) -> None:
    fails = """
def serve_wrong(listener):
    conn, _ = listener.accept()
    with conn:
        conn.sendall("text")  # not bytes

with background(serve_wrong) as server, socket.create_connection(server.address) as sock:
    sock.recv(1024)
"""
    shown = kernel.run(fails, "fails")
    assert shown.rstrip().endswith("a bytes-like object is required, not 'str'")
    assert '----> 4         conn.sendall("text")  # not bytes' in shown
    for room in ("background.py", "crew.py", "guards.py", "taps.py"):
        assert room not in shown
