"""Make a new service from a template: a folder of service-templates/ with Jinja2 in its files and in their names.

Templates are looked for in the repository's own service-templates/ first, then in those that come with Swath. Called by
`swath service new`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from swath.errors import UserError
from swath.model.suggestion import did_you_mean, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATES: Final = "service-templates"
SUFFIX: Final = ".j2"
DEFAULT: Final = "processing"
_PACKAGE: Final = Path(__file__).resolve().parents[1]
# In an installed Swath they lie in the package, in a checkout at its root.
SHIPPED_TEMPLATES: Final = (_PACKAGE / TEMPLATES, _PACKAGE.parents[1] / TEMPLATES)


def template_folders(root: Path | None) -> dict[str, Path]:
    """Name and folder of each template, sorted by name; the repository's own go before those that come with Swath."""
    found: dict[str, Path] = {}
    for place in (*SHIPPED_TEMPLATES, *([root / TEMPLATES] if root else [])):
        if place.is_dir():
            found |= {child.name: child for child in place.iterdir() if child.is_dir()}
    return dict(sorted(found.items()))


def render_template(name: str, root: Path | None, values: Mapping[str, str]) -> dict[str, str]:
    """The files of a new service.

    Args:
        name: the template's.
        root: the repository's root, where it may have templates of its own.
        values: what the template may use: ``name``, ``module`` (the name as an identifier), ``title``, ``description``.

    Returns:
        Path from the service's folder and text, sorted by path.

    Raises:
        UserError: there is no such template, or it cannot be rendered.
    """
    folders = template_folders(root)
    if name not in folders:
        hint = did_you_mean(name, folders) or one_of(folders)
        raise UserError(f"there is no template '{name}'", hint=hint)
    environment = Environment(
        loader=FileSystemLoader(folders[name]), undefined=StrictUndefined, keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - programs and YAML, no HTML; values in YAML go through `tojson`
    )  # fmt: skip
    rendered: dict[str, str] = {}
    try:
        for file in environment.list_templates(filter_func=lambda path: "__pycache__" not in path):
            target = environment.from_string(file.removesuffix(SUFFIX)).render(values)
            rendered[target] = environment.get_template(file).render(values)
    except (TemplateError, UnicodeDecodeError) as error:
        raise UserError(f"the template '{name}' cannot be rendered: {error}") from error
    return dict(sorted(rendered.items()))


def write_service(folder: Path, files: Mapping[str, str]) -> None:
    """Write a new service's files; scripts among them are made executable.

    Raises:
        UserError: the folder is there and not empty, or cannot be written.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is there already", hint="choose another name, or remove it")
    try:
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            if text.startswith("#!"):
                file.chmod(0o755)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}") from error
