"""One echo service in every shape that a lesson may give it."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import select
import selectors
import socket
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def serve_client(conn: socket.socket) -> None:
    with conn:
        while data := conn.recv(1024):
            conn.sendall(data)


def serve_forever(listener: socket.socket) -> None:
    while True:
        serve_client(listener.accept()[0])


def serve_file(listener: socket.socket) -> None:
    while True:
        conn, _ = listener.accept()
        with conn, conn.makefile("rwb", buffering=0) as file:
            while data := file.read(1024):
                file.write(data)


def serve_into(listener: socket.socket) -> None:
    buffer = bytearray(1024)
    while True:
        conn, _ = listener.accept()
        with conn:
            while count := conn.recv_into(buffer):
                conn.send(buffer[:count])


def serve_timeouts(listener: socket.socket) -> None:
    listener.settimeout(0.02)
    while True:
        try:
            conn, _ = listener.accept()
        except TimeoutError:
            continue
        conn.settimeout(60)
        serve_client(conn)


def serve_busily(listener: socket.socket) -> None:
    """Spins: never do this."""
    listener.setblocking(False)
    conns: list[socket.socket] = []
    while True:
        try:
            conns.append(listener.accept()[0])
            conns[-1].setblocking(False)
        except BlockingIOError:
            pass
        for conn in conns:
            with contextlib.suppress(BlockingIOError):
                conn.send(conn.recv(1024))


def serve_selectors(listener: socket.socket) -> None:
    serve_with(selectors.DefaultSelector(), listener)


def serve_select_selector(listener: socket.socket) -> None:
    serve_with(selectors.SelectSelector(), listener)


def serve_poll_selector(listener: socket.socket) -> None:
    serve_with(selectors.PollSelector(), listener)


def serve_briefly(listener: socket.socket) -> None:
    serve_with(selectors.DefaultSelector(), listener, timeout=0.02)


def serve_with(selector: selectors.BaseSelector, listener: socket.socket, timeout=None) -> None:
    listener.setblocking(False)
    with selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(timeout):
                if key.fileobj is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                else:
                    answer(selector, key.fileobj)


def answer(selector, conn) -> None:
    if data := conn.recv(1024):
        conn.sendall(data)
    else:
        selector.unregister(conn)
        conn.close()


def serve_select(listener: socket.socket) -> None:
    inputs = [listener]
    while True:
        readable, _, _ = select.select(inputs, [], inputs)
        for sock in readable:
            if sock is listener:
                inputs.append(sock.accept()[0])
            elif data := sock.recv(1024):
                sock.sendall(data)
            else:
                inputs.remove(sock)
                sock.close()


def serve_poll(listener: socket.socket) -> None:
    poll, socks = select.poll(), {listener.fileno(): listener}
    poll.register(listener)
    while True:
        for fd, _ in poll.poll():
            if socks[fd] is listener:
                conn, _ = listener.accept()
                socks[conn.fileno()] = conn
                poll.register(conn, select.POLLIN)
            elif data := socks[fd].recv(1024):
                socks[fd].sendall(data)
            else:
                poll.unregister(fd)
                socks.pop(fd).close()


def serve_threads(listener: socket.socket) -> None:
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=serve_client, args=(conn,)).start()


def serve_many_accepts(listener: socket.socket) -> None:
    threads = [threading.Thread(target=serve_forever, args=(listener,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def serve_queue(listener: socket.socket) -> None:
    conns: queue.Queue[socket.socket] = queue.Queue()

    def work() -> None:
        while True:
            serve_client(conns.get())

    for _ in range(4):
        threading.Thread(target=work).start()
    while True:
        conns.put(listener.accept()[0])


def serve_pool(listener: socket.socket) -> None:
    with ThreadPoolExecutor(4) as pool:
        while True:
            pool.submit(serve_client, listener.accept()[0])


def serve_open_pool(listener: socket.socket) -> None:
    pool = ThreadPoolExecutor(4)  # nobody shuts it down
    while True:
        pool.submit(serve_client, listener.accept()[0])


class Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.request.sendall(data)


def serve_socketserver(listener: socket.socket) -> None:
    family = {"address_family": listener.family}
    kind = type("Server", (socketserver.ThreadingTCPServer,), family)
    with kind(listener.getsockname(), Handler, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = listener
        server.serve_forever()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1024):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve_async(listener: socket.socket) -> None:
    async with await asyncio.start_server(echo, sock=listener) as server:
        await server.serve_forever()


def serve_asyncio(listener: socket.socket) -> None:
    asyncio.run(serve_async(listener))


async def serve_async_carelessly(listener: socket.socket) -> None:
    async def careless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        await asyncio.sleep(3600)  # and never closes

    async with await asyncio.start_server(careless, sock=listener) as server:
        await server.serve_forever()


async def serve_async_sockets(listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    listener.setblocking(False)

    async def one(conn: socket.socket) -> None:
        with conn:
            while data := await loop.sock_recv(conn, 1024):
                await loop.sock_sendall(conn, data)

    async with asyncio.TaskGroup() as group:
        while True:
            conn, _ = await loop.sock_accept(listener)
            group.create_task(one(conn))


async def serve_async_threads(listener: socket.socket) -> None:
    tasks = []
    while True:
        conn, _ = await asyncio.to_thread(listener.accept)
        tasks.append(asyncio.create_task(asyncio.to_thread(serve_client, conn)))


def serve_bare_except(listener: socket.socket) -> None:
    while True:
        try:  # noqa: SIM105
            serve_client(listener.accept()[0])
        except:  # noqa: E722  # the mistake itself
            pass


def serve_nested_except(listener: socket.socket) -> None:
    while True:
        try:
            try:
                serve_client(listener.accept()[0])
            except BaseException as error:
                _ = error
        except BaseException:
            continue


def serve_slowly(listener: socket.socket) -> None:
    while True:
        conn, _ = listener.accept()
        with conn:
            while data := conn.recv(1024):
                time.sleep(0.03)
                conn.sendall(data)


def serve_datagrams(sock: socket.socket) -> None:
    while True:
        data, address = sock.recvfrom(1024)
        sock.sendto(data, address)


def serve_datagrams_in_threads(sock: socket.socket) -> None:
    for _ in range(3):
        threading.Thread(target=serve_datagrams, args=(sock,)).start()


STREAM = {
    name.removeprefix("serve_"): thing
    for name, thing in list(vars().items())
    if name.startswith("serve_") and "datagrams" not in name and name not in
    ("serve_client", "serve_with")
}  # fmt: skip
DATAGRAM = {"datagrams": serve_datagrams, "datagrams_in_threads": serve_datagrams_in_threads}
