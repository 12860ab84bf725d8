from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from support.docker_engine import BASE_OVERRIDE, BUSYBOX_IMAGE, PYTHON_IMAGE
from support.service_repositories import add_service, make_repository, shell_service, swath
from swath.errors import EXIT_OK
from swath.load.services import load_service, service_names
from swath.schema.service_schema import service_schema

LIST = """\
service   kind         what it does                runs as
────────────────────────────────────────────────────────────
other     processing   d                           process
upper     processing   Write a text in capitals.   process
"""
SHOW = """\
upper (processing): Write a text in capitals.

option    type           {blank}                  default   what it is
──────────────────────────────────────────────────────────────────
--input   file           input, required              the text
--size    integer                           256       at least 16
--tag     list[string]
--out     file           output, required

swath exec upper --input INPUT --out OUT

process    the host's programs
timeout    none
retries    0
network    no
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_repository(tmp_path)
    shell_service(tmp_path, "other", "true")
    return tmp_path


def words_of(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if set(line) != {"─"}]


def test_a_list(root: Path) -> None:
    done = swath(root, "service", "list")
    assert (done.returncode, done.stderr) == (EXIT_OK, "")
    assert [line.rstrip() for line in done.stdout.splitlines() if set(line.strip()) != {"─"}] == [
        line for line in LIST.splitlines() if "─" not in line
    ]


def test_a_list_as_json(root: Path) -> None:
    document = json.loads(swath(root, "service", "list", "--json").stdout)
    assert (document["version"], [one["name"] for one in document["services"]]) == (1, ["other", "upper"])
    assert document["services"][1]["call"] == "swath exec upper --input INPUT --out OUT"


def test_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    done = swath(tmp_path, "service", "list")
    assert (done.returncode, done.stderr) == (EXIT_OK, "no services yet; `swath service new NAME` makes one\n")


def test_a_wrong_service_in_the_list(root: Path) -> None:
    add_service(root, "bad", "name: bad\n", {})
    done = swath(root, "service", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "services/bad/service.yaml:1: the key 'kind' is missing" in done.stderr


def test_one_is_shown(root: Path) -> None:
    done = swath(root, "service", "show", "upper")
    assert done.returncode == EXIT_OK
    assert words_of(done.stdout) == words_of(SHOW.replace("{blank}", ""))


def test_one_is_shown_as_json(root: Path) -> None:
    text = (root / "services/other/service.yaml").read_text()
    (root / "services/other/service.yaml").write_text(f"{text}resources: {{memory: 4GiB}}\ntimeout: 90m\n")
    document = json.loads(swath(root, "service", "show", "other", "--json").stdout)
    assert document["service"]["resources"] == {"memory": "4GiB"}
    assert document["service"]["timeout"] == "1h30m"


def test_an_unknown_one(root: Path) -> None:
    done = swath(root, "service", "show", "uper")
    expected = "swath: there is no service 'uper' (no services/uper/service.yaml)\n  did you mean 'upper'?\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_the_schema() -> None:
    assert json.loads(swath(Path.cwd(), "service", "schema").stdout) == service_schema()


@pytest.mark.parametrize("template", ["processing", "training", "execution", "shell"])
def test_a_new_service_is_right_and_its_example_is_a_call_of_it(root: Path, template: str) -> None:
    done = swath(root, "service", "new", "my-own", "--template", template, "--description", 'It\'s "new": yes')
    assert (done.returncode, "services/my-own/service.yaml" in done.stdout.splitlines()) == (EXIT_OK, True)
    assert load_service(root, "my-own").description == 'It\'s "new": yes'
    readme = (root / "services/my-own/README.md").read_text()
    options = set(re.findall(r"--([a-z]+) \S", readme)) - {"template"}
    assert options <= {parameter.name for parameter in load_service(root, "my-own").parameters}


def test_the_first_service_brings_the_lines_of_dvcignore(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    said = "next: swath service test {0}; git add services/{0}{1}; swath lint\n"
    assert swath(tmp_path, "service", "new", "a").stderr == said.format("a", " .dvcignore")
    assert "services/*/tests\n" in (tmp_path / ".dvcignore").read_text()
    (tmp_path / ".dvcignore").unlink()
    assert swath(tmp_path, "service", "new", "b").stderr == said.format("b", "")


@pytest.mark.parametrize("name", ["My", "1a", "a b", "../a", "", "é", "-a"])
def test_names_that_are_none(root: Path, name: str) -> None:
    done = swath(root, "service", "new", "--", name)
    expected = f"swath: {name!r} cannot be a service's name\n  lower-case letters, digits, - and _, a letter first\n"
    assert (done.returncode, done.stderr, service_names(root)) == (1, expected, ("other", "upper"))


def test_a_new_service_replaces_none(root: Path) -> None:
    assert swath(root, "service", "new", "upper").returncode == 1


def test_the_tests_of_services(root: Path) -> None:
    shell_service(root, "bad", "true")
    for name, code in (("upper", 0), ("bad", 3)):
        (root / "services" / name / "tests").mkdir()
        (root / "services" / name / "tests/run.sh").write_text(f"echo testing {name}; exit {code}")
    done = swath(root, "service", "test")
    assert (done.returncode, done.stdout) == (4, "testing bad\ntesting upper\n")
    assert done.stderr.splitlines() == [
        "bad:",
        "other: no tests (tests/test_*.py or tests/run.sh)",
        "upper:",
        "swath: tests failed: bad",
    ]
    assert swath(root, "service", "test", "upper", "upper").stdout == "testing upper\n"


def test_nothing_to_build(root: Path) -> None:
    done = swath(root, "service", "build")
    assert (done.returncode, done.stderr) == (EXIT_OK, "nothing to build\n")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("template", ["processing", "training", "execution", "shell"])
def test_a_rendered_service_passes_the_test_that_it_is_rendered_with(root: Path, template: str) -> None:
    """The environments are kept in the user's cache: only the first run makes them."""
    assert swath(root, "service", "new", "my-own", "--template", template).returncode == EXIT_OK
    done = swath(root, "service", "test", "my-own", **os.environ)
    assert done.returncode == EXIT_OK, done.stdout + done.stderr
    assert re.search(r"\b[1-9] passed", done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_rendered_services_run_one_after_the_other(root: Path) -> None:
    for template in ("processing", "training", "execution"):
        swath(root, "service", "new", template, "--template", template)
    rows = "".join(f"{number},{number * number % 7},{'low' if number < 20 else 'high'}\n" for number in range(40))
    (root / "data/all.csv").write_text(f"x,y,kind\n{rows}")
    for words in (
        "processing --input data/all.csv --column x --minimum 5 --out data/kept.csv",
        "training --data data/kept.csv --target kind --model model.json --metrics metrics.json",
        "execution --model model.json --data data/all.csv --out classes.csv",
    ):
        done = swath(root, "exec", *words.split(), SWATH_RUNTIME="process")
        assert done.returncode == EXIT_OK, done.stderr
    assert json.loads((root / "metrics.json").read_text())["accuracy"] > 0.8
    assert len((root / "classes.csv").read_text().splitlines()) == 41


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("template", "base"), [("shell", BUSYBOX_IMAGE), ("processing", PYTHON_IMAGE)])
def test_a_rendered_service_builds_and_runs_in_its_image(root: Path, template: str, base: str) -> None:
    """The public base images are not to be had here, so the Dockerfile's ARG BASE names one of our own."""
    assert swath(root, "service", "new", "my-own", "--template", template).returncode == EXIT_OK
    if template == "processing":  # our base image has no pip; this template needs no packages
        file = root / "services/my-own/Dockerfile"
        file.write_text(re.sub(r"RUN .*\n", "", file.read_text()))
    done = swath(root, "service", "build", "my-own", **{BASE_OVERRIDE: base})
    assert done.returncode == EXIT_OK, done.stderr
    assert re.fullmatch(r"swath/my-own:[0-9a-f]{12}-t0-a[0-9a-f]{8}\n", done.stdout)
    (root / "data/table.csv").write_text("name,value\na,1\nb,5\n")
    words = {
        "shell": "--input data/table.csv --unit lines --out o",
        "processing": "--input data/table.csv --column value --minimum 2 --out o",
    }[template]
    done = swath(root, "exec", "--runtime", "docker", "my-own", *words.split(), **{BASE_OVERRIDE: base})
    assert done.returncode == EXIT_OK, done.stderr
    assert (root / "o").read_text() == {"shell": "data/table.csv\t3\n", "processing": "name,value\nb,5\n"}[template]


@pytest.mark.docker
def test_an_image_in_which_no_job_could_start(root: Path) -> None:
    (root / "services/bare").mkdir(parents=True)
    (root / "services/bare/service.yaml").write_text(
        "name: bare\nkind: processing\ndescription: d\nentrypoint: [./run]\nparameters: []\nimage: {build: .}\n"
    )
    (root / "services/bare/run").write_text("x")
    (root / "services/bare/Dockerfile").write_text("FROM scratch\nCOPY run /opt/service/\n")
    said = "swath: no job can start in the image of bare: there is no `sh` in it"
    done = swath(root, "service", "build", "bare")
    assert (done.returncode, said in done.stderr) == (EXIT_OK, True), done.stderr
    (root / "swath.yaml").write_text("execution: docker\n")
    done = swath(root, "service", "build", "bare")
    assert (done.returncode, "no job" in done.stderr) == (EXIT_OK, False), done.stderr


def test_pushing_an_image_needs_a_registry(root: Path) -> None:
    assert swath(root, "service", "new", "my-own", "--template", "shell").returncode == EXIT_OK
    done = swath(root, "service", "build", "--push", "my-own", CI_REGISTRY_IMAGE="")
    assert done.returncode == 1
    assert re.fullmatch(
        r"pushing my-own \.\.\.\nswath: the image \$CI_REGISTRY_IMAGE/my-own:[0-9a-f]{12}-t1 is in a registry that is not "
        r"known: CI_REGISTRY_IMAGE is not set\n  GitLab sets it in jobs of projects whose container registry is on .*\n",
        done.stderr,
    ), done.stderr
