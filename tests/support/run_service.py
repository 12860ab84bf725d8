"""Runs a pickled invocation under the docker runtime, as a program: for tests that kill it, or run as another user.

python run_service.py REQUEST     the service's output, then the outcome as a line of JSON
"""

import dataclasses
import io
import json
import os
import pickle
import sys
import threading
from pathlib import Path

from swath.execute.container import DockerRuntime


def main() -> None:
    """Run it."""
    invocation = pickle.loads(Path(sys.argv[1]).read_bytes())
    log = io.BytesIO()
    runtime = DockerRuntime(os.environ)
    outcome = runtime.run(invocation, log, threading.Event())
    runtime.close()
    sys.stdout.write(log.getvalue().decode())
    sys.stdout.write(json.dumps(dataclasses.asdict(outcome)) + "\n")


if __name__ == "__main__":
    main()
