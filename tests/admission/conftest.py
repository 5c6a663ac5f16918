"""Admissions are tried on the same two databases as the store."""

from tests.store.conftest import emptied, new_file, postgresql_store, postgresql_url, store

__all__ = ["emptied", "new_file", "postgresql_store", "postgresql_url", "store"]
