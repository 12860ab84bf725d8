"""Runs a service as its child, and lets nothing of it stay. A program of its own: `python -I -S supervisor.py WORD...`.

It is the "subreaper" of all that the service starts: a process whose parent has ended becomes its child, in whatever
session or group it is. So when the service has ended, whoever is left is found below it and killed, before Swath looks
at the outputs. After SIGTERM, which Swath sends to the whole group, it leaves them to Swath, which gives them time; but
not for ever, since a service may send it too (`kill 0`).

It ends as the service ended: with its code, or by its signal. Stdin is the guard's pipe (`guard.py`). Only the smallest
modules are loaded, so that it starts in milliseconds; it imports nothing of Swath.

Source: prctl(2) PR_SET_CHILD_SUBREAPER, Linux 3.4; proc_tid_children(5), read 2026-11-28.
"""

import _ctypes  # `ctypes` takes longer than all the rest
import _signal  # type: ignore[import-not-found]  # and so does `signal`
import errno
import os
import sys
import time

SUBREAPER = 36
LEFT_TO_SWATH_S = 15.0  # Swath gives 10
SWEEP_S = 5.0  # a process that waits for a device cannot be killed
PAUSE_S = 0.002
IGNORED_BY_PYTHON = (_signal.SIGPIPE, _signal.SIGXFSZ)
NOT_FOUND, NOT_STARTED = 127, 126  # as a shell says it


def become_subreaper() -> None:
    """Be the parent of all processes below that lose theirs."""
    prctl = _ctypes.dlsym(_ctypes.dlopen(None, 2), "prctl")  # type: ignore[arg-type]  # None: this program itself
    _ctypes.call_function(prctl, (SUBREAPER, 1, 0, 0, 0))


def environment() -> dict[bytes, bytes]:
    """The variables as they were given: Python may have set one for its own locale."""
    with open("/proc/self/environ", "rb") as file:
        pairs = (pair.partition(b"=") for pair in file.read().split(b"\0"))
        return {name: value for name, sign, value in pairs if sign}


def spawn(words: list[str]) -> int:
    """Start the service; its process id."""
    variables = environment()
    os.environ["PATH"] = os.fsdecode(variables.get(b"PATH", os.fsencode(os.defpath)))
    try:
        return os.posix_spawnp(words[0], words, variables, setsigdef=IGNORED_BY_PYTHON)
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        script = ["/bin/sh", *words]  # as a shell does with a file that names no interpreter
        return os.posix_spawn(script[0], script, variables, setsigdef=IGNORED_BY_PYTHON)


def below(pid: int) -> list[int]:
    """All processes below one, parents first, as far as they can be seen while they come and go."""
    found = []
    waiting = [pid]  # no recursion: they may lie thousands below each other
    while waiting:
        each = waiting.pop()
        children = children_of(each)
        found += children
        waiting += children
    return found


def children_of(pid: int) -> list[int]:
    """The children of a process, of all its threads."""
    found = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += [int(word) for word in file.read().split()]
        except OSError:
            continue
    return found


def reap() -> bool:
    """Take the exits of who has ended; whether somebody is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def wait_for_all() -> None:
    """Wait until nobody is left, for some time."""
    until = time.monotonic() + LEFT_TO_SWATH_S
    while reap() and time.monotonic() < until:
        time.sleep(PAUSE_S * 10)


def sweep() -> None:
    """Kill whoever is left, and wait until they are gone."""
    until = time.monotonic() + SWEEP_S
    while reap() and time.monotonic() < until:
        for pid in below(os.getpid()):
            try:
                os.kill(pid, _signal.SIGKILL)
            except OSError:
                continue
        time.sleep(PAUSE_S)


def end_as(status: int) -> None:
    """End as the service has ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != _signal.SIGKILL:
            _signal.signal(number, _signal.SIG_DFL)
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the service's own is there
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128)


def main(words: list[str]) -> None:
    """Run the service to its end."""
    told: list[int] = []
    for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP):
        _signal.signal(number, lambda *_: told.append(1))
    os.write(0, b"+%d\n" % os.getpid())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # whoever holds the pipe keeps the guard waiting
    try:  # the system's killer for lack of memory shall take the service before it takes Swath
        with open("/proc/self/oom_score_adj", "wb") as file:
            file.write(b"500")
    except OSError:
        pass
    become_subreaper()
    try:
        service = spawn(words)
    except OSError as error:
        os.write(2, os.fsencode(f"swath: cannot start {words[0]}: {error.strerror}\n"))
        os._exit(NOT_FOUND if error.errno == errno.ENOENT else NOT_STARTED)
    pid, status = 0, 0
    while pid != service:
        pid, status = os.wait()
    if told:
        wait_for_all()
    sweep()
    end_as(status)


if __name__ == "__main__":
    main(sys.argv[1:])
