"""`python -m swath`: the same as the command `swath`."""

from __future__ import annotations

import sys

from swath.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
