"""Makes what runs agree with what is wanted, and brings servers back when a host dies.

The life of one dead host: `detection` makes it suspect, then confirmed; `fencing` obtains evidence
that it can't write; `failure` tells what took it, such as its rack's power, and `evacuation` executes
the certificate for that; `convergence` finds that its servers run nowhere, and `errands` start them at
their refuges by tier; `certification` proves the pool anew; when the host returns, `cleaning` empties
it. `controller` walks these steps once per tick. Nothing is remembered between ticks but what only
makes things slower when lost.
"""

from control_plane.reconcile.controller import Controller, TickReport
from control_plane.reconcile.timings import Timings

__all__ = ["Controller", "TickReport", "Timings"]
