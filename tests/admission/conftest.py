"""Admissions are tried on the same two databases as the store."""

from tests.store.conftest import new_url, postgresql_store, store

__all__ = ["new_url", "postgresql_store", "store"]
