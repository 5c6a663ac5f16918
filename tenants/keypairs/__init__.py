"""Keys by which a member's people get into the servers that they make."""
