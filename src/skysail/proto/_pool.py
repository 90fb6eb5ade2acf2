"""The descriptor pool that Skysail's generated messages live in.

Protobuf allows a message name once in a pool. Every client of the Open Inference Protocol registers the same
names (``inference.ModelInferRequest``) in the process-wide default pool, so that two of them could not be
imported together. Skysail's messages therefore have a pool of their own.
"""

from __future__ import annotations

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

POOL = DescriptorPool()


def include(file: FileDescriptor) -> None:
    """Add a file of another pool, and what it imports, so that server reflection on POOL can describe it."""
    for dependency in file.dependencies:
        include(dependency)
    POOL.AddSerializedFile(file.serialized_pb)
