"""Skysail serves predictions from many models behind one address.

``Client`` calls a frontend and returns a ``Prediction`` or raises a ``SkysailError``. The services, the
command line and the native parts are packages of their own below this one.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skysail.client import Client, Prediction, SkysailError

__version__ = "0.1.0"

__all__ = ["Client", "Prediction", "SkysailError", "__version__"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load the client when it is first asked for: services and tools do not pay for what it imports."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from skysail import client

        globals()[name] = value = getattr(client, name)
        return value

    def __dir__() -> list[str]:
        """Every name, those that are not loaded yet included."""
        return sorted({*globals(), *__all__})
