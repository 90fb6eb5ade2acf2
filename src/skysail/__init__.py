"""Skysail serves predictions from many models behind one address."""

__version__ = "0.1.0"

__all__ = ["__version__"]
