"""Groups of a member's servers that never share a host."""
