"""The platform files: Ansible reads them, the compose file is one, and the runners' role writes what `swath` says.

Ansible is a tool of these tests, not a dependency: uv fetches it once into its cache. Without it they are skipped, loudly.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.repositories import make_repository

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = ROOT / "platform"
INVENTORY = PLATFORM / "inventory.example.yml"
BIN = Path(sys.executable).parent
TOOLS = {"ansible-playbook": ["--from", "ansible-core==2.18.6"]}
# Only what Ansible needs: no token of the one who runs the tests.
ENVIRON = {
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": os.environ.get("HOME", ""), "LC_ALL": "C.UTF-8",
    "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1",
} | {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_", "SSL_", "XDG_"))}  # fmt: skip


def ansible(*words: str, cwd: Path = PLATFORM, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook."""
    _have_ansible()
    return subprocess.run(
        ["uvx", *TOOLS["ansible-playbook"], "ansible-playbook", *words],
        cwd=cwd, env=ENVIRON | environ, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@functools.cache
def _have_ansible() -> None:
    words = ["uvx", *TOOLS["ansible-playbook"], "ansible-playbook", "--version"]
    try:
        done = subprocess.run(words, env=ENVIRON, capture_output=True, text=True, check=False, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"SKIPPED LOUDLY: no Ansible to be had: {error}")
    if done.returncode:
        pytest.skip(f"SKIPPED LOUDLY: no Ansible to be had: {done.stderr[-300:]}")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ansible_reads_the_playbook() -> None:
    done = ansible("--syntax-check", "-i", str(INVENTORY), "site.yml")
    assert (done.returncode, done.stdout.strip()) == (0, "playbook: site.yml"), done.stderr


def test_the_compose_file_is_one() -> None:
    words = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "main/compose.yaml"]
    done = subprocess.run(words, cwd=PLATFORM, env=ENVIRON, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "ok -- validation done"), done.stdout


def test_every_setting_of_the_compose_file_is_written() -> None:
    wanted = set(re.findall(r"\$\{(\w+)\}", (PLATFORM / "main/compose.yaml").read_text().partition("services:")[2]))
    template = (PLATFORM / "roles/main/templates/environment.j2").read_text()
    assert wanted == set(re.findall(r"^(\w+)=", template, re.MULTILINE))


def test_the_object_store_is_configured_in_toml() -> None:
    assert tomllib.loads((PLATFORM / "main/garage.toml").read_text())["replication_factor"] == 1


def test_no_secret_and_only_modules_of_the_core() -> None:
    variables = yaml.safe_load((PLATFORM / "group_vars/all.yml").read_text())
    secrets = ("gitlab_root_password", "garage_rpc_secret", "object_store_key_id", "object_store_secret")
    assert all("lookup('ansible.builtin.env'" in variables[name] for name in secrets)
    for path in PLATFORM.glob("roles/*/*/*.yml"):
        for task in _tasks(yaml.safe_load(path.read_text()) if "defaults" not in path.parts else []):
            assert any(key.startswith("ansible.builtin.") for key in task), f"{path}: {task['name']}"


SECRETS = ("gitlab_root_password", "garage_rpc_secret", "object_store_secret", "runner_tokens")


def _all_tasks() -> list[dict[str, Any]]:
    files = list(PLATFORM.glob("roles/*/tasks/*.yml"))
    return [task for path in files for task in _tasks(yaml.safe_load(path.read_text()))]


def test_no_secret_is_an_argument_which_ps_would_show() -> None:
    commands = [task for task in _all_tasks() if "ansible.builtin.command" in task]
    assert len(commands) > 5
    for task in commands:
        words = task["ansible.builtin.command"]
        words = {"cmd": words} if isinstance(words, str) else words
        arguments = f"{words.get('cmd', '')} {words.get('argv', '')}"
        assert not [name for name in SECRETS if name in arguments], task["name"]
        assert "stdin" not in words or task["no_log"], task["name"]
    (brings,) = [task for task in commands if "ImportKey" in str(task)]
    given = brings["ansible.builtin.command"]["stdin"]
    assert given == (
        "{{ {'name': 'swath', 'accessKeyId': object_store_key_id, 'secretAccessKey': object_store_secret} | to_json }}"
    )


def test_what_a_new_address_brings_is_looked_up_at_once() -> None:
    """A list of apt that is younger than an hour does not have the packages of an address that was just added."""
    installs = [task["ansible.builtin.apt"] for task in _all_tasks() if "ansible.builtin.apt" in task]
    assert len(installs) == 3
    for install in installs:
        assert install["update_cache"] is True
        assert "cache_valid_time" not in install


def test_images_have_whole_versions() -> None:
    variables = yaml.safe_load((PLATFORM / "group_vars/all.yml").read_text())
    images = {name: value for name, value in variables.items() if name.endswith("_image")}
    assert set(images) == {"gitlab_image", "garage_image", "proxy_image"}
    assert [image for image in images.values() if not re.search(r":v?\d+\.\d+\.\d+", image)] == []


def _tasks(document: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [task for each in document for task in each.get("block", [each])]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_role_writes_the_configuration_of_a_runner(tmp_path: Path) -> None:
    """For real: `swath runner config` in a repository, tokens from the environment, a second call changes nothing."""
    repository = make_repository(tmp_path / "repo", {
        "dvc.yaml": {"stages": {}},
        "swath.yaml": {
            "runners": [{"tags": ["docker"]}, {"tags": ["gpu"], "gpus": 1, "cache": "/srv/dvc-cache"}],
            "volumes": {"my-archive": {"path": "data/archive"}},
        },
    })  # fmt: skip
    target = tmp_path / "config.toml"
    play = {
        "hosts": "localhost", "connection": "local", "gather_facts": False,
        "vars": {
            "runner_tags": ["gpu"], "runner_volumes": {"my-archive": "/mnt/archive"}, "runner_executor": "docker",
            "gitlab_url": "https://git.example.org", "runner_config_file": str(target),
            "swath_repository": os.path.relpath(repository.root, tmp_path),
        },
        "tasks": [{"ansible.builtin.import_role": {"name": str(PLATFORM / "roles/runner"), "tasks_from": "config"}}],
    }  # fmt: skip
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    missing = ansible("play.yml", cwd=tmp_path)
    assert missing.returncode == 2
    assert "create the runner in GitLab, and say its token as SWATH_RUNNER_TOKEN_GPU" in missing.stdout
    assert not target.exists()

    first = ansible("play.yml", cwd=tmp_path, SWATH_RUNNER_TOKEN_GPU="glrt-secret")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "glrt-secret" not in first.stdout + first.stderr
    (runner,) = tomllib.loads(target.read_text())["runners"]
    assert (runner["token"], runner["url"]) == ("glrt-secret", "https://git.example.org")
    assert runner["environment"] == ["SWATH_VOLUME_MY_ARCHIVE=/mnt/archive"]
    assert runner["docker"]["volumes"] == [
        "/cache", "/srv/dvc-cache:/srv/dvc-cache", "/mnt/archive:/mnt/archive:ro",
    ]  # fmt: skip
    assert target.stat().st_mode & 0o777 == 0o600

    second = ansible("play.yml", cwd=tmp_path, SWATH_RUNNER_TOKEN_GPU="glrt-secret")
    assert "changed=0" in second.stdout


DOCKER = """#!/bin/sh
echo "$*" >> "$LOG/arguments"
case "$*" in
  *"node id"*) echo 0123456789abcdef0123@127.0.0.1:3901 ;;
  *ImportKey*) cat > "$LOG/stdin" ;;
  *info*) exit 1 ;;
esac
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_object_store_gets_its_key_through_stdin(tmp_path: Path) -> None:
    """With a `docker` that notes how it is called."""
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    secret = "ab" * 32
    play = {
        "hosts": "localhost", "connection": "local", "gather_facts": False,
        "vars": {
            "platform_folder": str(tmp_path), "object_store_bucket": "swath", "object_store_capacity": "1T",
            "object_store_key_id": "GK0123456789abcdef01234567", "object_store_secret": secret,
        },
        "tasks": [{"ansible.builtin.import_role": {"name": str(PLATFORM / "roles/main"), "tasks_from": "object_store"}}],
    }  # fmt: skip
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    path = f"{docker.parent}{os.pathsep}{ENVIRON['PATH']}"
    done = ansible("play.yml", "-v", cwd=tmp_path, PATH=path, LOG=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "stdin").read_text()) == {
        "name": "swath", "accessKeyId": "GK0123456789abcdef01234567", "secretAccessKey": secret,
    }  # fmt: skip
    calls = (tmp_path / "arguments").read_text()
    assert "compose exec -T garage /garage json-api ImportKey -\n" in calls
    assert secret not in calls + done.stdout + done.stderr
