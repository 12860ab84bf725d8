"""`swath service`: list, show, make, build and test the repository's services, and print the format of service.yaml."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from swath.cli.options import json_option
from swath.cli.visible_console import visible_console
from swath.cli.visible_streams import document_stream
from swath.errors import EXIT_OK, StageFailedError, UserError
from swath.load.repository_root import find_root, working_folder
from swath.load.services import load_service, load_services, service_folder, service_names
from swath.model.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from swath.model.service import Parameter, Resources, Service

VERSION: Final = 1


@click.group()
def service() -> None:
    """List, show, make, build and test services."""


@service.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the repository's services."""
    services = load_services(_root())
    if as_json:
        _print_json({"services": [_document(one) for one in services.values()]})
        return
    rows = [(one.name, one.kind, one.description, _runtimes(one)) for one in services.values()]
    _print_table(("service", "kind", "what it does", "runs as"), rows)
    if not services:
        click.echo("no services yet; `swath service new NAME` makes one", err=True)


@service.command()
@click.argument("name")
@json_option
def show(name: str, *, as_json: bool) -> None:
    """Show a service's parameters, resources and image."""
    one = load_service(_root(), name)
    if as_json:
        _print_json({"service": _document(one)})
        return
    click.echo(f"{one.name} ({one.kind}): {one.description}\n")
    rows = [(_option(each), each.type, _direction(each), _default(each), _about(each)) for each in one.parameters]
    _print_table(("option", "type", "", "default", "what it is"), rows)
    click.echo(f"\n{_call(one)}\n")
    for key, value in _facts(one):
        click.echo(f"{key:10} {value}")


@service.command()
@click.argument("name")
@click.option("--template", default="processing", show_default=True, help="A folder of service-templates/.")
@click.option("--description", help="One sentence: what the service does.")
def new(name: str, template: str, description: str | None) -> None:
    """Make a service from a template, with a program, a Dockerfile and tests that pass."""
    from swath.load.ignored import IGNORE_FILE, write_ignored
    from swath.load.service_template import render_template, write_service

    root = _root()
    if (
        not name.isascii()
        or not name[:1].islower()
        or not name.replace("-", "").replace("_", "").isalnum()
        or name != name.lower()
    ):
        raise UserError(
            f"{name!r} cannot be a service's name", hint="lower-case letters, digits, - and _, a letter first"
        )
    values = {
        "name": name,
        "module": name.replace("-", "_"),
        "title": name.replace("-", " ").replace("_", " ").capitalize(),
        "description": description or "Say here in one sentence what the service does.",
    }
    folder = service_folder(root, name)
    files = render_template(template, root, values)
    is_first = not service_names(root)
    write_service(folder, files)
    more = f" {IGNORE_FILE}" if is_first and write_ignored(root) else ""  # later they would make results stale
    for file in files:
        click.echo(f"services/{name}/{file}")
    click.echo(f"next: swath service test {name}; git add services/{name}{more}; swath lint", err=True)


@service.command()
@click.argument("names", nargs=-1)
@click.option("--gpus", is_flag=True, help="Build the variant for GPUs.")
@click.option("--push", is_flag=True, help="Build as CI does, with the tool layer, and push to the registry.")
def build(names: tuple[str, ...], *, gpus: bool, push: bool) -> None:
    """Build images, those of all services without NAMES; each is built once per content."""
    root = _root()
    chosen = [one for one in _chosen(root, names) if one.image is not None and (push or one.image.build is not None)]
    if not chosen:
        click.echo("nothing to build", err=True)
    elif push:
        _push(chosen, root, gpus=gpus)
    else:
        _build(chosen, root, gpus=gpus)


def _build(chosen: Sequence[Service], root: Path, *, gpus: bool) -> None:
    from swath.execute.build import built_image
    from swath.execute.engine import Engine
    from swath.execute.image import recipe_for
    from swath.execute.job_shell import job_shell_fault
    from swath.load.settings import load_settings

    is_of_jobs = load_settings(root).execution == "image"
    engine = Engine(os.environ)
    try:
        for one in chosen:
            recipe = recipe_for(one, service_folder(root, one.name), root, gpus=gpus, environ=os.environ)
            click.echo(f"building {one.name} ...", err=True)
            image = built_image(engine, recipe, os.environ, sys.stderr.buffer, threading.Event(), root=root)
            click.echo(recipe.tag)
            fault = job_shell_fault(engine, image) if is_of_jobs else None
            if fault:
                click.echo(f"swath: no job can start in the image of {one.name}: {fault}", err=True)
    finally:
        engine.close()


def _push(chosen: Sequence[Service], root: Path, *, gpus: bool) -> None:
    from swath.images.push import push_image
    from swath.images.service_image import service_image
    from swath.load.settings import load_settings

    settings = load_settings(root)
    for one in chosen:
        image = service_image(one, root, settings, gpus=gpus, environ=os.environ)
        click.echo(f"pushing {one.name} ...", err=True)
        click.echo(push_image(image, root, os.environ, sys.stderr.buffer))


@service.command(context_settings={"ignore_unknown_options": True})
@click.argument("names", nargs=-1)
@click.option("-k", "expression", help="pytest's -k: only tests that match.")
def test(names: tuple[str, ...], expression: str | None) -> int:
    """Run services' own tests in their environments, those of all services without NAMES."""
    from swath.execute.service_tests import find_tests, run_service_tests

    root = _root()
    failed: list[str] = []
    for one in _chosen(root, names):
        tests = find_tests(service_folder(root, one.name))
        if tests is None:
            click.echo(f"{one.name}: no tests (tests/test_*.py or tests/run.sh)", err=True)
            continue
        click.echo(f"{one.name}:", err=True)
        words = ("-k", expression) if expression else ()
        outcome = run_service_tests(one, tests, os.environ, None, threading.Event(), words=words)
        if outcome.exit_code:
            failed.append(one.name)
    if failed:
        raise StageFailedError(f"tests failed: {', '.join(failed)}")
    return EXIT_OK


@service.command()
def schema() -> None:
    """Print the JSON Schema of service.yaml."""
    from swath.schema.service_schema import service_schema

    click.echo(json.dumps(service_schema(), indent=2, ensure_ascii=False))


def _root() -> Path:
    return find_root(working_folder())


def _chosen(root: Path, names: Sequence[str]) -> list[Service]:
    """The named services in the order given, each once; all when none is named."""
    return [load_service(root, name) for name in dict.fromkeys(names or service_names(root))]


def _print_json(content: dict[str, Any]) -> None:
    click.echo(json.dumps({"version": VERSION, **content}, indent=2, ensure_ascii=False))


def _document(one: Service) -> dict[str, Any]:
    """A service as `--json` gives it: the keys of service.yaml, all of them, quantities as text."""
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(one, enc_hook=str)
    return document | {"call": _call(one)}


def _print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in header:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    visible_console(width=None if document_stream().isatty() else 160).print(table)


def _runtimes(one: Service) -> str:
    return ", ".join(
        name for name, is_there in (("docker", one.image), ("process", one.process)) if is_there is not None
    )


def _option(parameter: Parameter) -> str:
    return f"--{parameter.name}"


def _direction(parameter: Parameter) -> str:
    return ", ".join(word for word in (parameter.direction, "required" if parameter.required else None) if word)


def _default(parameter: Parameter) -> str:
    return "" if parameter.default is None else json.dumps(parameter.default, ensure_ascii=False)


def _about(parameter: Parameter) -> str:
    """The description and what narrows the values."""
    limits = [parameter.description] if parameter.description else []
    if parameter.choices is not None:
        limits.append("one of " + ", ".join(map(str, parameter.choices)))
    if parameter.pattern is not None:
        limits.append(f"matches {parameter.pattern}")
    if parameter.minimum is not None:
        limits.append(f"at least {parameter.minimum:g}")
    if parameter.maximum is not None:
        limits.append(f"at most {parameter.maximum:g}")
    return "; ".join(limits)


def _call(one: Service) -> str:
    """A command to start from: the required parameters."""
    words = [f"--{each.name} {each.name.upper()}" for each in one.parameters if each.required]
    return " ".join(["swath exec", one.name, *words])


def _asked(resources: Resources) -> Iterable[str]:
    for name in ("cpus", "memory", "disk", "gpus", "shm", "pids"):
        value = getattr(resources, name)
        if value is not None:
            yield f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"


def _facts(one: Service) -> Iterable[tuple[str, str]]:
    """What else service.yaml says, as key and text."""
    if one.image is not None:
        variants = "".join(f", variant {name}" for name in one.image.variants)
        yield "image", one.image.reference or f"built from {one.image.dockerfile}{variants}"
    if one.process is not None:
        yield "process", one.process.python or ", ".join(one.process.programs) or "the host's programs"
    if asked := ", ".join(_asked(one.resources)):
        yield "resources", asked
    yield "timeout", str(one.timeout) if one.timeout else "none"
    yield "retries", str(one.retries)
    yield "network", "yes" if one.network else "no"
    if one.secrets:
        yield "secrets", ", ".join(one.secrets)
