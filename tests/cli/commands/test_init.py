"""`swath init` in DVC repositories of all kinds: what is written, what is left alone, and what is said."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.gitlab_variables import holds
from support.repositories import Bench, make_repository
from swath.load.settings import load_settings
from swath.model.bot_commit import record_message
from swath.model.settings import Settings

STAGE = {"stages": {"copy": {"cmd": "cp in.txt out.txt", "deps": ["in.txt"], "outs": ["out.txt"]}}}
FOREIGN = "stages: [build, check]\n\ncompile:   # ours\n  stage: build\n  script: [!reference [.x, script]]\n"


MADE = {"name": "made", "kind": "processing", "description": "Made.", "entrypoint": ["true"], "parameters": []}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A DVC repository without services."""
    return make_repository(tmp_path / "repo", {"in.txt": "1", "dvc.yaml": STAGE})


def ci(bench: Bench, name: str = ".gitlab-ci.yml") -> dict[str, Any]:
    """A CI file."""
    return dict(yaml.safe_load(bench.read(name)))


def judged(bench: Bench, name: str) -> str:
    """What GitLab's schema says of a file."""
    words = ("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", name)
    return bench.command(*words).stdout.strip()


def test_what_is_written_and_said(bench: Bench) -> None:
    bench.command("git", "remote", "add", "origin", "git@gitlab.example.com:team/forest.git")
    result = bench.swath("init", check=True)
    version = bench.swath("--version").stdout.strip()
    assert result.stdout == (
        "swath.yaml      written\n"
        ".gitlab-ci.yml  written\n"
        ".dvcignore      lines added\n"
        "\n"
        "What is left to do:\n"
        "  1. say where data and models are kept: dvc remote add -d NAME URL\n"
        "  2. say which GitLab it is (its page /help): `ci.gitlab_version` of swath.yaml, 17.0 by now;\n"
        "     newer ones can do more. Then once more: swath init\n"
        "  3. set a variable at https://gitlab.example.com/team/forest/-/settings/ci_cd:\n"
        "     SWATH_DVC_CONFIG  of the type File: the DVC settings with the remote's credentials (your .dvc/config.local)\n"
        "  4. let jobs push results into Git, at https://gitlab.example.com/team/forest/-/settings/ci_cd:\n"
        "     Job token permissions > Allow Git push requests to the repository. A server before 18.4 does not have it: set the\n"
        "     variable SWATH_TOKEN to a project access token with write_repository and a role that may push, masked\n"
        "  5. have runners with these tags: [docker]; `runners` of swath.yaml says what they offer\n"
        f"  6. log in to the registry, and push the image of Swath's own jobs, $CI_REGISTRY_IMAGE/swath:{version}:\n"
        "     CI_REGISTRY_IMAGE=REGISTRY/GROUP/PROJECT swath image push\n"
        "  7. have an image for what calls no service, copy: `default_image` of swath.yaml.\n"
        "     Without it their jobs have a shell, Python and DVC alone\n"
        "  8. see the jobs before anything is pushed: swath compile\n"
        "  9. commit: git add swath.yaml .gitlab-ci.yml .dvcignore && git commit -m 'Run in GitLab CI'\n"
    )
    assert load_settings(bench.root) == Settings()
    assert judged(bench, ".gitlab-ci.yml") == "ok -- validation done"
    bench.commit("init")
    assert bench.swath("lint").returncode == 0
    assert bench.swath("compile").returncode == 0


def test_of_many_stages_without_a_service_some_are_named_and_with_a_default_image_none(tmp_path: Path) -> None:
    stages = {name: {"cmd": "true"} for name in "abcde"} | {"made": {"cmd": "mkdir -p x && swath exec made"}}
    bench = make_repository(tmp_path, {"dvc.yaml": {"stages": stages}, "services/made/service.yaml": MADE})
    assert "what calls no service, a, b, c and 2 more: `default_image`" in bench.swath("init", check=True).stdout
    bench.write({"swath.yaml": {"default_image": "python:3.11"}})
    assert "default_image" not in bench.swath("init", check=True).stdout


def test_a_second_time_changes_nothing(bench: Bench) -> None:
    bench.swath("init", check=True)
    bench.commit("init")
    result = bench.swath("init", check=True)
    assert result.stdout.startswith(
        "swath.yaml      as it should be\n.gitlab-ci.yml  as it should be\n.dvcignore      as it should be\n"
    )
    assert "commit:" not in result.stdout
    assert not bench.command("git", "status", "--porcelain").stdout


def test_what_was_changed_stays_without_force(bench: Bench) -> None:
    bench.swath("init", check=True)
    bench.write(
        {".gitlab-ci.yml": bench.read(".gitlab-ci.yml") + "# mine\n", "swath.yaml": "ci: {gitlab_version: '18.2'}\n"}
    )
    said = bench.swath("init", check=True).stdout.splitlines()
    assert [line for line in said if "differs" in line] == [
        "swath.yaml      is there and differs; left as it is",
        ".gitlab-ci.yml  is there and differs; left as it is",
    ]
    assert "\n.gitlab-ci.yml is not what this version of Swath writes for swath.yaml as it is now." in "\n".join(said)
    bench.swath("init", "--force", check=True)
    assert "# mine" not in bench.read(".gitlab-ci.yml")
    assert load_settings(bench.root) == Settings()


def test_the_jobs(bench: Bench) -> None:
    bench.swath("init", check=True)
    document = ci(bench)
    plan, run = document["swath:plan"], document["swath:run"]
    assert plan["script"] == ["/opt/swath/bin/swath compile -o swath-child.yml || exit $?"]
    assert plan["artifacts"]["paths"] == ["swath-child.yml"]
    assert plan["variables"] == {"GIT_DEPTH": "0", "GIT_CLEAN_FLAGS": "-ffdx -e .dvc/cache"}
    assert run["trigger"] == {
        "include": [{"artifact": "swath-child.yml", "job": "swath:plan"}],
        "strategy": "depend",
        "forward": {"pipeline_variables": True},
    }
    assert run["variables"] == {"SWATH_PIPELINE": "$CI_PIPELINE_ID", "SWATH_PIPELINE_SOURCE": "$CI_PIPELINE_SOURCE"}
    assert run["rules"][0] == {
        "if": "$CI_MERGE_REQUEST_ID && $CI_MERGE_REQUEST_SOURCE_PROJECT_ID != $CI_MERGE_REQUEST_PROJECT_ID",
        "when": "never",
    }
    assert document["workflow"]["rules"][0] == {
        "if": '$CI_PIPELINE_SOURCE == "push" && $CI_COMMIT_MESSAGE =~ /^Record pipeline [\\s\\S]*\\nSwath-Pipeline: /',
        "when": "never",
    }


def test_the_servers_version_counts(bench: Bench) -> None:
    bench.write({"swath.yaml": "ci: {gitlab_version: '18.2'}\nrunners: [{tags: [a, b]}]\nregistry: r.example.com/x\n"})
    said = bench.swath("init", check=True).stdout
    assert "of Swath's own jobs, r.example.com/x/swath:" in said
    assert ":\n     swath image push\n" in said
    document = ci(bench)
    assert document["swath:run"]["trigger"]["strategy"] == "mirror"
    assert document["swath:plan"]["retry"]["exit_codes"] == [75]
    assert document["swath:plan"]["tags"] == ["a", "b"]
    assert document["swath:plan"]["image"]["name"].startswith("r.example.com/x/swath:")


@pytest.mark.parametrize("foreign", [False, True])
def test_a_ci_file_follows_other_settings_when_it_is_deleted(bench: Bench, foreign: bool) -> None:  # noqa: FBT001
    """The settings stay as they are, which `--force` would write anew."""
    file = ".gitlab/swath.yml" if foreign else ".gitlab-ci.yml"
    if foreign:
        bench.write({".gitlab-ci.yml": "test: {script: [make]}\n"})
    bench.swath("init", check=True)
    bench.write({"swath.yaml": bench.read("swath.yaml").replace("tags: [docker]", "tags: [house]")})
    said = bench.swath("init", check=True).stdout
    assert re.search(
        rf"^{re.escape(file)} is not what this version of Swath writes for swath.yaml as it is now\. If nobody changed it\n"
        r"by hand, delete it and call swath init once more; then see: git diff\. \(--force writes swath.yaml anew, too\.\)$",
        said,
        re.MULTILINE,
    )
    assert ci(bench, file)["swath:plan"]["tags"] == ["docker"]
    (bench.root / file).unlink()
    assert "is not what" not in bench.swath("init", check=True).stdout
    assert ci(bench, file)["swath:plan"]["tags"] == ["house"]


@pytest.mark.parametrize("foreign", [False, True])
def test_another_version_writes_an_untouched_ci_file_anew(bench: Bench, foreign: bool) -> None:  # noqa: FBT001
    file = ".gitlab/swath.yml" if foreign else ".gitlab-ci.yml"
    if foreign:
        bench.write({".gitlab-ci.yml": "test: {script: [make]}\n"})
    assert "say which GitLab it is" in bench.swath("init", check=True).stdout
    bench.write(
        {"swath.yaml": re.sub("gitlab_version: .*?(?=[ ,}\n])", "gitlab_version: '18.2'", bench.read("swath.yaml"))}
    )
    said = bench.swath("init", check=True).stdout
    assert re.search(rf"^{re.escape(file)} +written$|^{re.escape(file)} +lines added$", said, re.MULTILINE), said
    assert "say which GitLab it is" not in said
    assert ci(bench, file)["swath:run"]["trigger"]["strategy"] == "mirror"
    bench.write({file: bench.read(file).replace("swath:lint", "lint"), "swath.yaml": "ci: {gitlab_version: '17.0'}\n"})
    assert f"{file} is there and differs" in re.sub(" +", " ", bench.swath("init", check=True).stdout)
    assert ci(bench, file)["swath:run"]["trigger"]["strategy"] == "mirror"


def test_stages_that_ask_for_gpus_get_a_class_of_runners(bench: Bench) -> None:
    meta = {"swath": {"resources": {"gpus": 2}}}
    bench.write(
        {
            "dvc.yaml": {
                "stages": {"train": {"cmd": "true > model", "deps": ["in.txt"], "outs": ["model"], "meta": meta}}
            }
        }
    )
    bench.commit("train")
    bench.swath("init", check=True)
    assert [runner.gpus for runner in load_settings(bench.root).runners] == [0, 2]
    assert "  # train\n" in bench.read("swath.yaml")


def test_a_foreign_ci_file_gets_one_include(bench: Bench) -> None:
    bench.write({".gitlab-ci.yml": FOREIGN})
    result = bench.swath("init", check=True)
    assert result.stdout.startswith(
        "swath.yaml         written\n"
        ".gitlab/swath.yml  written\n"
        ".gitlab-ci.yml     lines added\n"
        ".dvcignore         lines added\n"
        "\n"
        "Swath's jobs stand in .gitlab/swath.yml, in your ci stage 'check', and take nothing from `default`.\n"
        "They run for merge requests, the default branch, schedules, the web form and the API.\n"
        "A merge request thus gets a pipeline of its own, by which GitLab judges it; your jobs are not in that:\n"
        "they have no rules for it. Give them such (https://docs.gitlab.com/ci/pipelines/merge_request_pipelines/),\n"
        "or take the rules with merge_request_event out of .gitlab/swath.yml.\n"
        "A newer push cancels a pipeline although a training below it goes on, unless your file says:\n"
        "  workflow: {auto_cancel: {on_new_commit: interruptible}}\n"
        "\n"
        "What is left to do:\n"
    )
    assert bench.read(".gitlab-ci.yml") == f"include:\n  - local: .gitlab/swath.yml\n\n{FOREIGN}"
    document = ci(bench, ".gitlab/swath.yml")
    assert {document[name]["stage"] for name in document} == {"check"}
    assert "workflow" not in document
    assert judged(bench, ".gitlab/swath.yml") == "ok -- validation done"
    before = bench.read(".gitlab-ci.yml")
    assert "Swath's jobs" not in bench.swath("init", check=True).stdout
    bench.swath("init", "--force", check=True)
    assert bench.read(".gitlab-ci.yml") == before


def test_a_ci_file_that_cannot_be_changed_safely_is_left_with_a_note(bench: Bench) -> None:
    text = ".mine: &mine a.yml\ninclude: *mine\njob: {script: [x]}\n"
    bench.write({".gitlab-ci.yml": text})
    result = bench.swath("init", check=True)
    assert "add this to .gitlab-ci.yml by hand:\n\n  include:\n    - local: .gitlab/swath.yml\n" in result.stdout
    assert bench.read(".gitlab-ci.yml") == text


def test_lines_of_dvcignore_are_added_once(bench: Bench) -> None:
    bench.write({".dvcignore": "mine\n__pycache__"})
    bench.swath("init", check=True)
    assert bench.read(".dvcignore") == (
        "mine\n__pycache__\n"
        "# What does not count when a folder is a dependency: a test or a README makes no result stale.\n"
        "services/*/tests\nservices/*/README*\n.gitignore\n"
    )


def test_results_that_the_new_lines_make_stale_are_told(bench: Bench) -> None:
    stages = {name: {"cmd": "true", "deps": ["services/a"], "outs": []} for name in "abcd"}
    bench.write(
        {"services/a/x": "", "dvc.yaml": {"stages": {**stages, "e": {"cmd": "true"}}}, "dvc.lock": {"schema": "2.0"}}
    )
    result = bench.swath("init", check=True)
    assert (
        "\nTests and READMEs of services no longer count: what has a services/ folder as dep, a, b, c and 1 more, runs "
        "once more\nwhere it has a result."
    ) in result.stdout
    assert "no longer count" not in bench.swath("init", check=True).stdout


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("https://me:glpat-secret@gitlab.example.com:8443/a/b/c.git", "https://gitlab.example.com:8443/a/b/c"),
        ("https://me:gl@pat@gitlab.example.com/a/b", "https://gitlab.example.com/a/b"),
        ("http://gitlab.lan/a/b", "http://gitlab.lan/a/b"),
        ("ssh://git@gitlab.example.com:2222/a/b.git", "https://gitlab.example.com/a/b"),
        ("git@gitlab.example.com:a/b.git", "https://gitlab.example.com/a/b"),
    ],
)
def test_the_settings_page_and_no_token_in_it(bench: Bench, address: str, page: str) -> None:
    bench.command("git", "remote", "add", "origin", address)
    result = bench.swath("init", check=True)
    assert f"  3. set a variable at {page}/-/settings/ci_cd:\n" in result.stdout
    assert "secret" not in result.stdout + result.stderr


def test_outside_of_a_dvc_repository(tmp_path: Path) -> None:
    result = Bench(tmp_path).swath("init")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "swath: not inside a DVC repository\n  go to one, or make one with: git init && dvc init\n"


def test_our_jobs_beside_others_with_line_ends_of_windows_and_a_workflow(bench: Bench) -> None:
    text = (
        "default:\r\n  image: alpine\r\n  before_script: [exit 1]\r\n"
        "workflow:\r\n  rules:\r\n    - if: $CI_MERGE_REQUEST_IID\r\n"
        "include: other.yml\r\njob: {script: [x]}\r\n"
    )
    (bench.root / ".gitlab-ci.yml").write_bytes(text.encode())
    result = bench.swath("init", check=True)
    assert (
        "They run for merge requests, the default branch, schedules, the web form and the API, as far as your `workflow` "
        "lets them.\nA newer push cancels a pipeline although"
    ) in result.stdout
    include = "include:\r\n  - local: .gitlab/swath.yml\r\n  - other.yml\r\n"
    assert (bench.root / ".gitlab-ci.yml").read_bytes().decode() == text.replace("include: other.yml\r\n", include)
    jobs = ci(bench, ".gitlab/swath.yml")
    assert {name: job["inherit"]["default"] for name, job in jobs.items()} == dict.fromkeys(
        ["swath:lint", "swath:plan", "swath:run"],
        False,
    )


@pytest.mark.parametrize(
    ("message", "source", "starts_none"),
    [
        (record_message("4711", 3, "https://git.example/p"), "push", True),
        (record_message("4711", 3), "schedule", False),
        (f"Train the net\n\n* More epochs\n\n* {record_message('4711', 3)}", "push", False),  # a squashed request
        (f"Merge branch 'x'\n\n{record_message('4711', 3)}", "push", False),
        ("More epochs", "push", False),
    ],
)
def test_only_the_recording_commit_itself_starts_no_pipeline(
    bench: Bench, message: str, source: str, *, starts_none: bool
) -> None:
    bench.swath("init", check=True)
    guard = ci(bench)["workflow"]["rules"][0]
    assert guard["when"] == "never"
    assert holds(guard["if"], {"CI_PIPELINE_SOURCE": source, "CI_COMMIT_MESSAGE": message}) is starts_none


MAIN = {"CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_MESSAGE": "More epochs"}
REQUEST = {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_DEFAULT_BRANCH": "main",
    "CI_COMMIT_MESSAGE": "More epochs",
    "CI_MERGE_REQUEST_ID": "1012",
    "CI_MERGE_REQUEST_PROJECT_ID": "1",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1",
}
ALL = {"swath:lint", "swath:plan", "swath:run"}
EVENTS: dict[str, tuple[dict[str, str], set[str]]] = {
    "push to the default branch": ({**MAIN, "CI_PIPELINE_SOURCE": "push"}, ALL),
    "push to another branch": ({**MAIN, "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "odd/ü name"}, set()),
    "push of a tag": ({"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": "v1", "CI_DEFAULT_BRANCH": "main"}, set()),
    "the recording": (
        {**MAIN, "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_MESSAGE": record_message("4711", 3)},
        set(),
    ),
    "schedule on the recording": (
        {**MAIN, "CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_MESSAGE": record_message("4711", 3)},
        ALL,
    ),
    "schedule on another branch": ({**MAIN, "CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BRANCH": "topic"}, ALL),
    "web form": ({**MAIN, "CI_PIPELINE_SOURCE": "web", "CI_COMMIT_BRANCH": "topic"}, ALL),
    "web form on a tag": ({"CI_PIPELINE_SOURCE": "web", "CI_COMMIT_TAG": "v1", "CI_DEFAULT_BRANCH": "main"}, ALL),
    "API on the default branch": ({**MAIN, "CI_PIPELINE_SOURCE": "api"}, ALL),
    "API on another branch": ({**MAIN, "CI_PIPELINE_SOURCE": "api", "CI_COMMIT_BRANCH": "topic"}, ALL),
    "trigger token on another branch": ({**MAIN, "CI_PIPELINE_SOURCE": "trigger", "CI_COMMIT_BRANCH": "topic"}, ALL),
    "another project's pipeline": ({**MAIN, "CI_PIPELINE_SOURCE": "pipeline", "CI_COMMIT_BRANCH": "topic"}, ALL),
    "a scan on demand": ({**MAIN, "CI_PIPELINE_SOURCE": "ondemand_dast_scan", "CI_COMMIT_BRANCH": "topic"}, set()),
    "merge request": ({**REQUEST, "CI_MERGE_REQUEST_EVENT_TYPE": "detached"}, ALL),
    "merged result": ({**REQUEST, "CI_MERGE_REQUEST_EVENT_TYPE": "merged_result"}, ALL),
    "merge train": ({**REQUEST, "CI_MERGE_REQUEST_EVENT_TYPE": "merge_train"}, ALL),
    "merge request of a fork": (
        {**REQUEST, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"},
        {"swath:lint", "swath:plan"},
    ),
}


def lets_in(rules: list[dict[str, Any]] | None, variables: dict[str, str]) -> bool:
    """GitLab takes the first rule that holds; without any, the job is in."""
    if rules is None:
        return True
    first = next((rule for rule in rules if "if" not in rule or holds(rule["if"], variables)), {"when": "never"})
    return bool(first.get("when") != "never")


@pytest.mark.parametrize("beside_others", [False, True])
def test_which_jobs_each_kind_of_pipeline_has(bench: Bench, *, beside_others: bool) -> None:
    if beside_others:
        bench.write({".gitlab-ci.yml": FOREIGN})
    bench.swath("init", check=True)
    document = ci(bench, ".gitlab/swath.yml" if beside_others else ".gitlab-ci.yml")
    whole = document.get("workflow", {}).get("rules")
    for event, (variables, expected) in EVENTS.items():
        inside = {
            name
            for name in sorted(ALL)
            if lets_in(whole, variables) and lets_in(document[name].get("rules"), variables)
        }
        assert inside == expected, event
        needed = {need for name in inside for need in document[name].get("needs", [])}
        assert needed <= inside, event  # else GitLab makes no pipeline at all


IN_FORK = {"CI_PROJECT_PATH": "me/forest"}
OF_FORK = {**REQUEST, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"}
CHECKED = {"swath:lint", "swath:plan"}


@pytest.mark.parametrize("beside_others", [False, True])
@pytest.mark.parametrize(
    ("registry", "variables", "expected"),
    [
        ("$CI_REGISTRY_IMAGE", {**MAIN, "CI_PIPELINE_SOURCE": "push", "CI_PROJECT_PATH": "team/forest"}, ALL),
        ("$CI_REGISTRY_IMAGE", {**MAIN, "CI_PIPELINE_SOURCE": "push", **IN_FORK}, set()),
        ("$CI_REGISTRY_IMAGE", {**OF_FORK, **IN_FORK}, set()),
        ("$CI_REGISTRY_IMAGE", {**OF_FORK, "CI_PROJECT_PATH": "team/forest"}, CHECKED),  # a member started it here
        ("r.example.com/team/forest", {**MAIN, "CI_PIPELINE_SOURCE": "push", **IN_FORK}, set()),
        ("r.example.com/team/forest", {**MAIN, "CI_PIPELINE_SOURCE": "schedule", **IN_FORK}, set()),
        ("r.example.com/team/forest", {**OF_FORK, **IN_FORK}, CHECKED),
    ],
)
def test_a_fork_starts_nothing_that_has_no_image_there(
    bench: Bench, registry: str, variables: dict[str, str], expected: set[str], *, beside_others: bool
) -> None:
    if beside_others:
        bench.write({".gitlab-ci.yml": FOREIGN})
    bench.write({"swath.yaml": f"registry: {registry}\nci: {{project: team/forest}}\n"})
    bench.swath("init", check=True)
    name = ".gitlab/swath.yml" if beside_others else ".gitlab-ci.yml"
    document = ci(bench, name)
    assert judged(bench, name) == "ok -- validation done"
    whole = document.get("workflow", {}).get("rules")
    inside = {name for name in ALL if lets_in(whole, variables) and lets_in(document[name].get("rules"), variables)}
    assert inside == expected


def test_a_project_that_is_named_later_writes_an_untouched_file_anew(bench: Bench) -> None:
    bench.swath("init", check=True)
    bench.write({"swath.yaml": bench.read("swath.yaml").replace("# project: group/project", "project: team/forest")})
    assert ".gitlab-ci.yml  written\n" in bench.swath("init", check=True).stdout.replace("lines added", "written")
    assert 'CI_PROJECT_PATH != "team/forest"' in bench.read(".gitlab-ci.yml")


@pytest.mark.parametrize("foreign", [False, True])
def test_a_project_that_has_moved_is_followed(bench: Bench, foreign: bool) -> None:  # noqa: FBT001
    """Under its old name no pipeline would start any more."""
    file = ".gitlab/swath.yml" if foreign else ".gitlab-ci.yml"
    if foreign:
        bench.write({".gitlab-ci.yml": "test: {script: [make]}\n"})
    bench.write({"swath.yaml": "ci: {project: team/forest}\n"})
    bench.swath("init", check=True)
    bench.write({"swath.yaml": "ci: {project: house/group/wood, gitlab_version: '18.4'}\n"})
    assert "is not what" not in bench.swath("init", check=True).stdout
    assert '"house/group/wood"' in bench.read(file)
    assert "team/forest" not in bench.read(file)


@pytest.mark.parametrize(("version", "said"), [("16.9", None), ("17.0", {"on_new_commit": "interruptible"})])
def test_a_newer_push_stops_planning_and_no_pipeline_that_trains(
    bench: Bench, version: str, said: dict[str, str] | None
) -> None:
    """With GitLab's default the next push cancels the parent pipeline while its child trains."""
    bench.write({"swath.yaml": f"ci: {{gitlab_version: '{version}'}}\n"})
    bench.swath("init", check=True)
    document = ci(bench)
    assert document["workflow"].get("auto_cancel") == said
    assert {name: document[name]["interruptible"] for name in sorted(ALL)} == {
        "swath:lint": True, "swath:plan": True, "swath:run": False
    }  # fmt: skip


def in_folder(top: Path, subfolder: str) -> Bench:
    """A DVC repository without services in a folder of a Git repository."""
    bench = make_repository(top / subfolder, {"in.txt": "1", "dvc.yaml": STAGE})
    shutil.rmtree(bench.root / ".git")
    return bench


def test_repositories_in_folders_live_side_by_side(tmp_path: Path) -> None:
    top = Bench(tmp_path)
    top.command("git", "init", "-q", "-b", "main")
    said = in_folder(tmp_path, "ml-a").swath("init", check=True).stdout
    assert said.startswith(
        "swath.yaml                 written\n"
        "../.gitlab/swath/ml-a.yml  written\n"
        "../.gitlab-ci.yml          written\n"
        ".dvcignore                 lines added\n"
        "\n"
        "What is left to do:\n"
    )
    last = (
        "git add swath.yaml ../.gitlab/swath/ml-a.yml ../.gitlab-ci.yml .dvcignore && git commit -m 'Run in GitLab CI'"
    )
    assert said.endswith(f"  9. commit: {last}\n")
    hostile = in_folder(tmp_path, "teams/it's $HOME [b]: #1")
    said = hostile.swath("init", check=True).stdout
    assert said.splitlines()[1:3] == [
        "../../.gitlab/swath/teams/it-s-HOME-b-1-e865c77c.yml  written",
        "../../.gitlab-ci.yml                                  lines added",
    ]
    assert top.read(".gitlab-ci.yml") == (
        "# Each DVC repository of this Git repository has its jobs in a file of its own: "
        "`swath init` in its folder adds it here.\n"
        "include:\n"
        "  - local: .gitlab/swath/teams/it-s-HOME-b-1-e865c77c.yml\n"
        "  - local: .gitlab/swath/ml-a.yml\n"
        "# A newer push stops jobs that only check and plan, no trigger of a pipeline that trains.\n"
        "workflow:\n"
        "  auto_cancel: {on_new_commit: interruptible}\n"
    )
    names = (".gitlab/swath/ml-a.yml", ".gitlab/swath/teams/it-s-HOME-b-1-e865c77c.yml")
    first, second = (ci(top, name) for name in names)
    assert list(first) == ["swath:lint:ml-a", "swath:plan:ml-a", "swath:run:ml-a"]
    assert not set(first) & set(second)
    assert first["swath:plan:ml-a"]["script"] == [
        "cd -- ./ml-a || exit $?",
        "/opt/swath/bin/swath compile -o ../swath-child.yml || exit $?",
    ]
    assert first["swath:plan:ml-a"]["artifacts"]["paths"] == ["swath-child.yml"]
    assert first["swath:plan:ml-a"]["variables"]["GIT_CLEAN_FLAGS"] == "-ffdx -e **/.dvc/cache"
    assert first["swath:run:ml-a"]["needs"] == ["swath:lint:ml-a", "swath:plan:ml-a"]
    assert first["swath:run:ml-a"]["trigger"]["include"] == [{"artifact": "swath-child.yml", "job": "swath:plan:ml-a"}]
    for name in (".gitlab-ci.yml", *names):
        assert judged(top, name) == "ok -- validation done"
    top.commit("init")
    again = hostile.swath("init", "--force", check=True).stdout
    assert [line.split("  ", 1)[1].strip() for line in again.splitlines()[:4]] == ["as it should be"] * 4


def test_a_repository_at_the_top_keeps_those_in_folders(bench: Bench) -> None:
    bench.swath("init", check=True)
    inner = in_folder(bench.root, "ml")
    assert "../.gitlab-ci.yml        lines added\n" in inner.swath("init", check=True).stdout
    both = bench.read(".gitlab-ci.yml")
    assert yaml.safe_load(both)["include"] == [{"local": ".gitlab/swath/ml.yml"}]
    assert "swath:plan" in yaml.safe_load(both)
    assert "one job that says so.\n\ninclude:\n  - local: .gitlab/swath/ml.yml\n\nstages: [plan, run]\n" in both
    bench.commit("both")
    for words in (["init"], ["init", "--force"]):
        assert ".gitlab-ci.yml  as it should be\n" in bench.swath(*words, check=True).stdout
        assert bench.read(".gitlab-ci.yml") == both


def test_in_a_folder_beside_jobs_of_others(tmp_path: Path) -> None:
    top = Bench(tmp_path)
    top.command("git", "init", "-q", "-b", "main")
    top.write({".gitlab-ci.yml": FOREIGN})
    said = in_folder(tmp_path, "ml").swath("init", check=True).stdout
    where = (
        "Swath's jobs stand in ../.gitlab/swath/ml.yml, in your ci stage 'check', and take nothing from `default`.\n"
    )
    assert where in said
    assert top.read(".gitlab-ci.yml") == f"include:\n  - local: .gitlab/swath/ml.yml\n\n{FOREIGN}"
