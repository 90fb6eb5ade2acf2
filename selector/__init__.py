"""The selector: chooses model and version for a call."""

from skysail.selector.service import SelectorService, main

__all__ = ["SelectorService", "main"]
