"""The steps in and out that a member sees, by name."""

from __future__ import annotations

from typing import Literal

Unit = Literal["steps", "servers", "bytes"]
StepName = Literal[
    "approved",
    "built",
    "connected",
    "hosted",
    "stopped",
    "exported",
    "described",
    "confirmed",
    "removed",
    "left",
]
