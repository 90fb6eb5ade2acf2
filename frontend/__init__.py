"""The frontend: the address that clients call; maps a name to its application and answers in its time."""

from skysail.frontend.fused import FusedService
from skysail.frontend.main import main
from skysail.frontend.service import FrontendService

__all__ = ["FrontendService", "FusedService", "main"]
