"""Generated protobuf code (``make proto``) and the descriptor pool that holds it."""

from skysail.proto._pool import POOL, include

__all__ = ["POOL", "include"]
