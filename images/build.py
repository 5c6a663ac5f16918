"""`python -m images.build tiny DIRECTORY` builds an image from its recipe and says what came out."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from control_plane.model.errors import YuiError
from images.tiny_guest import BuiltImage, build_tiny

__all__ = ["BuiltImage", "build_tiny", "main"]

_RECIPES = {"tiny": build_tiny}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m images.build", description=__doc__)
    parser.add_argument("recipe", choices=sorted(_RECIPES))
    parser.add_argument("directory", type=Path, help="where the image is kept, such as var/images")
    wanted = parser.parse_args(arguments)
    try:
        image = _RECIPES[wanted.recipe](wanted.directory)
    except YuiError as mistake:
        print(mistake.en, mistake.ja, sep="\n", file=sys.stderr)
        return 1
    print(json.dumps(asdict(image), default=str, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
