"""A PostgreSQL cluster of the tests' own, which vanishes with them: one for all who test at once.

It listens on a unix socket in a temporary folder and nowhere else.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg

_UNPRIVILEGED = ("postgres", "nobody")


class NoPostgreSQL(Exception):
    """Says in a sentence why no cluster can be had here."""


@dataclass
class PostgreSQL:
    """A running cluster. `url` makes an empty database and names it for Store.open."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def url(self) -> str:
        name = f"yui_{os.getpid()}_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://yui@/{name}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """As the cluster's superuser, outside any transaction."""
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(statement.encode())

    @property
    def _conninfo(self) -> str:
        return f"host={self.folder} user=yui dbname=postgres"


@contextmanager
def running_postgresql(shared: Path) -> Iterator[PostgreSQL]:
    """The same cluster for all processes that name the same folder at the same time: whoever comes first
    starts it, and it ends with the last of them, also where they are killed. Raises NoPostgreSQL where
    the programs or the rights are missing."""
    with (shared / "postgresql-users").open("w") as users:
        # What is forked from a test may outlive it.
        os.register_at_fork(after_in_child=users.close)
        with (shared / "postgresql-starts").open("a+") as starts:
            fcntl.flock(starts, fcntl.LOCK_EX)
            # Waits where the cluster of those who have gone just ends.
            fcntl.flock(users, fcntl.LOCK_SH)
            starts.seek(0)
            cluster = PostgreSQL(Path(starts.read() or shared / "none"))
            if not cluster.folder.exists():
                cluster = _started(shared / "postgresql-users")
                starts.truncate(0)
                starts.write(str(cluster.folder))
        yield cluster


_UNTIL_NOBODY_USES_IT = """
users=$1 folder=$2
shift 2
"$@" &
exec 9< "$users"
flock 9
# SIGQUIT is PostgreSQL's immediate shutdown.
kill -QUIT $!
wait
rm -rf "$folder"
"""


def _started(users: Path) -> PostgreSQL:
    """Ends once nobody holds a lock on the file `users` any more."""
    programs = _programs()
    become = _unprivileged()
    # Where the other files of tests lie, which may be memory.
    beside = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    folder = Path(tempfile.mkdtemp(prefix="yui-postgresql-", dir=beside))
    try:
        if become is not None:
            os.chown(folder, become.pw_uid, become.pw_gid)
        data = folder / "data"
        subprocess.run(
            [
                *_as(become),
                str(programs / "initdb"),
                *("-D", str(data), "-U", "yui", "-A", "trust", "-E", "UTF8"),
                *("--no-locale", "--no-sync"),
            ],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            "fsync": "off",
            "synchronous_commit": "off",
            "max_connections": "200",
            "shared_buffers": "32MB",
            "log_min_messages": "fatal",
        }
        subprocess.Popen(
            [
                *("sh", "-c", _UNTIL_NOBODY_USES_IT, "sh", str(users), str(folder)),
                *_as(become, "--pdeathsig", "QUIT"),
                str(programs / "postgres"),
                *("-D", str(data)),
                *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=(folder / "log").open("wb"),
            # What interrupts the tests leaves it the time to clean up.
            start_new_session=True,
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    cluster = PostgreSQL(folder)
    _wait_until_it_answers(cluster)
    return cluster


def somebody_waits_for_a_lock(url: str) -> bool:
    """True while a connection to that database waits for another."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return found.fetchone() is not None


def _programs() -> Path:
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).parent
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4])
    )
    if not found:
        raise NoPostgreSQL("PostgreSQL's server programs are not installed (apt: postgresql)")
    return found[-1].parent


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to become, since PostgreSQL refuses to run as root; None where one is not root."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgreSQL("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _as(user: pwd.struct_passwd | None, *options: str) -> list[str]:
    for program in ("setpriv", "flock"):
        if shutil.which(program) is None:
            raise NoPostgreSQL(f"the program {program} is missing (apt: util-linux)")
    identity = (
        []
        if user is None
        else [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    )
    return ["setpriv", *identity, *options]


def _wait_until_it_answers(cluster: PostgreSQL) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            cluster.execute("SELECT 1")
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                log = (cluster.folder / "log").read_text(errors="replace")
                raise NoPostgreSQL(f"PostgreSQL did not start: {log[-500:]}") from None
            time.sleep(0.05)
        else:
            return
