"""Removes a runner's containers when the runner is gone. A program of its own: `python -I -S watchdog.py SOCKET`.

The runner holds the other end of stdin, and writes ``+NAME`` before it makes a container and ``-NAME`` after it has
removed it. When stdin ends, however the runner ended, the containers still on the list are removed by force. Only the
standard library's smallest parts are loaded, so that it starts in milliseconds; it imports nothing of Swath.
"""

import socket
import sys


def remove(engine: str, name: str) -> None:
    """Kill and remove the container `name` at the engine's Unix socket; one that is not there is fine."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(engine)
        request = f"DELETE /containers/{name}?force=1&v=1 HTTP/1.0\r\nHost: docker\r\n\r\n"
        connection.sendall(request.encode())
        while connection.recv(4096):
            pass


def watch(engine: str) -> None:
    """Keep the list until stdin ends, then remove what is on it."""
    living: dict[str, None] = {}
    for line in sys.stdin:
        name = line[1:].strip()
        if line.startswith("+"):
            living[name] = None
        else:
            living.pop(name, None)
    for name in living:
        try:
            remove(engine, name)
        except OSError:  # the next run finds it by its label
            continue


if __name__ == "__main__":
    watch(sys.argv[1])
