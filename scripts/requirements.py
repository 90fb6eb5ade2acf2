"""Print the requirements of pyproject.toml with the named extras, one a line, the project itself left out."""

import re
import sys
import tomllib
from pathlib import Path


def requirements(project: dict[str, list[str] | dict[str, list[str]]], extras: list[str]) -> list[str]:
    """Flatten dependencies and extras; ``skysail[a,b]`` inside an extra stands for the extras a and b."""
    optional = project["optional-dependencies"]
    wanted = list(project["dependencies"])
    queue, seen = list(extras), set()
    while queue:
        extra = queue.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in optional[extra]:
            own = re.fullmatch(r"skysail\[(.*)\]", requirement)
            if own:
                queue += own[1].split(",")
            else:
                wanted.append(requirement)
    return sorted(set(wanted))


if __name__ == "__main__":
    pyproject = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    print("\n".join(requirements(pyproject["project"], sys.argv[1:])))
