"""Which processes can reach each other through the file system."""

import os
from pathlib import Path

__all__ = ["identity"]


def identity() -> str:
    """Equal for two processes on one host and in one mount namespace: they may meet at a Unix socket."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{os.readlink('/proc/self/ns/mnt')}"
