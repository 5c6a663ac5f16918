"""Members' networks: who reaches whom, what one member offers another, and whether hosts have made it so."""
