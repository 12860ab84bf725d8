"""The console command `swath`: sends `swath exec` to its own light entry and all else to click.

`swath exec` stands in every stage's command, so it is started a thousand times where the others are started once.
"""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """Run the command line of this process; returns its exit code."""
    if len(sys.argv) > 1 and sys.argv[1] == "exec":
        gc.disable()  # nothing that is loaded becomes garbage, and the search for it costs milliseconds
        from swath.cli.exec import main as run_service

        return run_service(sys.argv[2:])
    from swath.cli.main import main as run_command

    return int(run_command())


if __name__ == "__main__":
    sys.exit(main())
