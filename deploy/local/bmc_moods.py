"""What makes a local pool's BMC misbehave: a file named like its host, in the folder `MOODS`.

The process that serves the BMCs reads it at each request; whoever lets a site lose its power writes it.
"""

from __future__ import annotations

MOODS = "moods"
DEAD = "dead"
"""It breaks every connection off."""
MUTE = "mute"
"""It takes requests and never answers."""
