from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.service_repositories import add_service, invocation, make_repository, shell_service, workplace
from swath.errors import UserError
from swath.execute.command import invocation_from_words
from swath.model.invocation import Volume
from swath.model.units import Size

if TYPE_CHECKING:
    from pathlib import Path

COPY = """\
name: copy
kind: processing
description: d
entrypoint: [sh, run.sh]
process: {}
parameters:
  - {name: folder, type: directory, direction: input}
  - {name: file, type: "list[file]", direction: input}
  - {name: out, type: "list[directory]", direction: output}
resources: {memory: 1GiB}
timeout: 1m
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_repository(tmp_path)
    add_service(tmp_path, "copy", COPY, {"run.sh": ""})
    (tmp_path / "w").mkdir()
    return tmp_path


def problems(root: Path, *words: str, wdir: str = ".", **volumes: Volume) -> list[str]:
    with pytest.raises(UserError) as caught:
        invocation_from_words(words, workplace(root, wdir, volumes))
    return str(caught.value).replace(f"swath exec {words[0]}: " if words else "", "").splitlines()


def test_checked_words_become_an_invocation(root: Path) -> None:
    made = invocation(root, "copy", "--file", "data/a", "--out", "o", "--file", "services/upper/upper.sh")
    assert made.arguments == (("file", ("data/a", "services/upper/upper.sh")), ("out", ("o",)))
    assert (made.folder, made.wdir, made.timeout_s) == (root / "services/copy", ".", 60.0)
    assert made.resources.memory == Size(2**30)


def test_paths_start_at_the_working_directory(root: Path) -> None:
    assert invocation(root, "copy", "--file", "../data/a", wdir="w").arguments == (("file", ("../data/a",)),)
    assert problems(root, "copy", "--file", "data/a", wdir="w") == ["--file: there is no file 'data/a'"]


def test_no_service_is_named(root: Path) -> None:
    assert problems(root) == ["`swath exec` needs the name of a service", "  `swath service list` prints them"]


def test_everything_wrong_is_said_at_once(root: Path) -> None:
    words = ["upper", "--inptu", "x", "--size", "1", "--out", "../../o"]
    assert problems(root, *words) == [
        "--inptu: service 'upper' has no such parameter",
        "  did you mean '--input'?",
        "--size: expected at least 16, got 1",
        "--input: is required (the text): expected the path of a file",
        "--out: '../../o' leads out of the repository; name a path below the repository",
    ]


@pytest.mark.parametrize(
    ("option", "path", "message"),
    [
        ("--file", "none", "there is no file 'none'"),
        ("--file", "data", "expected a file, but 'data' is a folder"),
        ("--folder", "data/a", "expected a folder, but 'data/a' is a file"),
        ("--folder", "/etc", "'/etc' is not a path in the repository; name a path below the repository, or a volume"),
        ("--folder", "data/../..", "'data/../..' leads out of the repository; name a path below the repository, or a volume"),
        ("--file", "data/a/b", "there is no file 'data/a/b'"),
        ("--file", "x" * 300, f"'{'x' * 300}' cannot be read: File name too long"),
        ("--out", "/o", "'/o' is not a path in the repository; name a path below the repository"),
        ("--out", ".", "'.' cannot be an output: the repository itself lives there"),
        ("--out", ".git/x", "'.git/x' cannot be an output: the repository itself lives there"),
        ("--out", "services", "the output 'services' would replace services/copy"),
        ("--folder", "volume:", "'volume:' is no volume: write volume:NAME or volume:NAME/PATH"),
        ("--folder", "volume:none", "swath.yaml names no volume 'none'; add it under `volumes`"),
    ],
)  # fmt: skip
def test_wrong_paths(root: Path, option: str, path: str, message: str) -> None:
    assert problems(root, "copy", option, path) == [f"{option}: {message}"]


def test_an_output_holds_neither_inputs_nor_outputs_nor_the_working_directory(root: Path) -> None:
    assert problems(root, "copy", "--file", "data/a", "--out", "data") == [
        "--out: the output 'data' would replace data/a"
    ]
    assert problems(root, "copy", "--out", "o/p", "--out", "o") == ["--out: the output 'o' would replace o/p"]
    assert problems(root, "copy", "--out", "../w", wdir="w") == [
        "--out: the output '../w' would replace the working directory"
    ]


def test_an_input_may_be_a_link_into_the_cache(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    cached = tmp_path_factory.mktemp("cache") / "object"
    cached.write_text("x")
    (root / "link").symlink_to(cached)
    assert invocation(root, "copy", "--file", "link").arguments == (("file", ("link",)),)


def test_volumes_stay_names_and_come_with_the_invocation(root: Path) -> None:
    archive = Volume("archive", str(root / "data"))
    words = ["copy", "--file", "volume:archive/a", "--folder", "volume:archive"]
    made = invocation_from_words(words, workplace(root, volumes={"archive": archive, "other": archive}))
    assert made.arguments == (("file", ("volume:archive/a",)), ("folder", "volume:archive"))
    assert made.volumes == {"archive": archive}


def test_wrong_volumes(root: Path) -> None:
    archive = Volume("archive", str(root / "data"))
    assert problems(root, "copy", "--file", "volume:archive/b", archive=archive) == [
        "--file: there is no file 'volume:archive/b'"
    ]
    assert problems(root, "copy", "--file", "volume:archive/../x", archive=archive) == [
        "--file: 'volume:archive/../x' leads out of the volume"
    ]
    assert problems(root, "copy", "--out", "volume:archive/o", archive=archive) == [
        "--out: the volume 'archive' is read-only; set `read_only: false` in swath.yaml to let stages write there"
    ]
    assert problems(root, "copy", "--folder", "volume:archive", archive=Volume("archive", "")) == [
        "--folder: the volume 'archive' has no path on this machine; set SWATH_VOLUME_ARCHIVE, or `path` under volumes.archive in swath.yaml"
    ]


def test_a_remote_volume_is_not_looked_at(root: Path) -> None:
    remote = Volume("remote", "https://example.org/scenes")
    made = invocation_from_words(["copy", "--folder", "volume:remote/x"], workplace(root, volumes={"remote": remote}))
    assert made.volumes == {"remote": remote}


def test_a_service_without_parameters(root: Path) -> None:
    shell_service(root, "plain", "true")
    assert invocation(root, "plain").arguments == ()
