"""What a process of ours may use, set from outside while it runs, and what it uses."""

from __future__ import annotations

import logging
import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skysail.control.schema import Resources

__all__ = ["HARD_FACTOR", "Usage", "impose", "usage"]

log = logging.getLogger(__name__)

#: Beyond a limit times this the kernel gives a process no more of it, and one is not waited for.
HARD_FACTOR = 2
_LOWEST_PRIORITY = 19
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """What a process has: resident memory and open files; nothing once it is gone."""

    memory_bytes: int = 0
    open_files: int = 0


def usage(pid: int) -> Usage:
    """What a process has now."""
    try:
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
        return Usage(resident, len(os.listdir(f"/proc/{pid}/fd")))
    except (OSError, IndexError):
        return Usage()


def impose(pid: int, wanted: Resources) -> None:
    """Has the kernel hold a process to its limits; what the system does not allow is logged.

    What is far beyond a limit is refused, which a model meets as a MemoryError or, of files, as an OSError.
    The processor is shared with others by `nice`, which every thread has for itself.
    """
    try:
        _, most = resource.prlimit(pid, resource.RLIMIT_DATA)
        memory = HARD_FACTOR * (wanted.memory_mib << 20) or most
        if most != resource.RLIM_INFINITY:
            memory = min(memory, most)
        resource.prlimit(pid, resource.RLIMIT_DATA, (memory, most))
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        files = HARD_FACTOR * wanted.open_files or resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if files > most:
            log.warning("process %d may have %d open files at most, not %d", pid, most, files)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(files, most), most))
        nice = min(_LOWEST_PRIORITY, os.getpriority(os.PRIO_PROCESS, 0) + wanted.nice)
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(ProcessLookupError):
                if os.getpriority(os.PRIO_PROCESS, int(thread)) != nice:
                    os.setpriority(os.PRIO_PROCESS, int(thread), nice)
    except PermissionError as error:
        log.warning("the limits of process %d hold for those that are started from now on: %s", pid, error)
    except OSError:
        return  # it has ended
