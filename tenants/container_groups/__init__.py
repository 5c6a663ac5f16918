"""Container groups of members: on record until there is a platform that runs them."""
