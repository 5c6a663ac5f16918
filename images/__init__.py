"""Disk images: the recipes that build them, and the catalogue that knows where each came from."""
