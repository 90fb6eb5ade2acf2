"""Every number that Skysail promises, as a row: one module a subject."""

from benchmarks.experiment import Experiment
from benchmarks.rows import cache, controller, idle, mesh, models, net, overload, rollback, tracing

EXPERIMENTS: tuple[Experiment, ...] = (
    *net.EXPERIMENTS,
    *mesh.EXPERIMENTS,
    *models.EXPERIMENTS,
    *cache.EXPERIMENTS,
    *overload.EXPERIMENTS,
    *rollback.EXPERIMENTS,
    *controller.EXPERIMENTS,
    *tracing.EXPERIMENTS,
    *idle.EXPERIMENTS,
)

__all__ = ["EXPERIMENTS"]
