"""Compute v2.1: a member's servers of one region, and what they are made from."""
