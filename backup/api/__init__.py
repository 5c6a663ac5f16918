"""Backups over HTTP: what is asked for becomes a record, which the worker carries out."""
