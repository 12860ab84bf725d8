"""The environment variables that a service gets: an allow-list, never the caller's environment whole.

A service sees what its interface names (`secrets`), what it needs to find its hardware and its language (CUDA, locale,
time zone, thread counts), and what Swath sets (SWATH_SERVICE_DIR, SWATH_SCRATCH, the invocation's own variables). The
caller's tokens and the remote's keys stay outside. Called by every runtime; each adds what only it knows (PATH, HOME).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swath.model.invocation import Invocation

SERVICE_DIR: Final = "SWATH_SERVICE_DIR"
SCRATCH: Final = "SWATH_SCRATCH"
VISIBLE_DEVICES: Final = "CUDA_VISIBLE_DEVICES"

_PASSED_NAMES: Final = frozenset({
    "LANG", "LANGUAGE", "TZ",
    "CUDA_CACHE_DISABLE", "CUDA_CACHE_MAXSIZE", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUDA_MODULE_LOADING",
    "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED", "SOURCE_DATE_EPOCH",
    "TF_CPP_MIN_LOG_LEVEL", "TF_CUDNN_DETERMINISTIC", "TF_DETERMINISTIC_OPS", "TF_ENABLE_ONEDNN_OPTS",
    "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_XLA_FLAGS",
})  # fmt: skip
_PASSED_PREFIXES: Final = ("LC_", "NCCL_", "XLA_")
_NETWORK_NAMES: Final = frozenset({
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
})  # fmt: skip
_SECRET_WORDS: Final = ("TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "PRIVATE_KEY", "API_KEY", "ACCESS_KEY")


def service_environment(invocation: Invocation, source: Mapping[str, str]) -> dict[str, str]:
    """The variables that a service may see, without PATH and HOME, which are the runtime's.

    SWATH_SERVICE_DIR and SWATH_SCRATCH hold this machine's paths; a runtime in which the service sees other paths sets
    them anew. CUDA_VISIBLE_DEVICES holds exactly the given GPUs, and is empty without any.

    Args:
        invocation: what runs.
        source: the caller's environment, read once at the edge.

    Returns:
        Name and value, sorted by name. A secret that the caller does not have is absent.
    """
    service = invocation.service
    chosen = {name: value for name, value in source.items() if is_passed(name)}
    if service.network:
        chosen |= {name: value for name, value in source.items() if name in _NETWORK_NAMES}
    chosen |= {name: source[name] for name in service.secrets if name in source}
    chosen |= invocation.environment
    chosen[SERVICE_DIR] = str(invocation.folder)
    chosen[SCRATCH] = str(invocation.scratch)
    chosen[VISIBLE_DEVICES] = ",".join(str(number) for number in invocation.gpus)
    return dict(sorted(chosen.items()))


def sounds_secret(name: str) -> bool:
    """Whether a variable of this name holds what nobody should read."""
    return any(word in name.upper() for word in _SECRET_WORDS)


def is_passed(name: str) -> bool:
    """Whether every service sees the caller's variable of this name, be it set."""
    if sounds_secret(name):
        return False
    return name in _PASSED_NAMES or name.startswith(_PASSED_PREFIXES)


def missing_secrets(invocation: Invocation, source: Mapping[str, str]) -> tuple[str, ...]:
    """The service's secrets that the caller does not have, in the order of service.yaml; for a failure's message."""
    return tuple(name for name in invocation.service.secrets if name not in source)
