"""The Python container: loads a model and serves it as a replica; one small adapter per framework."""

from skysail.model_servers.adapter import Adapter, Source, Stated

__all__ = ["Adapter", "Source", "Stated"]
