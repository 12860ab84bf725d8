"""`job/collect.py`: from fragments in a real DVC remote to what a fresh clone sees in Git."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.git_server import GitServer, serve_git
from support.gitlab_checkout import Project, file_record, fragments_of, make_project
from support.repositories import CLEAN, Bench
from swath.dvc_border.remote_store import RemoteStore
from swath.dvc_border.repository import Repository
from swath.errors import UserError
from swath.job.collect import Bot, Collected, Collector, collect_results, gather, with_plan, write_here
from swath.job.origin import read_origin
from swath.model.fragment import FileRecord, Fragment, StageRecord, fragment_path
from swath.model.settings import Record
from swath.record.login import Login
from swath.schema.fragment_text import write_fragment

PIPELINE = "4711"
BOT = Bot("Swath", "swath@git.example", Login("token"))
NOBODY = replace(BOT, login=Login())
AS_JOB = replace(BOT, login=Login("glcbt-job", is_job_token=True))
WHEN = "2026-11-22T20:00:00Z"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path)
    made.developer.add_remote("store", str(tmp_path / "store"))
    made.push("remote")
    return made


def variables(project: Project, rev: str = "HEAD", **more: str) -> dict[str, str]:
    """As in a job of a pipeline of the default branch."""
    return {
        "CI_PIPELINE_ID": "4712",
        "SWATH_PIPELINE": PIPELINE,
        "SWATH_LEVEL": "1",
        "CI_COMMIT_SHA": project.commit(rev),
        "CI_COMMIT_BRANCH": "main",
        "CI_DEFAULT_BRANCH": "main",
        "CI_PIPELINE_SOURCE": "parent_pipeline",
        "CI_PIPELINE_CREATED_AT": WHEN,
        "CI_PROJECT_URL": "https://git.example/group/project",
        "CI_SERVER_HOST": "git.example",
        "SWATH_GIT_URL": project.url,
        **more,
    }


def in_merge_request(project: Project, rev: str = "HEAD", **more: str) -> dict[str, str]:
    """As in a job of a merge request's pipeline."""
    environ = variables(project, rev)
    del environ["CI_COMMIT_BRANCH"]
    named = {
        "CI_MERGE_REQUEST_IID": "12",
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "topic",
        "CI_MERGE_REQUEST_PROJECT_ID": "1",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1",
    }
    return {**environ, **named, **more}


def leave(project: Project, fragments: list[Fragment], level: int = 1) -> None:
    """Fragments as jobs leave them in the remote."""
    store = RemoteStore(Repository(project.developer.root))
    for fragment in fragments:
        store.write_text(fragment_path(PIPELINE, level, fragment.job), write_fragment(fragment))


def ran(project: Project, rev: str = "HEAD", *, stages: tuple[str, ...] = ()) -> tuple[Bench, list[Fragment]]:
    """Everything ran at a commit, and its data is in the remote."""
    bench = project.checkout(rev)
    bench.run()
    bench.command("dvc", "push", "-q")
    return bench, fragments_of(bench, project.commit(rev), stages=stages)


def do(
    project: Project,
    environ: Mapping[str, str],
    *,
    bench: Bench | None = None,
    plan: str | None = None,
    bot: Bot = BOT,
    **record: Any,
) -> Collected:
    """The whole of `swath job collect`, in a checkout of its own."""
    repository = Repository((bench or project.checkout(environ["CI_COMMIT_SHA"])).root)
    origin, store = read_origin(environ), RemoteStore(repository)
    gathered = gather(store, origin, plan)
    if "SWATH_DECISIONS" in environ:
        gathered = with_plan(repository, gathered, origin, environ["SWATH_DECISIONS"])
    return collect_results(Collector(repository, store, origin, Record(**record), bot), gathered)


def refs(project: Project) -> list[str]:
    """Names of the experiments on the server."""
    return [ref.rpartition("/")[2] for ref in project.git("for-each-ref", "--format=%(refname)", "refs/exps").split()]


def test_the_default_branch_gets_a_commit(project: Project) -> None:
    before = project.commit()
    bench, fragments = ran(project)
    leave(project, fragments)
    collected = do(project, variables(project))
    assert collected.recorded is not None
    assert (collected.recorded.how, collected.notes) == ("commit", ())
    assert project.git("rev-parse", "main^") == before
    assert project.git("log", "-1", "--format=%B", "main") == (
        "Record pipeline 4711\n\n4 stages, by https://git.example/group/project/-/pipelines/4711\n\n"
        "Swath-Pipeline: 4711"
    )
    assert project.git("log", "-1", "--format=%an <%ae>", "main") == "Swath <swath@git.example>"
    assert project.show("main:dvc.lock") == bench.read("dvc.lock")
    assert [(row.stage, row.did, row.wall_s) for row in collected.rows] == [
        ("apart", "ran", 2.5), ("prepare", "ran", 2.5), ("train", "ran", 2.5), ("use/dvc.yaml:use", "ran", 2.5)
    ]  # fmt: skip
    assert refs(project) == []


def test_a_fresh_clone_pulls_and_is_clean(project: Project) -> None:
    leave(project, ran(project)[1])
    do(project, variables(project))
    fresh = project.clone()
    fresh.command("dvc", "pull", "-q")
    assert fresh.dvc_status() == CLEAN
    assert fresh.read("model").startswith("one\n")


def test_a_merge_request_gets_an_experiment_that_dvc_pulls(project: Project) -> None:
    project.developer.command("git", "checkout", "-q", "-b", "topic")
    project.push(files={"in.txt": "two\n"})
    leave(project, ran(project)[1])
    collected = do(project, in_merge_request(project))
    assert collected.recorded is not None
    assert (collected.recorded.how, collected.recorded.name) == ("experiment", "mr-12-4711")
    assert project.git("rev-parse", "topic") == project.commit()
    fresh = project.clone()
    fresh.command("git", "checkout", "-q", "topic")
    fresh.command("dvc", "exp", "pull", "origin", "mr-12-4711")
    fresh.command("dvc", "exp", "apply", "mr-12-4711")
    fresh.command("dvc", "checkout", "-q")
    assert fresh.dvc_status() == CLEAN


def test_a_merge_train_records_nothing(project: Project) -> None:
    leave(project, ran(project)[1])
    before = project.commit()
    collected = do(project, in_merge_request(project, CI_MERGE_REQUEST_EVENT_TYPE="merge_train"))
    assert (collected.recorded, refs(project), project.commit()) == (None, [], before)
    (note,) = collected.notes
    assert note == (
        "a merge train records nothing: the results are in the DVC remote, and the target branch's pipeline restores them"
    )


def test_on_a_merged_result_it_stands_on_the_branchs_head(project: Project) -> None:
    developer = project.developer
    developer.command("git", "checkout", "-q", "-b", "topic")
    head = project.push(files={"README": "topic\n"})
    developer.command("git", "checkout", "-q", "main")
    project.push(files={"params.yaml": {"lr": 0.5, "other": 1}})
    developer.command("git", "checkout", "-q", "--detach", head)
    developer.command("git", "merge", "-q", "--no-ff", "-m", "GitLab's", "main")
    developer.command("git", "push", "-q", "origin", "HEAD:refs/merge-requests/12/merge")
    leave(project, ran(project)[1])
    collected = do(project, in_merge_request(project, CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=head))
    assert collected.recorded is not None
    assert collected.recorded.parent == head
    assert project.git("rev-parse", f"{collected.recorded.commit}^") == head
    assert collected.recorded.changes.stages == ("prepare",)  # the others ran with the target's parameter
    assert set(collected.recorded.changes.left_out) == {"train", "apart", "use/dvc.yaml:use"}


def test_the_way_by_hand_also_brings_a_commit_that_gitlab_merged_itself(project: Project) -> None:
    """It is on no branch, so no clone has it."""
    developer = project.developer
    developer.command("git", "checkout", "-q", "--detach")
    developer.write({"README": "merged\n"})
    developer.commit("GitLab's")
    developer.command("git", "push", "-q", "origin", "HEAD:refs/merge-requests/12/merge")
    leave(project, ran(project)[1])
    (note,) = do(project, in_merge_request(project), bot=NOBODY).notes
    folder = project.folder / "far"
    developer.command("git", "clone", "-q", "--no-local", project.url, str(folder))
    fresh = Bench(folder)
    repository, store = Repository(folder), RemoteStore(Repository(folder))
    gathered = gather(store, read_origin({"SWATH_PIPELINE": PIPELINE}), None)
    with pytest.raises(UserError) as caught:
        write_here(repository, store, gathered)
    assert caught.value.hint == f"fetch it: git fetch origin {project.commit()}"
    for line in (line for line in note.splitlines() if line.startswith("  git ")):
        fresh.command(*line.split())
    assert fresh.command("git", "rev-parse", "HEAD").stdout.strip() == project.commit()


def test_a_failed_pipeline_is_an_experiment_also_on_the_default_branch(project: Project) -> None:
    _, fragments = ran(project, stages=("prepare", "apart"))
    failed = Fragment(project.commit(), "p" * 16, "job train", 1, {"train": StageRecord(None, 3.0, exit=1)})
    leave(project, [*fragments, failed])
    collected = do(project, variables(project))
    assert collected.recorded is not None
    assert (collected.recorded.how, collected.recorded.name) == ("experiment", "main-4711-failed")
    assert [(row.stage, row.did) for row in collected.rows] == [
        ("apart", "ran"), ("prepare", "ran"), ("train", "failed")
    ]  # fmt: skip
    assert project.served() == project.commit()


def test_after_a_retry_succeeded_the_commit_follows(project: Project) -> None:
    _, fragments = ran(project)
    leave(project, fragments[:2])
    environ = variables(project, SWATH_DECISIONS="4r")
    first = do(project, environ)
    assert [row.did for row in first.rows] == ["ran", "ran", "missing", "missing"]
    leave(project, fragments)
    second = do(project, environ)
    assert first.recorded is not None
    assert second.recorded is not None
    assert (first.recorded.name, second.recorded.how) == ("main-4711-failed", "commit")
    third = do(project, environ)
    assert third.recorded is not None
    assert third.recorded.how == "already recorded"
    assert project.git("rev-list", "--count", "main") == "3"


@pytest.mark.parametrize(("decisions", "how"), [("4r", "experiment"), ("2r2u", "commit"), ("1u1r1s1u", "experiment")])
def test_what_was_planned_and_has_no_fragment_makes_it_a_failed_one(project: Project, decisions: str, how: str) -> None:
    leave(project, ran(project, stages=("prepare", "train"))[1])
    collected = do(project, variables(project, SWATH_DECISIONS=decisions))
    assert collected.recorded is not None
    assert collected.recorded.how == how


@pytest.mark.parametrize("text", ["", "{", '{"version": 1, "commit": "'])
def test_a_truncated_fragment_is_refused_and_the_rest_is_recorded(project: Project, text: str) -> None:
    leave(project, ran(project, stages=("prepare",))[1])
    path = fragment_path(PIPELINE, 1, "job train")
    RemoteStore(Repository(project.developer.root)).write_text(path, text)
    collected = do(project, variables(project))
    assert list(collected.gathered.refused) == [path]
    assert collected.gathered.broken == (path,)
    assert collected.recorded is not None
    assert collected.recorded.name == "main-4711-failed"
    assert collected.recorded.changes.stages == ("prepare",)


def test_fragments_of_another_commit_or_plan_are_refused(project: Project) -> None:
    _, fragments = ran(project)
    other = [replace(fragments[0], commit="0" * 40), replace(fragments[1], plan="q" * 16), *fragments[2:]]
    leave(project, other)
    collected = do(project, variables(project), plan="p" * 16)
    assert list(collected.gathered.refused.values()) == [
        f"it is of commit 000000000000, this pipeline ran {project.commit()[:12]}",
        f"it is of the plan {'q' * 16}, this pipeline's is {'p' * 16}",
    ]
    assert [row.stage for row in collected.rows] == ["train", "use/dvc.yaml:use"]


def test_both_levels_count_and_the_plan_is_asked_of_the_own_level_only(project: Project) -> None:
    _, fragments = ran(project)
    leave(project, [replace(each, plan="1" * 16) for each in fragments[:2]], level=1)
    leave(project, fragments[2:], level=2)
    collected = do(project, variables(project, SWATH_LEVEL="2"), plan="p" * 16)
    assert collected.gathered.refused == {}
    assert len(collected.rows) == 4
    assert project.show("main:dvc.lock")


SEARCH: dict[str, Any] = {
    "in.txt": "a: 1\nb: 2\n",
    "found.yaml": "scenes: {}\n",
    "dvc.yaml": {
        "vars": ["found.yaml"],
        "stages": {
            "search": {
                "cmd": "(echo scenes:; sed 's/^/  /' in.txt) > found.yaml",
                "deps": ["in.txt"],
                "outs": [{"found.yaml": {"cache": False}}],
            },
            "use": {
                "foreach": "${scenes}",
                "do": {"cmd": "cat in.txt > out-${key}", "deps": ["in.txt"], "outs": ["out-${key}"]},
            },
        },
    },
}


def test_two_levels_are_recorded_by_the_second(tmp_path: Path) -> None:
    project = make_project(tmp_path, SEARCH)
    project.developer.add_remote("store", str(tmp_path / "store"))
    project.push("remote")
    bench, fragments = ran(project)
    found = {"found.yaml": file_record(bench.read("found.yaml"))}
    search = [replace(each, files={**each.files, **found}) for each in fragments if "search" in each.stages]
    leave(project, search)
    # The first level records only when what follows could not be planned.
    first = do(project, variables(project, SWATH_DECISIONS="1r"))
    assert first.recorded is not None
    assert first.recorded.name == "main-4711-failed"
    leave(project, [each for each in fragments if "use@a" in each.stages], level=2)
    second = variables(project, SWATH_LEVEL="2", SWATH_DECISIONS="1u2r")
    half = do(project, second)
    assert half.recorded is not None
    assert [row.stage for row in half.rows if row.did == "missing"] == ["use@b"]
    leave(project, [each for each in fragments if "use@b" in each.stages], level=2)
    whole = do(project, second)
    assert whole.recorded is not None
    assert whole.recorded.how == "commit"
    assert project.show("main:dvc.lock") == bench.read("dvc.lock")
    assert project.show("main:found.yaml") == bench.read("found.yaml")
    assert refs(project) == ["main-4711-failed", "main-4711-failed-2"]


def test_without_a_token_nothing_is_pushed_and_the_way_by_hand_is_told(project: Project) -> None:
    bench, fragments = ran(project)
    leave(project, fragments)
    before = project.served()
    collected = do(project, variables(project), bot=NOBODY)
    assert collected.recorded is None
    (note,) = collected.notes
    assert note == (
        "SWATH_TOKEN is not set: nothing is pushed to Git.\n"
        "The results are in the DVC remote, under swath/4711. Into a clone they come with:\n"
        f"  git fetch origin {before}\n"
        f"  git checkout {before}\n"
        "  SWATH_PIPELINE=4711 swath job collect --write && dvc pull\n"
        "To have it recorded: set SWATH_TOKEN to a project access token with the scope write_repository "
        "(Settings > CI/CD > Variables, masked), and retry this job."
    )
    assert project.served() == before
    (note,) = do(project, {**variables(project), "CI_COMMIT_REF_PROTECTED": "false"}, bot=NOBODY).notes
    assert note.endswith(
        "retry this job.\nIf SWATH_TOKEN is a protected variable: jobs on this unprotected branch do not receive it."
    )
    fresh = project.clone()
    repository = Repository(fresh.root)
    store = RemoteStore(repository)
    write_here(repository, store, gather(store, read_origin({"SWATH_PIPELINE": PIPELINE}), None))
    fresh.command("dvc", "pull", "-q")
    assert fresh.dvc_status() == CLEAN
    assert fresh.read("dvc.lock") == bench.read("dvc.lock")


def test_a_fork_is_not_written_to(project: Project) -> None:
    leave(project, ran(project)[1])
    collected = do(project, in_merge_request(project, CI_MERGE_REQUEST_SOURCE_PROJECT_ID="2"))
    assert collected.recorded is None
    assert collected.notes[0].startswith("the merge request comes from a fork: nothing is pushed for it.\n")
    assert refs(project) == []


def test_the_settings_can_turn_it_round(project: Project) -> None:
    leave(project, ran(project)[1])
    on_main = do(project, variables(project), default_branch="experiment")
    assert on_main.recorded is not None
    assert (on_main.recorded.how, on_main.recorded.name) == ("experiment", "main-4711")
    project.developer.command("git", "checkout", "-q", "-b", "topic")
    project.developer.command("git", "push", "-q", "origin", "topic")
    on_topic = do(project, in_merge_request(project), merge_request="commit")
    assert on_topic.recorded is not None
    assert (on_topic.recorded.how, on_topic.recorded.name) == ("commit", "topic")
    nowhere = do(project, variables(project), default_branch="none")
    assert nowhere.recorded is None
    assert "record: none" in nowhere.notes[0]


def test_a_second_commit_of_the_bot_in_a_row_is_an_experiment(project: Project) -> None:
    _, fragments = ran(project)
    leave(project, fragments)
    do(project, variables(project))
    project.developer.command("git", "pull", "-q")
    head = project.commit()
    locked = next(each.stages["prepare"].lock for each in fragments if "prepare" in each.stages)
    assert locked is not None
    other = {"prepare": StageRecord({**locked, "cmd": "other"}, 1.0)}
    fragment = Fragment(head, "p" * 16, "job prepare", 1, other)
    pipeline = {"SWATH_PIPELINE": "5000"}
    store = RemoteStore(Repository(project.developer.root))
    store.write_text(fragment_path("5000", 1, fragment.job), write_fragment(fragment))
    collected = do(project, variables(project, **pipeline))
    assert collected.recorded is not None
    assert collected.recorded.name == "main-5000"
    assert collected.notes[0].startswith("the commit that was run is one of Swath's own, and its results differ again")
    asked_for = do(project, variables(project, **pipeline, SWATH_PIPELINE_SOURCE="schedule"))
    assert asked_for.recorded is not None
    assert asked_for.recorded.how == "commit"


def test_without_any_result_there_is_nothing_to_record(project: Project) -> None:
    collected = do(project, variables(project))
    assert (collected.rows, collected.recorded) == ((), None)
    assert collected.notes == ("no stage has a result: there is nothing to record",)


def test_the_figures_come_as_a_note(project: Project) -> None:
    leave(project, ran(project)[1])
    do(project, variables(project))
    shown = project.git("notes", "--ref=swath", "show", "main")
    assert '"wall_s": 2.5' in shown
    assert '"pipeline": "4711"' in shown


def test_a_large_uncached_output_comes_from_the_remote(project: Project) -> None:
    bench, fragments = ran(project)
    bench.write({"metrics.json": "x" * 2_000_000})
    bench.command("dvc", "add", "-q", "--file", "big.dvc", "metrics.json", check=False)
    md5 = bench.command("md5sum", "metrics.json").stdout.split()[0]
    target = project.folder / "store/files/md5" / md5[:2] / md5[2:]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("x" * 2_000_000)
    big = [
        replace(each, files={**each.files, "metrics.json": FileRecord(md5, None)}) if "train" in each.stages else each
        for each in fragments
    ]
    leave(project, big)
    do(project, variables(project))
    assert project.show("main:metrics.json") == "x" * 2_000_000


def test_files_that_no_stage_writes_are_not_recorded(project: Project) -> None:
    _, fragments = ran(project)
    record = file_record("script: evil\n")
    evil = {".gitlab-ci.yml": record, "params.yaml": record}
    leave(project, [replace(fragments[0], files={**fragments[0].files, **evil}), *fragments[1:]])
    collected = do(project, variables(project))
    assert collected.recorded is not None
    assert set(collected.recorded.changes.left_out) == set(evil)
    assert ".gitlab-ci.yml" not in project.git("ls-tree", "--name-only", "main").split()
    assert project.show("main:params.yaml") == project.developer.read("params.yaml")


@pytest.mark.parametrize("path", ["../outside", ".git/hooks/pre-push"])
def test_a_fragment_that_leads_out_of_the_checkout_counts_for_nothing(project: Project, path: str) -> None:
    _, fragments = ran(project)
    evil = replace(fragments[0], files={**fragments[0].files, path: file_record("script: evil\n")})
    leave(project, [evil, *fragments[1:]])
    collected = do(project, variables(project))
    (why,) = collected.gathered.refused.values()
    assert why == f"names the file {path!r}, which no stage may write"
    assert not set(evil.stages) & {row.stage for row in collected.rows}


@pytest.fixture
def served(tmp_path: Path, project: Project) -> Iterator[GitServer]:
    """The same project behind a server that wants a token."""
    with serve_git(tmp_path) as server:
        project.git("config", "http.receivepack", "true")
        server.tokens.add(BOT.login.token)
        yield server


def test_over_http_with_a_token(project: Project, served: GitServer) -> None:
    leave(project, ran(project)[1])
    environ = variables(project, SWATH_GIT_URL=f"{served.url}/server.git")
    collected = do(project, environ)
    assert collected.recorded is not None
    assert collected.recorded.how == "commit"
    with pytest.raises(UserError, match="the token is expired, revoked or too weak"):
        do(
            project,
            {**environ, "SWATH_PIPELINE": PIPELINE},
            bot=replace(BOT, login=Login("old")),
            default_branch="experiment",
        )
    assert served.refused == ["old"]


def test_a_job_token_that_may_push_records(project: Project, served: GitServer) -> None:
    leave(project, ran(project)[1])
    served.job_tokens["glcbt-job"] = "server"
    served.jobs_may_push.add("server")
    collected = do(project, variables(project, SWATH_GIT_URL=f"{served.url}/server.git"), bot=AS_JOB)
    assert collected.recorded is not None
    assert (collected.recorded.how, collected.notes) == ("commit", ())
    assert project.served() == collected.recorded.commit
    assert project.git("notes", "--ref=swath", "list")


@pytest.mark.parametrize("default_branch", ["commit", "experiment"])
def test_where_the_job_token_may_not_push_the_results_stay_in_the_remote(
    project: Project, served: GitServer, default_branch: str
) -> None:
    """A server before 18.4, or a project that does not let its jobs push: as without a token."""
    leave(project, ran(project)[1])
    served.job_tokens["glcbt-job"] = "server"
    before = project.served()
    environ = variables(project, SWATH_GIT_URL=f"{served.url}/server.git", CI_COMMIT_REF_PROTECTED="false")
    collected = do(project, environ, bot=AS_JOB, default_branch=default_branch)
    assert (collected.recorded, len(collected.rows)) == (None, 4)
    (note,) = collected.notes
    pushed_to = "main" if default_branch == "commit" else f"refs/exps/{before[:2]}/{before[2:]}/main-4711"
    assert note == (
        f"pushing to {pushed_to}: {served.url}/server.git denies access to the job token (You are not allowed to upload "
        "code.): nothing is pushed to Git.\n"
        "The results are in the DVC remote, under swath/4711. Into a clone they come with:\n"
        f"  git fetch origin {before}\n"
        f"  git checkout {before}\n"
        "  SWATH_PIPELINE=4711 swath job collect --write && dvc pull\n"
        "To have it recorded: turn on Settings > CI/CD > Job token permissions > Allow Git push requests to the "
        "repository (GitLab 18.4 and later), or set SWATH_TOKEN to a project access token with the scope "
        "write_repository (Settings > CI/CD > Variables, masked), then retry this job.\n"
        "If SWATH_TOKEN is a protected variable: jobs on this unprotected branch do not receive it."
    )
    assert (project.served(), refs(project)) == (before, [])


def test_a_protected_branch_that_the_job_token_may_not_push_to_is_an_error(project: Project, served: GitServer) -> None:
    """The project lets its jobs push, so somebody expects a commit."""
    leave(project, ran(project)[1])
    served.job_tokens["glcbt-job"] = "server"
    served.jobs_may_push.add("server")
    hook = served.folder / "server.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'GitLab: You are not allowed to push code to protected branches' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(UserError, match="the job token has the rights of whoever started the pipeline"):
        do(project, variables(project, SWATH_GIT_URL=f"{served.url}/server.git"), bot=AS_JOB)
