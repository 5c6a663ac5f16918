"""Decides and records in one transaction: nothing is promised that another change could break.

Placement is pure: it answers from one ledger. Here that answer is committed together with the
generations of every host, storage pool and region description that it was read from, so that of two
control planes which decide at once, one is told to decide again.
"""

from control_plane.admission.admit import Admitted, admit
from control_plane.admission.certify import certify
from control_plane.admission.guarantee import Guaranteed, guarantee
from control_plane.admission.move import Moved, move
from control_plane.admission.new_server import NewServer
from control_plane.admission.reclaim import Reclaimed, ReclaimWish, ask_back, carry_out
from control_plane.admission.refusal import no_room
from control_plane.admission.resize import Resized, resize
from control_plane.admission.shelving import Unshelved, shelve, unshelve

__all__ = [
    "Admitted",
    "Guaranteed",
    "Moved",
    "NewServer",
    "ReclaimWish",
    "Reclaimed",
    "Resized",
    "Unshelved",
    "admit",
    "ask_back",
    "carry_out",
    "certify",
    "guarantee",
    "move",
    "no_room",
    "resize",
    "shelve",
    "unshelve",
]
