"""Members of the consortium: their catalogue, how they join, and the servers they run."""
