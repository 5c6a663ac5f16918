"""Fresh states of the store's tests, on both databases."""

from tests.store.conftest import (  # noqa: F401
    emptied,
    new_file,
    postgresql_url,
)
