"""Kernels of the tests get ports that nobody else is given."""

import socket

from jupyter_client.connect import LocalPortCache
from kernel_ports import FIRST, SHARE, SHARES, KernelPorts
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

SHOW = """
from ipykernel.connect import get_connection_info
sorted(v for k, v in get_connection_info(unpack=True).items() if k.endswith("_port"))
"""


def test_a_kernel_has_five_ports_of_this_process() -> None:
    notebook = new_notebook(cells=[new_code_cell(SHOW)])
    NotebookClient(notebook, timeout=60).execute()
    ports = eval(notebook.cells[0].outputs[0].data["text/plain"])
    assert len(set(ports)) == 5
    assert all(FIRST <= port < FIRST + SHARE * SHARES for port in ports)


def test_no_port_is_given_twice_or_while_somebody_listens() -> None:
    assert isinstance(LocalPortCache.instance(), KernelPorts)
    ports = KernelPorts()
    given = {ports.find_available_port("127.0.0.1") for _ in range(10)}
    assert len(given) == 10
    start = max(given) + 1
    with socket.create_server(("127.0.0.1", start)):
        assert start not in {ports.find_available_port("127.0.0.1") for _ in range(5)}
