"""A planner's refusal as the error that a person reads."""

from __future__ import annotations

from control_plane.model.errors import YuiError
from control_plane.placement import Refusal


def no_room(refusal: Refusal) -> YuiError:
    """409 `no-room`: which failure, which workload, which resource, the nearest host, how much it
    lacks, and whether that is proved or only not found in time."""
    return YuiError(
        "no-room",
        en=refusal.explain_en(),
        ja=refusal.explain_ja(),
        status=409,
        fields={
            "failure": None if refusal.failure is None else str(refusal.failure),
            "workload": refusal.workload,
            "resource": str(refusal.resource),
            "nearest": refusal.nearest,
            "shortfall": refusal.shortfall,
            "unit": refusal.unit,
            "proof": str(refusal.proof),
            "role": str(refusal.role),
            "remedies": [
                {"en": remedy.explain_en(), "ja": remedy.explain_ja()}
                for remedy in refusal.remedies
            ],
        },
    )
