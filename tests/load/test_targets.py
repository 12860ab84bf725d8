"""`load/targets.py`: a target means what it means to DVC."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from support.plain_repository import make_repository
from swath.errors import UserError
from swath.load.targets import select_stages
from swath.load.workflows import Loaded, load_workflows

ROOT = {
    "prepare": {"cmd": "x", "outs": ["data/raw"]},
    "each": {"foreach": ["u", "v"], "do": {"cmd": "x", "outs": ["data/${item}"]}},
    "train": {"cmd": "x", "deps": ["data/raw"], "outs": ["model"]},
}
SUB = {"train": {"cmd": "x", "outs": ["model"]}, "use": {"cmd": "x", "deps": ["model"], "outs": ["../used"]}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two workflows."""
    folder = tmp_path_factory.mktemp("targets")
    make_repository(
        folder,
        {
            "dvc.yaml": yaml.safe_dump({"stages": ROOT}, sort_keys=False),
            "sub/dvc.yaml": yaml.safe_dump({"stages": SUB}, sort_keys=False),
        },
    )
    return folder


@pytest.fixture(scope="module")
def loaded(root: Path) -> Loaded:
    from swath.dvc_border.repository import Repository

    return load_workflows(Repository(root))


def theirs(root: Path, target: str) -> set[str]:
    """The stages that DVC finds for a target."""
    with Repo(str(root)) as repo:
        return {info.stage.addressing for info in repo.stage.collect_granular(target)}


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # in DVC
@pytest.mark.parametrize(
    "target",
    ["train", "each", "each@u", "dvc.yaml:train", "dvc.yaml", "sub/dvc.yaml", "sub/dvc.yaml:use", "model", "data/raw"],
)
def test_a_target_is_what_it_is_to_dvc(
    root: Path, loaded: Loaded, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    found = set(select_stages(loaded, [target]))
    assert found == theirs(root, target)
    assert found


@pytest.mark.parametrize(
    ("targets", "below", "names"),
    [
        ([], ".", ["prepare", "each@u", "each@v", "train", "sub/dvc.yaml:train", "sub/dvc.yaml:use"]),
        (["train", "prepare"], ".", ["prepare", "train"]),
        (["data"], ".", ["prepare", "each@u", "each@v"]),
        (["data/raw/inner/file"], ".", ["prepare"]),
        (["train"], "sub", ["sub/dvc.yaml:train"]),
        (["dvc.yaml"], "sub", ["sub/dvc.yaml:train", "sub/dvc.yaml:use"]),
        (["../dvc.yaml:train"], "sub", ["train"]),
        (["../used"], "sub", ["sub/dvc.yaml:use"]),
        (["./model"], "sub", ["sub/dvc.yaml:train"]),
        (["sub/dvc.yaml:use"], "sub", ["sub/dvc.yaml:use"]),
    ],
)
def test_names_and_paths_start_where_the_user_stands(
    loaded: Loaded, targets: list[str], below: str, names: list[str]
) -> None:
    assert select_stages(loaded, targets, below=below) == names


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("trian", "did you mean 'train'?"),
        ("eahc", "did you mean 'each'?"),
        ("nothing-like-it", "see the names with: swath plan"),
    ],
)
def test_an_unknown_target_is_named(loaded: Loaded, target: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        select_stages(loaded, ["train", target])
    assert str(caught.value) == f"there is no stage, dvc.yaml or output {target!r}\n  {hint}"
