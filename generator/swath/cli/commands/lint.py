"""`swath lint`: prove the contract between dvc.yaml and the services, without running anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from swath.cli.options import json_option, open_repository
from swath.cli.trust import trust_checkout_of_job
from swath.cli.visible_console import visible_console
from swath.cli.visible_streams import document_stream
from swath.errors import EXIT_OK, UserError
from swath.lint.apply import fix_repository
from swath.lint.check import check_facts
from swath.lint.document import finding_line, findings_document, summary
from swath.lint.repository_facts import read_facts
from swath.model.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swath.errors import Finding
    from swath.lint.fix import Fixed


@click.command()
@json_option
@click.option("--fix", is_flag=True, help="Add missing deps, outs and .dvcignore lines first.")
def lint(*, as_json: bool, fix: bool) -> int:
    """Check dvc.yaml, services and swath.yaml against each other, without running anything.

    Reports everything at once. Exits with 1 when there are errors, with 0 when there are only warnings.
    """
    trust_checkout_of_job()
    repository, _ = open_repository()
    facts = read_facts(repository)
    problems = check_facts(facts)
    fixed: tuple[Fixed, ...] | None = None
    if fix:
        problems, fixed = fix_repository(repository, problems)
    findings = [problem.finding for problem in problems]
    if as_json:
        click.echo(json.dumps(findings_document(findings, fixed), indent=2, ensure_ascii=False))
    else:
        _print(findings, fixed or ())
        stages, services = counted(sum(1 for _ in facts.stages), "stage"), counted(len(facts.services), "service")
        counts = f"{stages} of {len(facts.workflow_files)} dvc.yaml, {services}"
        mendable = sum(problem.repair is not None for problem in problems)
        click.echo(summary(findings, counts), err=True)
        if mendable and not fix:
            click.echo(f"swath lint: `swath lint --fix` mends {mendable} of them", err=True)
    return UserError.exit_code if any(finding.severity == "error" for finding in findings) else EXIT_OK


def _print(findings: Sequence[Finding], fixed: Sequence[Fixed]) -> None:
    if document_stream().isatty():
        _print_coloured(findings, fixed)
        return
    for each in fixed:
        click.echo(f"fixed: {each}")
    for finding in findings:
        click.echo(finding_line(finding))
        if finding.hint:
            click.echo(f"  {finding.hint}")


def _print_coloured(findings: Sequence[Finding], fixed: Sequence[Fixed]) -> None:
    from rich.text import Text

    console = visible_console(soft_wrap=True)
    for each in fixed:
        console.print(Text.assemble(("fixed: ", "green"), str(each)))
    for finding in findings:
        colour = "bold red" if finding.severity == "error" else "yellow"
        place = (f"{finding.place}: ", "bold")
        rule = (f" [{finding.rule}]", "dim")
        console.print(Text.assemble(place, (f"{finding.severity}: ", colour), finding.message, rule))
        if finding.hint:
            console.print(Text(f"  {finding.hint}", style="cyan"))
