"""background(): any server function runs beside the notebook, and ends for certain."""

import socket
import threading

import pytest

from socketlab.background import background


def serve_forever(listener):
    while True:
        conn, _ = listener.accept()
        with conn:
            while data := conn.recv(1024):
                conn.sendall(data)


def test_server_answers_and_ends() -> None:
    with background(serve_forever) as server:
        with socket.create_connection(server.address) as sock:
            sock.sendall(b"hello")
            assert sock.recv(1024) == b"hello"
    assert not server.running
    assert threading.active_count() == 1


def test_function_must_take_a_listener() -> None:
    with pytest.raises(TypeError, match="must take one argument, the listener"):
        background(lambda: None)
