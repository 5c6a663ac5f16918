"""Kubernetes: the volumes of container groups. Nothing outside this package imports its client."""
