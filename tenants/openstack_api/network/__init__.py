"""Network v2.0: networks, the addresses in them, who reaches whom.

A member has one network of each zone in a region; its addresses are given by the sites, and each server
has one port. Security groups are the member's own in all regions.
"""
