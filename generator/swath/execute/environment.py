"""The environment variables that a service gets: an allow-list, never the caller's environment whole.

A service sees what its interface names (`secrets`), what it needs to find its hardware and its language (CUDA, locale,
time zone, thread counts), and what Swath sets (SWATH_SERVICE_DIR, SWATH_SCRATCH, the invocation's own variables). The
caller's tokens and the remote's keys stay outside. Called by every runtime; each adds what only it knows (PATH, HOME).

All lists are of whole names. A prefix would let through what others put behind it (`NVIDIA_API_KEY`, `XDG_TOKEN`).
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
    # The names of locale(7).
    "LC_ADDRESS", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_IDENTIFICATION", "LC_MEASUREMENT", "LC_MESSAGES",
    "LC_MONETARY", "LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME",
    "CUDA_CACHE_DISABLE", "CUDA_CACHE_MAXSIZE", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUDA_MODULE_LOADING",
    "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED", "SOURCE_DATE_EPOCH",
    "TF_CPP_MIN_LOG_LEVEL", "TF_CUDNN_DETERMINISTIC", "TF_DETERMINISTIC_OPS", "TF_ENABLE_ONEDNN_OPTS",
    "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_XLA_FLAGS",
    "XLA_FLAGS", "XLA_PYTHON_CLIENT_ALLOCATOR", "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_PREALLOCATE",
    # https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html, read 2026-11-28: what describes a machine
    "NCCL_ALGO", "NCCL_BUFFSIZE", "NCCL_CROSS_NIC", "NCCL_CUMEM_ENABLE", "NCCL_DEBUG", "NCCL_DEBUG_FILE",
    "NCCL_DEBUG_SUBSYS", "NCCL_IB_DISABLE", "NCCL_IB_GID_INDEX", "NCCL_IB_HCA", "NCCL_IB_RETRY_CNT", "NCCL_IB_SL",
    "NCCL_IB_TC", "NCCL_IB_TIMEOUT", "NCCL_LAUNCH_MODE", "NCCL_MAX_NCHANNELS", "NCCL_MIN_NCHANNELS", "NCCL_NET",
    "NCCL_NET_GDR_LEVEL", "NCCL_NET_PLUGIN", "NCCL_NSOCKS_PERTHREAD", "NCCL_NTHREADS", "NCCL_NVLS_ENABLE",
    "NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL", "NCCL_PROTO", "NCCL_SHM_DISABLE", "NCCL_SOCKET_FAMILY",
    "NCCL_SOCKET_IFNAME", "NCCL_SOCKET_NTHREADS", "NCCL_TOPO_FILE",
})  # fmt: skip
# Where programs on this machine keep their things, and which of its parts they may use; in a container most mean
# nothing. XDG: https://specifications.freedesktop.org/basedir-spec/0.8/, NVIDIA: its Container Toolkit's list of
# variables and cuBLAS's switch, both read 2026-11-28.
HOST_NAMES: Final = frozenset({
    "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH",
    "XDG_CACHE_HOME", "XDG_CONFIG_DIRS", "XDG_CONFIG_HOME", "XDG_DATA_DIRS", "XDG_DATA_HOME", "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "NVIDIA_DISABLE_REQUIRE", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_REQUIRE_CUDA", "NVIDIA_TF32_OVERRIDE",
    "NVIDIA_VISIBLE_DEVICES",
})  # fmt: skip
NETWORK_NAMES: Final = frozenset({
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
})  # fmt: skip
_INSTALLER_NAMES: Final = frozenset({
    "PATH", "CURL_CA_BUNDLE", "NETRC", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "SSL_CLIENT_CERT",
    "CARGO_HOME", "CC", "CFLAGS", "CXX", "CXXFLAGS", "LDFLAGS", "PKG_CONFIG_PATH", "RUSTUP_HOME",
})  # fmt: skip
# Their settings, an index and its password among them, whose names hold the index's own: UV_INDEX_<NAME>_PASSWORD.
_INSTALLER_PREFIXES: Final = ("UV_", "PIP_")
_SECRET_WORDS: Final = (
    "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "PRIVATE_KEY", "API_KEY",
    "APIKEY", "ACCESS_KEY",
)  # fmt: skip
_SECRET_ENDINGS: Final = ("_KEY", "_PAT", "_PWD", "_AUTH")


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
        chosen |= {name: value for name, value in source.items() if name in NETWORK_NAMES}
    chosen |= {name: source[name] for name in service.secrets if name in source}
    chosen |= invocation.environment
    chosen[SERVICE_DIR] = str(invocation.folder)
    chosen[SCRATCH] = str(invocation.scratch)
    chosen[VISIBLE_DEVICES] = ",".join(invocation.gpus)
    return dict(sorted(chosen.items()))


def installer_environment(source: Mapping[str, str]) -> dict[str, str]:
    """The variables of a program that installs packages: a package that is built there runs code of its own."""
    names = _INSTALLER_NAMES | HOST_NAMES | NETWORK_NAMES | _PASSED_NAMES
    return {name: value for name, value in source.items() if name in names or name.startswith(_INSTALLER_PREFIXES)}


def sounds_secret(name: str) -> bool:
    """Whether a variable of this name holds what nobody should read."""
    upper = name.upper()
    return any(word in upper for word in _SECRET_WORDS) or upper.endswith(_SECRET_ENDINGS)


def is_passed(name: str) -> bool:
    """Whether every service sees the caller's variable of this name, be it set."""
    return name in _PASSED_NAMES


def missing_secrets(invocation: Invocation, source: Mapping[str, str]) -> tuple[str, ...]:
    """The service's secrets that the caller does not have, in the order of service.yaml; for a failure's message."""
    return tuple(name for name in invocation.service.secrets if name not in source)
