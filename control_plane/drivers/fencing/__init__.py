"""How it is proved that a host can no longer write: by its BMC or its storage lease.

Nothing here decides that a host is dead. A fence either returns evidence or raises FenceFailed with
one sentence, and may be tried again. The fence by BMC is in `fencing.redfish`, apart from these since
its client takes long to load; a person's word is a value of the model.
"""

from control_plane.drivers.fencing.lease import LeaseChannel, LeaseFencer
from control_plane.drivers.fencing.lease_record import LeaseRecord
from control_plane.drivers.fencing.lease_watch import LeaseUnreadable, LeaseWatch
from control_plane.drivers.fencing.secret_refs import SecretUnavailable, read_secret

__all__ = [
    "LeaseChannel",
    "LeaseFencer",
    "LeaseRecord",
    "LeaseUnreadable",
    "LeaseWatch",
    "SecretUnavailable",
    "read_secret",
]
