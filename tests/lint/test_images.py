# ruff: noqa: ISC004 - messages stand whole
"""Images of services against their files."""

from __future__ import annotations

import pytest

from support.lint_case import Tell
from support.plain_repository import SPLIT

GOOD = "FROM base:1\nCOPY split.sh /opt/service/\n"


def files(dockerfile: str, yaml: str = "image: {build: .}\n", **more: str) -> dict[str, str | bytes]:
    return {
        "services/split/service.yaml": SPLIT + yaml,
        "services/split/Dockerfile": dockerfile,
        **{f"services/split/{name}": text for name, text in more.items()},
    }


def test_a_good_one(told: Tell) -> None:
    dockerfile = (
        "# syntax=x\nARG BASE=python:3.11-slim\nFROM ${BASE} AS made\nCOPY . .\nADD https://x.example/y /y\n"
        'COPY --from=other:1 /a /b\nCOPY *.py $X /opt/service/\nCOPY ["a", "/b"]\nRUN echo it\'s\nFROM made\n'
        "COPY --chown=0:0 \\\n  # why\n  ./split.sh \\\n  /opt/service/\n"
    )
    assert told("stages: {}\n", files(dockerfile)) == []


@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        (
            "FROM base:1\nCOPY split.sh \\\n README.md /opt/service/\n",
            "E image-copy services/split/Dockerfile:2: COPY README.md: images are built without it: there is no such "
            "file, or .dvcignore or Git ignores it\n  copy only what is in Git",
        ),
        (
            "FROM registry:5000/base\nCOPY split.sh /opt/service/\n",
            "W image-base services/split/Dockerfile:1: FROM registry:5000/base: what it stands for changes, and the "
            "image's tag does not\n  name a version: base:VERSION",
        ),
        (
            "FROM base:1\nCOPY split.sh /app/\n",
            "W image-code services/split/Dockerfile: it copies nothing to /opt/service, where the service's program is "
            "looked for\n  COPY the program to /opt/service/",
        ),
    ],
)
def test_what_a_dockerfile_does_wrong(told: Tell, dockerfile: str, message: str) -> None:
    assert told("stages: {}\n", files(dockerfile, **{"README.md": "x"})) == [message]


DISTROLESS = "registry.example.org/distroless/base-debian12:nonroot"


@pytest.mark.parametrize(
    ("dockerfile", "base"),
    [
        ("FROM scratch\nCOPY split.sh /opt/service/\n", "scratch"),
        (f"FROM go:1 AS made\nFROM {DISTROLESS} AS last\nFROM last\nCOPY --from=made /x /opt/service/\n", DISTROLESS),
        ("FROM scratch\nCOPY --from=busybox:1 /bin/busybox /bin/sh\nCOPY split.sh /opt/service/\n", ""),
        ("FROM go:1 AS made\nFROM scratch\nCOPY --from=made / /\nCOPY split.sh /opt/service/\n", ""),
        ("FROM registry.example.org/distroless/base-debian12:debug-nonroot\nCOPY split.sh /opt/service/\n", ""),
        ("FROM scratch AS files\nFROM debian:12\nCOPY --from=files /x /opt/service/\n", ""),
    ],
)
def test_a_base_that_has_no_shell(told: Tell, dockerfile: str, base: str) -> None:
    line = max(number for number, text in enumerate(dockerfile.splitlines(), 1) if text.startswith("FROM"))
    message = (
        f"W image-shell services/split/Dockerfile:{line}: FROM {base}: GitLab's runner starts jobs by a shell in the image, "
        "and there is none\n  take a base with bash or busybox, or set `execution: docker` in swath.yaml"
    )
    assert told("stages: {}\n", files(dockerfile)) == ([message] if base else [])


def test_a_base_without_a_shell_is_good_where_no_job_runs_in_it(told: Tell) -> None:
    dockerfile = "FROM scratch\nCOPY split.sh /opt/service/\n"
    assert told("stages: {}\n", {**files(dockerfile), "swath.yaml": "execution: docker\n"}) == []


def test_a_program_that_git_does_not_take_for_one(told: Tell) -> None:
    changed = files(GOOD)
    changed["services/split/service.yaml"] = str(changed["services/split/service.yaml"]).replace(
        "[sh, split.sh]", "[./split.sh]"
    )
    assert told("stages: {}\n", changed) == [
        "W image-program services/split/split.sh: the entrypoint starts it, but for Git it is no program, and images "
        "have Git's modes\n  git update-index --chmod=+x 'services/split/split.sh'"
    ]


def test_the_name_of_swaths_own_image(told: Tell) -> None:
    text = SPLIT.replace("name: split", "name: swath") + "image: {build: .}\n"
    more: dict[str, str | bytes] = {
        "services/swath/service.yaml": text, "services/swath/split.sh": "", "services/swath/Dockerfile": GOOD,
    }  # fmt: skip
    assert told("stages: {}\n", more) == [
        "E image-name services/swath/service.yaml: name: the name swath is taken in the registry by Swath's own image\n"
        "  give the service another name"
    ]
