"""The tables in a database are the tables that the program means."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from control_plane.model.errors import YuiError
from control_plane.store import Store
from control_plane.store.migrate import revisions
from control_plane.store.tables import metadata
from tests.postgresql import PostgreSQL
from tests.store import samples
from tests.store.test_upgrades import written_by


def test_a_new_database_gets_exactly_the_tables_that_the_code_knows(
    new_url: Callable[[], str],
) -> None:
    url = new_url()
    Store.open(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_migrations_follow_each_other_in_the_order_of_their_files() -> None:
    config = Config()
    config.set_main_option("script_location", "control_plane.store:migrations")
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert tuple(each.revision for each in reversed([*scripts.walk_revisions()])) == revisions()
    assert scripts.get_heads() == [revisions()[-1]]


@pytest.mark.long
def test_a_database_that_grew_from_the_first_yui_has_the_tables_of_a_new_one(
    new_url: Callable[[], str],
) -> None:
    new, grown = new_url(), new_url()
    Store.open(new).close()
    with written_by("0001", grown):
        pass
    Store.open(grown).close()
    assert _drawn(grown) == _drawn(new)


def _drawn(url: str) -> dict[str, list[list[str]]]:
    """Every table with all that the database says of it, in no order."""
    engine = create_engine(url)
    look = inspect(engine)
    drawn = {
        table: [
            sorted(map(str, found))
            for found in (
                look.get_columns(table),
                [look.get_pk_constraint(table)],
                look.get_foreign_keys(table),
                look.get_unique_constraints(table),
                look.get_check_constraints(table),
                look.get_indexes(table),
            )
        ]
        for table in look.get_table_names()
    }
    engine.dispose()
    return drawn


def test_opening_again_keeps_what_is_there(new_url: Callable[[], str]) -> None:
    url = new_url()
    first = Store.open(url)
    samples.furnish(first)
    first.close()
    second = Store.open(url)
    with second.read() as tx:
        assert tx.tenants() == (samples.tenant(),)
    second.close()


def test_a_database_of_a_newer_program_is_left_alone(new_url: Callable[[], str]) -> None:
    url = new_url()
    Store.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(YuiError) as refusal:
        Store.open(url)
    assert refusal.value.type == "state-too-new"
    assert "9999" in refusal.value.en
    assert refusal.value.ja.endswith("。")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"
    engine.dispose()


@pytest.mark.postgresql
def test_processes_that_open_a_new_database_at_once_all_find_it_ready(
    postgresql: PostgreSQL,
) -> None:
    url = postgresql.url()
    with ThreadPoolExecutor(6) as threads:
        stores = list(threads.map(lambda _: Store.open(url), range(6)))
    for store in stores:
        with store.read() as tx:
            assert tx.regions() == ()
        store.close()
