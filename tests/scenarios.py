"""Conversations whose outcome no timing can change, for tests of what is recorded and said."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from socketlab import background, record
from socketlab.recorder import Recording

UDP = socket.SOCK_DGRAM
Clients = list[socket.socket]


# --- servers ------------------------------------------------------------------------------------


def echo(conn: socket.socket) -> None:
    with conn:
        while data := conn.recv(1024):
            conn.sendall(data)


def serve_forever(listener: socket.socket) -> None:
    while True:
        conn, _ = listener.accept()
        echo(conn)


def serve_threads(listener: socket.socket) -> None:
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=echo, args=(conn,)).start()


def serve_socketserver(listener: socket.socket) -> None:
    class Echo(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(line)

    server = socketserver.ThreadingTCPServer(listener.getsockname(), Echo, False)
    with server.socket:
        server.socket = listener
        while True:
            server.handle_request()


def serve_selectors(listener: socket.socket) -> None:
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    conn, _ = listener.accept()
                    selector.register(conn, selectors.EVENT_READ)
                elif data := key.fileobj.recv(1024):
                    key.fileobj.sendall(data)
                else:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


def serve_busy(listener: socket.socket) -> None:
    """Asks again and again, as notebook 08 does before it knows better."""
    while True:
        conn, _ = listener.accept()
        conn.setblocking(False)
        with conn:
            data = None
            while data != b"":
                with contextlib.suppress(BlockingIOError):
                    if data := conn.recv(1024):
                        conn.sendall(data)


async def serve_async(listener: socket.socket) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(handle, sock=listener) as server:
        await server.serve_forever()


def serve_udp(listener: socket.socket) -> None:
    while True:
        data, address = listener.recvfrom(1024)
        listener.sendto(data, address)


# --- clients ------------------------------------------------------------------------------------


def ask(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    return sock.recv(1024)


@contextmanager
def client(address) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX) as sock:
        sock.connect(address)
        yield sock


def await_bytes(conn: socket.socket, number: int) -> None:
    """Look until so many bytes have come."""
    while len(conn.recv(1024, socket.MSG_PEEK)) < number:
        pass


def reset_on_close(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def one_client(server: Callable, messages: tuple = (b"hello",), **options) -> Recording:
    with (
        record() as recording,
        background(server, **options) as served,
        client(served.address) as sock,
    ):
        for message in messages:
            ask(sock, message)
    return recording


def three_at_once(server: Callable) -> Recording:
    with record() as recording, background(server) as served, ExitStack() as stack:
        socks = [stack.enter_context(client(served.address)) for _ in "ABC"]
        for sock in socks:
            ask(sock, b"hey")
            sock.close()
    return recording


def three_held(server: Callable) -> Recording:
    with record() as recording, background(server) as served, ExitStack() as stack:
        socks = [stack.enter_context(client(served.address)) for _ in "ABC"]
        for sock in socks:
            ask(sock, b"hey")
    return recording


def three_at_two() -> Recording:
    """A pool of two threads: C is accepted beside A and B, and served after A has left."""

    def serve_pool(listener: socket.socket) -> None:
        with ThreadPoolExecutor(max_workers=2) as pool:
            while True:
                pool.submit(echo, listener.accept()[0])

    with record() as recording, background(serve_pool) as served, ExitStack() as stack:
        socks = [stack.enter_context(client(served.address)) for _ in "ABC"]
        for sock in socks[:2]:
            ask(sock, b"hey")
        socks[2].sendall(b"hey")
        socks[0].close()
        socks[2].recv(1024)
    return recording


def three_in_turn(server: Callable) -> Recording:
    with record() as recording, background(server) as served:
        for _ in "ABC":
            with client(served.address) as sock:
                ask(sock, b"hey")
    return recording


def three_threads(server: Callable) -> Recording:
    """Clients that connect at the same time and stay until each has its answer."""
    with record() as recording, background(server) as served:
        barrier = threading.Barrier(3)

        def talk() -> None:
            barrier.wait()
            with client(served.address) as sock:
                ask(sock, b"hey")
                barrier.wait()

        threads = [threading.Thread(target=talk) for _ in "ABC"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return recording


# --- one scenario each --------------------------------------------------------------------------


def split() -> Recording:
    def serve_small(listener: socket.socket) -> None:
        conn, _ = listener.accept()
        with conn:
            parts = [conn.recv(2) for _ in range(3)]
            conn.sendall(b"-".join(parts))

    with record() as recording, background(serve_small) as server, client(server.address) as sock:
        sock.sendall(b"hello")
        sock.recv(1024)
    return recording


def coalesced() -> Recording:
    def serve_once(listener: socket.socket) -> None:
        conn, _ = listener.accept()
        with conn:
            await_bytes(conn, 6)
            conn.sendall(conn.recv(1024))

    with record() as recording, background(serve_once) as server, client(server.address) as sock:
        sock.sendall(b"abc")
        sock.sendall(b"def")
        await_bytes(sock, 6)
        sock.recv(4)
        sock.recv(1024)
    return recording


def both_parts() -> Recording:
    with record() as recording, socket.create_server(("127.0.0.1", 0)) as listener:
        with client(listener.getsockname()) as sock, listener.accept()[0] as conn:
            sock.sendall(b"one")
            sock.sendall(b"two")
            await_bytes(conn, 6)
            conn.recv(5)
            conn.recv(1024)
            conn.sendall(b"three")
            sock.recv(1024)
    return recording


def bulk(size: int = 1_000_000) -> Recording:
    def serve_count(listener: socket.socket) -> None:
        conn, _ = listener.accept()
        with conn:
            total = 0
            while data := conn.recv(65536):
                total += len(data)
            conn.sendall(b"%d" % total)

    with record() as recording, background(serve_count) as server, client(server.address) as sock:
        sock.sendall(bytes(size))
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1024)
    return recording


def half_close() -> Recording:
    def serve_count(listener: socket.socket) -> None:
        conn, _ = listener.accept()
        with conn:
            total = 0
            while data := conn.recv(1024):
                total += len(data)
            conn.sendall(b"%d" % total)

    with record() as recording, background(serve_count) as server, client(server.address) as sock:
        sock.sendall(b"one, two")
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1024)
        sock.recv(1024)
    return recording


def refused() -> Recording:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        with record() as recording, socket.socket() as sock:
            with contextlib.suppress(ConnectionRefusedError):
                sock.connect(bound.getsockname())
    return recording


def refused_at_first() -> Recording:
    """Linux lets a socket try again that was refused; the others do not."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        with record() as recording, socket.socket() as sock:
            sock.connect_ex(listener.getsockname())
            listener.listen()
            with background(serve_forever, listener) as server:
                sock.connect(server.address)
                ask(sock, b"hello")
    return recording


def reset() -> Recording:
    def serve_through_resets(listener: socket.socket) -> None:
        with contextlib.suppress(ConnectionResetError):
            serve_forever(listener)

    with record() as recording, background(serve_through_resets) as server:
        with client(server.address) as sock:
            ask(sock, b"hello")
            reset_on_close(sock)
    return recording


def unread_input() -> Recording:
    """The server answers and closes with input that it did not read: the client sees a reset."""

    def serve_rudely(listener: socket.socket) -> None:
        conn, _ = listener.accept()
        with conn:
            await_bytes(conn, 6)
            conn.recv(3)
            reset_on_close(conn)  # what Linux does by itself, other systems now and then

    with record() as recording, background(serve_rudely) as server, client(server.address) as sock:
        sock.sendall(b"abcdef")
        with contextlib.suppress(ConnectionResetError):
            sock.recv(1024)
    return recording


def never_accepted() -> Recording:
    with record() as recording, socket.create_server(("127.0.0.1", 0)) as listener:
        with client(listener.getsockname()) as sock:
            sock.sendall(b"anybody?")
    return recording


def server_first() -> Recording:
    """Threads on both sides: each server thread speaks before it is spoken to."""

    def greet(conn: socket.socket) -> None:
        with conn:
            conn.sendall(b"welcome")
            conn.recv(1024)

    def serve_greetings(listener: socket.socket) -> None:
        while True:
            conn, _ = listener.accept()
            threading.Thread(target=greet, args=(conn,)).start()

    with record() as recording, background(serve_greetings) as server:
        with client(server.address) as sock:
            sock.recv(1024)
            sock.sendall(b"thanks")
    return recording


def two_way() -> Recording:
    """The client reads in a thread of its own, as a chat does."""
    with record() as recording, background(serve_forever) as server:
        with client(server.address) as sock:
            turns = threading.Semaphore(0)

            def read() -> None:
                while sock.recv(1024):
                    turns.release()

            reader = threading.Thread(target=read)
            reader.start()
            for message in (b"one", b"two"):
                sock.sendall(message)
                turns.acquire()
            sock.shutdown(socket.SHUT_WR)
            reader.join()
    return recording


def udp() -> Recording:
    with record() as recording, background(serve_udp, type=UDP) as server:
        with socket.socket(socket.AF_INET, UDP) as sock:
            for message in (b"hello", b""):
                sock.sendto(message, server.address)
                sock.recvfrom(1024)
    return recording


def two_udp() -> Recording:
    with record() as recording, background(serve_udp, type=UDP) as server:
        for _ in "AB":
            with socket.socket(socket.AF_INET, UDP) as sock:
                sock.connect(server.address)
                sock.send(b"hello")
                sock.recv(1024)
    return recording


def udp_cut() -> Recording:
    """A receiver with room for three bytes: the end of the datagram is lost."""
    with record() as recording, socket.socket(socket.AF_INET, UDP) as receiver:
        receiver.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, UDP) as sock:
            for message in (b"abcdef", b"gh"):
                sock.sendto(message, receiver.getsockname())
            with contextlib.suppress(OSError):  # Windows: WSAEMSGSIZE
                receiver.recvfrom(3)
            receiver.recvfrom(3)
            sock.sendto(b"lost", receiver.getsockname())
    return recording


def asyncio_both() -> Recording:
    """Client and server in one event loop, in one thread."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def talk() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello")
            await reader.read(1024)
            writer.write_eof()
            await reader.read()
            writer.close()
            await writer.wait_closed()

    with record() as recording:
        asyncio.run(talk())
    return recording


def one_line(served) -> None:
    with client(served.address) as sock:
        ask(sock, b"hey\n")


def socketserver_lines() -> Recording:
    with record() as recording, background(serve_socketserver) as server:
        one_line(server)
    return recording


def pair() -> Recording:
    with record() as recording:
        one, other = socket.socketpair()
        with one, other:
            one.sendall(b"ping")
            other.recv(1024)
            other.sendall(b"pong")
            one.recv(1024)
    return recording
