"""Kubernetes: the volumes of container groups. Nothing outside this package imports its client."""

from control_plane.drivers.kubernetes.volumes import KubernetesVolumes, Platform

__all__ = ["KubernetesVolumes", "Platform"]
