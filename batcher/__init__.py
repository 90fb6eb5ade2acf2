"""The batcher: prediction cache and adaptive batching in front of the replicas."""

from skysail.batcher.service import BatcherService, main

__all__ = ["BatcherService", "main"]
