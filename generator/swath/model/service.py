"""The typed interface of a service, as `services/NAME/service.yaml` says it.

The structs are at the same time the file's format (msgspec decodes into them and derives the published JSON Schema) and
the value that travels through Swath. Read by `load/services.py`; no I/O here.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from swath.model.units import Duration, Size

LEAST_PIDS: Final = 16  # the container's own init process, a shell and its commands
Kind = Literal["processing", "training", "execution"]
ParameterType = Literal[
    "string", "integer", "number", "boolean", "file", "directory",
    "list[string]", "list[integer]", "list[number]", "list[boolean]", "list[file]", "list[directory]",
]  # fmt: skip
Direction = Literal["input", "output"]
Scalar = str | int | float | bool
Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]*$", description="lower-case letters, digits, - and _")]


class Parameter(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One argument of a service.

    Attributes:
        name: the option's name, without dashes.
        type: a scalar type, ``file``, ``directory``, or a list of one of them (the option is repeated).
        direction: for files and directories: read (``input``) or written (``output``).
        default: the value when the option is absent; a file or directory has none.
        choices: the only values allowed.
        pattern: a regular expression that a whole string must match.
        minimum: smallest number allowed.
        maximum: largest number allowed.
    """

    name: Name
    type: ParameterType
    direction: Direction | None = None
    required: bool = False
    default: Scalar | list[Scalar] | None = None
    description: str = ""
    choices: list[Scalar] | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def is_list(self) -> bool:
        """Whether the option may be repeated."""
        return self.type.startswith("list[")

    @property
    def item_type(self) -> str:
        """The scalar type, or that of the list's items."""
        return self.type.removeprefix("list[").removesuffix("]")

    @property
    def is_path(self) -> bool:
        """Whether values are paths in the repository."""
        return self.item_type in {"file", "directory"}


class Resources(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a stage asks for; unset values fall back to the next level of settings.

    Attributes:
        cpus: processor cores, may be a fraction.
        memory: bytes of memory.
        disk: bytes of free disk space.
        gpus: whole GPUs.
        shm: bytes of shared memory (/dev/shm).
        pids: most processes and threads at a time, in a container of its own.
    """

    cpus: Annotated[float, Meta(gt=0)] | None = None
    memory: Size | None = None
    disk: Size | None = None
    gpus: Annotated[int, Meta(ge=0)] | None = None
    shm: Size | None = None
    pids: Annotated[int, Meta(ge=LEAST_PIDS)] | None = None

    def over(self, base: Resources) -> Resources:
        """These resources, with what is unset taken from `base`."""
        return Resources(
            cpus=base.cpus if self.cpus is None else self.cpus,
            memory=base.memory if self.memory is None else self.memory,
            disk=base.disk if self.disk is None else self.disk,
            gpus=base.gpus if self.gpus is None else self.gpus,
            shm=base.shm if self.shm is None else self.shm,
            pids=base.pids if self.pids is None else self.pids,
        )


class ImageVariant(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another image of the same code, for other hardware.

    Attributes:
        reference: a public image pinned by digest, when the plain image is one too; else the variant is built.
        dockerfile: the Dockerfile to use, from the service's folder.
        build_args: arguments for the build.
        gpus: the variant is taken when a stage asks for at least one GPU.
    """

    reference: str | None = None
    dockerfile: str = "Dockerfile"
    build_args: dict[str, str] = field(default_factory=dict)
    gpus: bool = False


class Image(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the service's image comes from: built from its folder, or a public one pinned by digest."""

    build: str | None = None
    reference: str | None = None
    dockerfile: str = "Dockerfile"
    build_args: dict[str, str] = field(default_factory=dict)
    variants: dict[Name, ImageVariant] = field(default_factory=dict)

    def chosen(self, *, gpus: bool) -> tuple[str, Image | ImageVariant]:
        """The name, empty for the plain image, and what is said of the image for stages with or without GPUs."""
        variants = ((name, variant) for name, variant in sorted(self.variants.items()) if variant.gpus)
        return next(variants, ("", self)) if gpus else ("", self)


class ProcessEnvironment(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to run without Docker.

    Attributes:
        python: a requirements file in the service's folder; the service gets an isolated environment made from it, once
            per content. None: the host's own programs are used.
        python_version: the interpreter to ask for, such as ``3.11``; None: the one that runs Swath.
        programs: host programs that must be on PATH, such as ``node``.
    """

    python: str | None = None
    python_version: str | None = None
    programs: list[str] = field(default_factory=list)


class Service(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A program with a typed interface.

    Attributes:
        name: the folder's name under `services/`.
        kind: what it is for; technically all are equal.
        entrypoint: the program and its first words; words that are files of the service become absolute paths.
        timeout: longest time for one attempt, in seconds; None: no limit.
        retries: further attempts after a failure.
        network: docker runtime: may the service reach the network.
        secrets: names of environment variables that it may see; passed, never logged, never hashed.
    """

    name: Name
    kind: Kind
    description: str
    entrypoint: Annotated[list[str], Meta(min_length=1)]
    parameters: list[Parameter] = field(default_factory=list)
    image: Image | None = None
    process: ProcessEnvironment | None = None
    resources: Resources = Resources()
    timeout: Duration | None = None
    retries: Annotated[int, Meta(ge=0, le=10)] = 0
    network: bool = False
    secrets: list[Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]] = field(default_factory=list)
