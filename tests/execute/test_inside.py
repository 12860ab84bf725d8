

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest

from support.service_repositories import add_service, invocation, make_repository, never
from swath.errors import UserError
from swath.execute.inside import InsideRuntime

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "name: a\nkind: processing\ndescription: d\nentrypoint: [PROGRAM, run.py]\nparameters: [{name: out, type: file, direction: output}]\n"


def test_the_entrypoint_is_started_as_it_is(tmp_path: Path) -> None:
    make_repository(tmp_path)
    add_service(tmp_path, "a", TEXT.replace("PROGRAM", "sh"), {"run.py": 'echo "$0 $@"; touch o'})
    log = io.BytesIO()
    runtime = InsideRuntime(os.environ)
    assert runtime.name == "inside"
    assert runtime.run(invocation(tmp_path, "a", "--out", "o"), log, never()).exit_code == 0
    assert log.getvalue().decode() == f"{tmp_path}/services/a/run.py --out o\n"


def test_a_program_that_the_image_has_not(tmp_path: Path) -> None:
    make_repository(tmp_path)
    add_service(tmp_path, "a", TEXT.replace("PROGRAM", "no-such"), {"run.py": ""})
    message = "'no-such', which starts 'a', is not on PATH: is this the service's container[?]"
    with pytest.raises(UserError, match=message):
        InsideRuntime(os.environ).run(invocation(tmp_path, "a"), None, never())
