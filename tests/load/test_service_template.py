from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.service_repositories import make_repository
from swath.errors import UserError
from swath.load.service_template import render_template, template_folders, write_service

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {"name": "my-own", "module": "my_own", "title": "My own", "description": 'Say "it": {{ no }}'}


def test_the_templates_that_come_with_swath() -> None:
    assert {"execution", "processing", "shell", "training"} <= set(template_folders(None))


def test_names_and_contents_are_rendered() -> None:
    files = render_template("processing", None, VALUES)
    assert {"service.yaml", "Dockerfile", "requirements.txt", "my_own.py", "README.md", "tests/test_my_own.py"} <= set(
        files
    )
    assert "name: my-own\n" in files["service.yaml"]
    assert 'description: "Say \\"it\\": {{ no }}"\n' in files["service.yaml"]
    assert "{{" not in files["Dockerfile"]


def test_a_repository_may_have_templates_of_its_own(tmp_path: Path) -> None:
    make_repository(tmp_path)
    for name in ("own", "processing"):
        (tmp_path / "service-templates" / name).mkdir(parents=True)
        (tmp_path / "service-templates" / name / "a.txt").write_text("{{ name }}\n")
    assert (
        render_template("own", tmp_path, VALUES)
        == {"a.txt": "my-own\n"}
        == render_template("processing", tmp_path, VALUES)
    )


def test_an_unknown_template_is_guessed() -> None:
    with pytest.raises(UserError) as caught:
        render_template("procesing", None, VALUES)
    assert str(caught.value) == "there is no template 'procesing'\n  did you mean 'processing'?"


def test_a_template_that_uses_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "service-templates/own").mkdir(parents=True)
    (tmp_path / "service-templates/own/a.txt").write_text("{{ nme }}")
    with pytest.raises(UserError, match="the template 'own' cannot be rendered: 'nme' is undefined"):
        render_template("own", tmp_path, VALUES)


def test_scripts_are_executable(tmp_path: Path) -> None:
    write_service(tmp_path / "a", {"x/run.sh": "#!/bin/sh\n", "b": "text"})
    assert (tmp_path / "a/x/run.sh").stat().st_mode & 0o100
    assert not (tmp_path / "a/b").stat().st_mode & 0o100


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_service(tmp_path / "a", {"b": "1"})
    with pytest.raises(UserError) as caught:
        write_service(tmp_path / "a", {"b": "2"})
    assert str(caught.value) == f"{tmp_path}/a is there already\n  choose another name, or remove it"
