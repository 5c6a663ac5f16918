"""`yui`, the command line of the control plane: a client of its HTTP API for people and programs."""
