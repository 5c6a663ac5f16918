"""Backups: where they lie, what is written there, and how it comes back."""
