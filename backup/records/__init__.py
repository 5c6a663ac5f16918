"""Backups on record: what is due, and what the worker that carries it out writes down of it.

All functions take a transaction and a moment, decide by what stands there, and touch no repository."""
