"""The console command `swath`: sends `swath exec` to its own light entry and all else to click.

`swath exec` stands in every stage's command, so it is started a thousand times where the others are started once.
"""

from __future__ import annotations

import gc
import importlib
import sys


def main() -> int:
    """Run the command line of this process; returns its exit code."""
    if len(sys.argv) > 1 and sys.argv[1] == "exec":
        gc.disable()  # nothing that is loaded becomes garbage, and the search for it costs milliseconds
        return int(importlib.import_module("swath.cli.exec").main(sys.argv[2:]))
    return int(importlib.import_module("swath.cli.main").main())


if __name__ == "__main__":
    sys.exit(main())
