"""Tries an artefact in a process of its own and says what it is.

A deployment runs this before it writes any configuration, so a model that cannot be loaded changes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from skysail.control.errors import SkysailError
from skysail.control.signature_text import parse_tensor
from skysail.model_servers.adapter import Stated
from skysail.model_servers.frameworks import loader_of, parse_source
from skysail.model_servers.loading import load_model

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Reports loader, path, class and signature, or kind and error, as JSON; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--input", action="append", default=[])
    parser.add_argument("--output", action="append", default=[])
    parser.add_argument("--report", type=Path, required=True, help="apart from what the model's code prints")
    options = parser.parse_args(argv)
    try:
        source = parse_source(options.path, options.data)
        stated = Stated(
            tuple(map(parse_tensor, options.input)),
            tuple(map(parse_tensor, options.output)),
        )
        signature = load_model(source, stated).signature
    except SkysailError as error:
        options.report.write_text(json.dumps({"kind": error.kind.value, "error": str(error)}))
        return 1
    report = {
        "loader": loader_of(source),
        "path": str(source.path.absolute()),
        "class": source.class_name,
        "signature": json.loads(signature.encode()),
    }
    options.report.write_text(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
