"""What runs on every host beside its hypervisor: the keeper of its lease on shared storage."""
