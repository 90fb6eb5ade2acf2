"""Which versions keep their replicas when the calls have left them. A pure function.

A version that is loaded and warm can be gone back to by changing the route alone, at once. It costs the
memory of its replicas, so a model states how many such versions it keeps (`Model.keep_warm`).
"""

from collections.abc import Mapping

from skysail.control.schema import VersionTarget

__all__ = ["rested"]


def rested(
    before: Mapping[str, VersionTarget], after: Mapping[str, VersionTarget], *, keep: int
) -> dict[str, VersionTarget]:
    """What is wanted of each version once calls go by `after` alone.

    Those that lost their calls stay warm first, the one that had the most before the others; then those that
    were warm without any, the one that was deployed last first. What is beyond `keep` gets no replica.
    """
    lost = sorted(
        (name for name in after if name in before and before[name].weight > 0),
        key=lambda name: -before[name].weight,
    )
    ranked = [
        name
        for name in dict.fromkeys([*lost, *reversed(list(after))])
        if after[name].weight == 0 and after[name].replicas > 0
    ]
    stopped = set(ranked[keep:])
    return {
        name: VersionTarget(weight=0.0, replicas=0) if name in stopped else target
        for name, target in after.items()
    }
