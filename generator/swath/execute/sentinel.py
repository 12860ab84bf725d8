"""Removes a session's containers when the container that Swath runs in has ended.

    python -I -S sentinel.py SOCKET CONTAINER LABEL

The watchdog ends together with Swath when their whole container is killed, as GitLab's runner kills that of a job. So
this program runs in a container of its own. It uses the standard library alone, and imports nothing of Swath.
"""

import http.client
import json
import socket
import sys
from urllib.parse import quote


def ask(engine: str, method: str, path: str) -> tuple[int, bytes]:
    """What the engine at a Unix socket answers: status and body."""
    connection = http.client.HTTPConnection("docker")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(engine)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def watch(engine: str, container: str, label: str) -> None:
    """Wait for the end of a container, then remove those that have the label.

    Raises:
        OSError: the engine broke off: nobody knows whether the container has ended, so nothing is removed.
        HTTPException: the same.
    """
    status, _ = ask(engine, "POST", f"/containers/{container}/wait")
    if status not in {http.HTTPStatus.OK, http.HTTPStatus.NOT_FOUND}:
        return
    filters = quote(json.dumps({"label": [label]}))
    _, found = ask(engine, "GET", f"/containers/json?all=1&filters={filters}")
    for each in json.loads(found):
        ask(engine, "DELETE", f"/containers/{each['Id']}?force=1&v=1")


if __name__ == "__main__":
    watch(*sys.argv[1:])
