"""Image v2 (Glance): the catalogue and members' own images; what is still to come is a queued image."""
