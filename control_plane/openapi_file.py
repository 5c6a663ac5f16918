"""The API's description as a file that vendors can read and reviews can compare: `docs/openapi.json`.

`python -m control_plane.openapi_file` writes it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from control_plane.app import Options, create_app
from control_plane.drivers.simulated import SimulatedWorld
from control_plane.store import Store
from tenants.catalogue import Catalogue

FILE = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"


def openapi_document() -> dict[str, Any]:
    """As the API gives it at `/openapi.json`."""
    with tempfile.TemporaryDirectory(prefix="yui-openapi-") as folder:
        store = Store.open(f"sqlite:///{folder}/state.db")
        try:
            return create_app(store, SimulatedWorld(), Options(Catalogue({}))).openapi()
        finally:
            store.close()


def as_text(document: dict[str, Any]) -> str:
    """A line for each value, so that a difference shows what changed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(as_text(openapi_document()), encoding="utf-8")
