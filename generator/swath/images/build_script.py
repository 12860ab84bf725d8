"""What a GitLab job must say to build an image and push it: pure, from a `ServiceImage` to a POSIX shell's lines.

    who we are -> is it there already -> context and Dockerfile -> build with the tool layer -> push the tags

The builders' images hold no Swath, so the script is plain `sh` with what busybox has. Each value of the repository
comes into it as one quoted word. The context has the files that the content tag names, with equal modes and times, so
the same content gives the same layers on every machine. Called by `emit/` and the CLI.

Source: https://docs.gitlab.com/ci/docker/using_buildkit/, https://docs.gitlab.com/ci/docker/using_docker_build/ and
https://docs.gitlab.com/ci/docker/buildah_rootless_tutorial/, read 2026-11-22.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from swath.images.reference import shell_word

if TYPE_CHECKING:
    from swath.images.service_image import ServiceImage
    from swath.model.settings import Builder, Settings

BUILDER_IMAGE: Final = "SWATH_BUILDER_IMAGE"  # a variable of this name in the project's settings names a mirror
DIND_IMAGE: Final = "SWATH_DIND_IMAGE"
IMAGES: Final[dict[Builder, str]] = {
    "buildkit": "moby/buildkit:rootless",
    "docker": "docker:28-cli",
    "dind": "docker:28-cli",
    "buildah": "quay.io/buildah/stable:v1.41",
}
_DIND: Final = "docker:28-dind"
_HEX: Final = "[0-9a-f]" * 12
_CACHE: Final = "build_cache"  # no branch's slug has an underscore


@dataclass(frozen=True, slots=True)
class BuildJob:
    """A job's keywords, as GitLab has them.

    Attributes:
        image: the builder's image; may hold a variable of `variables`.
        entrypoint: of that image; None: its own.
        services: further containers of the job: name and alias.
        variables: of the job; variables of the same name in the project's settings beat them.
        script: parts of one script for a POSIX shell that starts in the repository's root, one entry each.
        needs_privileged: the runner must start privileged containers.
        needs_socket: the runner must give jobs the engine's socket.
    """

    image: str
    entrypoint: tuple[str, ...] | None
    services: tuple[tuple[str, str], ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    script: tuple[str, ...] = ()
    needs_privileged: bool = False
    needs_socket: bool = False


def build_job(image: ServiceImage, settings: Settings) -> BuildJob:
    """The job that builds `image` with the builder of swath.yaml and pushes it."""
    builder = settings.builder
    checkout = {"GIT_DEPTH": "1"} if image.build else {"GIT_STRATEGY": "none"}
    variables = {BUILDER_IMAGE: IMAGES[builder], **checkout, **_VARIABLES[builder]}
    return BuildJob(
        image=f"${BUILDER_IMAGE}",
        entrypoint=("",),
        services=((f"${DIND_IMAGE}", "docker"),) if builder == "dind" else (),
        variables=variables,
        script=build_script(image, builder),
        needs_privileged=builder == "dind",
        needs_socket=builder == "docker",
    )


def build_script(image: ServiceImage, builder: Builder) -> tuple[str, ...]:
    """The parts of the script that builds `image` and pushes it."""
    names = (
        f"repository={shell_word(image.repository)}",
        f"image=$repository:{shlex.quote(image.tag)}",
        f"tool_layer={shell_word(image.tool_layer)}",
    )
    parts = ["set -e\n" + "\n".join(names), _FUNCTIONS, _CREDENTIALS, _BEFORE[builder]]
    parts += [
        _context(image),
        _dockerfile(image, builder),
        _TAGS,
        _BUILD[builder].replace("@OPTIONS@", _options(image, builder)),
    ]
    return tuple(part for part in parts if part)


def _context(image: ServiceImage) -> str:
    """Copies the files of the image into an empty folder, with equal modes and times."""
    if not image.build:
        return 'mkdir "$context"'
    copy = f'mkdir "$context"\ncp -RP {_path(image.context)}/. "$context"'
    steps = ['cd "$context"']
    if image.left_out:
        steps.append(f"rm -rf {_paths(image.left_out)}")
    steps += ["find . -type d -exec chmod 0755 {} +", "find . -type f -exec chmod 0644 {} +"]
    if image.programs:
        steps.append(f"chmod 0755 {_paths(image.programs)}")
    steps.append("TZ=UTC0 find . -exec touch -h -t 197001010000 {} +")
    return "\n".join((copy, "(", *(f"  {step}" for step in steps), ")"))


def _dockerfile(image: ServiceImage, builder: Builder) -> str:
    """Writes the Dockerfile: the service's own, or the public image, and the tool layer.

    The layer stands right above what the service starts from: a service whose code changed has it from the cache, and
    does not send it again.
    """
    own = f'"$context"/{_path(image.dockerfile)}'
    lines = ['mkdir "$recipe"', "link="]
    if builder == "buildkit":  # the layer is then the same one in all images; a frontend of the file's may not know it
        lines[1] = "link=--link"
        if image.build:
            lines.append(f"if grep -qi '^#[[:space:]]*syntax[[:space:]]*=' {own}; then link=; fi")
    copy = """printf '\\nCOPY %s --from=%s /opt/swath /opt/swath\\n' "$link" "$tool_layer\""""
    start, rest = f"printf 'FROM %s\\n' {_base(image.base)}", ""
    if image.build:
        start = f"head -n {image.start_line} {own}"
        rest = f"; tail -n +{image.start_line + 1} {own}"
    lines.append(f'{{ {start}; {copy}{rest}; }} >"$recipe/Dockerfile"')
    return "\n".join(lines)


def _base(reference: str) -> str:
    """A public image for FROM; a digest alone decides, and not all builders take a tag beside it."""
    name, at, digest = reference.partition("@")
    return shell_word(re.sub(r":[^/:]+$", "", name) + at + digest if at else reference)


def _options(image: ServiceImage, builder: Builder) -> str:
    """Build arguments and labels, as the builder wants them."""
    labels = {"swath.service": image.service, "swath.variant": image.variant, "swath.tag": image.tag}
    kind = ("--opt", "label:", "--opt", "build-arg:") if builder == "buildkit" else ("--label", "", "--build-arg", "")
    label_option, label_prefix, argument_option, argument_prefix = kind
    words = [(label_option, f"{label_prefix}{name}={value}") for name, value in labels.items() if value]
    words += [(argument_option, f"{argument_prefix}{name}={value}") for name, value in image.build_args]
    return " ".join(f"{option} {shlex.quote(value)}" for option, value in words)


def _path(path: str) -> str:
    """A path from where we are as a word that no program takes for an option."""
    return shlex.quote(f"./{path}")


def _paths(paths: tuple[str, ...]) -> str:
    return " ".join(map(_path, paths))


_FUNCTIONS: Final = """\
host=${repository%%/*} insecure=false
work=$(mktemp -d)
context=$work/context recipe=$work/recipe
trap 'rm -rf "$work"' EXIT
case $host in localhost | localhost:* | 127.*) insecure=true ;; esac
case ,$SWATH_INSECURE_REGISTRIES, in *,"$host",*) insecure=true ;; esac
again() { "$@" || { echo 'swath: once more in 10 s' >&2; sleep "${SWATH_PAUSE:-10}"; "$@"; }; }"""

# A folder of our own, so that a runner without containers keeps its user's. `printf` is the shell's own: no secret is
# in a list of processes. DOCKER_AUTH_CONFIG is GitLab's variable for further registries: ours come before its.
_CREDENTIALS: Final = """\
auth() { printf '"%s":{"auth":"%s"}' "$1" "$(printf '%s:%s' "$2" "$3" | base64 | tr -d '\\n')"; }
auths=
if [ -n "$CI_REGISTRY_PASSWORD" ]; then
  auths=$(auth "$CI_REGISTRY" "$CI_REGISTRY_USER" "$CI_REGISTRY_PASSWORD")
fi
if [ -n "$CI_DEPENDENCY_PROXY_PASSWORD" ]; then
  server=$CI_DEPENDENCY_PROXY_SERVER
  auths=$auths${auths:+,}$(auth "$server" "$CI_DEPENDENCY_PROXY_USER" "$CI_DEPENDENCY_PROXY_PASSWORD")
fi
if [ -n "$auths$DOCKER_AUTH_CONFIG" ]; then
  DOCKER_CONFIG=$work/docker
  mkdir -m 700 "$DOCKER_CONFIG"
  REGISTRY_AUTH_FILE=$DOCKER_CONFIG/config.json
  export DOCKER_CONFIG REGISTRY_AUTH_FILE
  case $DOCKER_AUTH_CONFIG in
    *'"auths"'*) printf '%s\\n' "$DOCKER_AUTH_CONFIG" | tr -d '\\n' |
      sed "s|\\"auths\\"[[:space:]]*:[[:space:]]*{|&$auths,|; s|{[[:space:]]*,|{|; s|,[[:space:]]*}|}|" ;;
    *) printf '{"auths":{%s}}' "$auths" ;;
  esac >"$REGISTRY_AUTH_FILE"
fi"""

# A tag that looks like a content tag names contents, and no branch may say which.
_TAGS: Final = f"""\
set -- "$image"
for tag in "$CI_COMMIT_REF_SLUG" "$(printf '%s' "$CI_COMMIT_TAG" | tr -c 'A-Za-z0-9_.-' - | cut -c 1-128)"; do
  case $tag in
    '' | [.-]* | {_HEX}-t*) ;;
    *) [ "$repository:$tag" = "$1" ] || set -- "$repository:$tag" "$@" ;;
  esac
done"""

_ENGINE: Final = """\
DOCKER_BUILDKIT=0
if docker buildx version >/dev/null 2>&1; then DOCKER_BUILDKIT=1; fi
case $(docker version --format '{{.Client.Version}}' 2>/dev/null) in 19.* | 20.*) DOCKER_BUILDKIT=1 ;; esac
export DOCKER_BUILDKIT
verify=
if [ $insecure = true ]; then verify=--insecure; fi
if docker manifest inspect $verify "$image" >/dev/null 2>&1; then
  echo "$image is there already"
  exit 0
fi"""
_WAIT: Final = """\
tries=0
until docker info >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -gt 60 ]; then echo 'swath: the service docker does not answer' >&2; exit 75; fi
  sleep 1
done
"""
_BEFORE: Final[dict[Builder, str]] = {
    "buildkit": """\
if [ $insecure = true ]; then
  settings=${XDG_CONFIG_HOME:-$HOME/.config}/buildkit
  mkdir -p "$settings"
  printf '[registry."%s"]\\n  http = true\\n' "$host" >"$settings/buildkitd.toml"
fi""",
    "docker": _ENGINE,
    "dind": _WAIT + _ENGINE,
    "buildah": """\
verify=
if [ $insecure = true ]; then verify=--tls-verify=false; fi
if buildah manifest inspect $verify "$image" >/dev/null 2>&1 ||
  skopeo inspect $verify --raw "docker://$image" >/dev/null 2>&1; then
  echo "$image is there already"
  exit 0
fi""",
}

_ENGINE_BUILD: Final = """\
cache=$repository:build_cache
from=
if docker buildx version >/dev/null 2>&1; then from="--cache-from $cache --build-arg BUILDKIT_INLINE_CACHE=1"; fi
set -- "$cache" "$@"
again docker build $from --file "$recipe/Dockerfile" --tag "$image" @OPTIONS@ "$context"
for tag; do
  docker tag "$image" "$tag"
  again docker push "$tag"
done"""
_BUILD: Final[dict[Builder, str]] = {
    "buildkit": f"""\
names=$(IFS=,; printf '%s' "$*")
output="type=image,push=true,\\"name=$names\\""
if [ $insecure = true ]; then output=$output,registry.insecure=true; fi
cache=type=registry,ref=$repository:{_CACHE}
if [ $insecure = true ]; then cache=$cache,registry.insecure=true; fi
again buildctl-daemonless.sh build --progress plain --frontend dockerfile.v0 \\
  --local context="$context" --local dockerfile="$recipe" @OPTIONS@ \\
  --import-cache "$cache" --export-cache "$cache,mode=max,ignore-error=true" --output "$output\"""",
    "docker": _ENGINE_BUILD,
    "dind": _ENGINE_BUILD,
    # `push` heeds the variable no more once `bud` has left a folder of another driver beside its own.
    "buildah": f"""\
STORAGE_DRIVER=${{STORAGE_DRIVER:-vfs}}
cache=$repository.{_CACHE}
again buildah bud $verify --format docker --layers --cache-from "$cache" --cache-to "$cache" \\
  --file "$recipe/Dockerfile" --tag "$image" @OPTIONS@ "$context"
for tag; do again buildah --storage-driver "$STORAGE_DRIVER" push $verify "$image" "docker://$tag"; done""",
}
_VARIABLES: Final[dict[Builder, dict[str, str]]] = {
    "buildkit": {"BUILDKITD_FLAGS": "--oci-worker-no-process-sandbox"},
    "docker": {},
    "dind": {
        DIND_IMAGE: _DIND,
        "DOCKER_HOST": "tcp://docker:2376",
        "DOCKER_TLS_CERTDIR": "/certs",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/certs/client",
    },
    "buildah": {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"},
}
