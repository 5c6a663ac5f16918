"""Yui's control plane: the part that decides, remembers and repairs."""
