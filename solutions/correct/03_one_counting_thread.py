"""Right: one thread gives out the numbers, and all others ask it through queues."""

import queue
import socket
import sys
import threading
import time

orders = queue.Queue()


def give_numbers():
    """Answer each order with the next number."""
    number = 0
    while True:
        reply = orders.get()
        number = number + 1
        reply.put(number)


class Conversation(threading.Thread):
    """One client."""

    def __init__(self, conn):
        super().__init__(daemon=True)
        self.conn, self.buffer, self.reply = conn, bytearray(), queue.SimpleQueue()

    def run(self):
        """Receive until the end."""
        try:
            while data := self.conn.recv(7000):
                self.buffer.extend(data)
                while self.answer_line():
                    pass
        except OSError as error:
            print("lost:", error, file=sys.stderr)
        finally:
            self.conn.close()

    def answer_line(self):
        """Answer the first whole line in the buffer, if there is one."""
        line, newline, rest = self.buffer.partition(b"\n")
        if newline:
            orders.put(self.reply)
            self.buffer = rest
            self.conn.sendall(f"{self.reply.get()} ".encode() + line + newline)
        return newline


print("Error: not ready yet", file=sys.stderr)
time.sleep(1.5)
threading.Thread(target=give_numbers, daemon=True).start()
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
    try:
        while True:
            conn, peer = listener.accept()
            print("Exception in thread, says", peer)
            Conversation(conn).start()
    except KeyboardInterrupt:
        print("bye")
