from __future__ import annotations

Route = tuple[str, str]
"""Method and path."""
