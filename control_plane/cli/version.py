"""`yui version`."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import typer

from control_plane.cli.session import session_of


def version(context: typer.Context) -> None:
    """Print the version of this yui."""
    try:
        number = installed("yui")
    except PackageNotFoundError:
        number = "unknown"
    session = session_of(context)
    if session.screen.json:
        session.screen.data({"version": number})
    else:
        session.screen.line(f"yui {number}")
