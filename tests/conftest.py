"""A real PostgreSQL for the tests: a cluster of their own, in a temporary folder, under an unprivileged user.

`postgres_url` is a new, empty database; `database_url` is each database in turn. Outside CI a machine without
PostgreSQL skips these tests and names the package; in CI that is a failure.
"""

from __future__ import annotations

import itertools
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

START_SECONDS = 30.0  # a loaded machine; an idle one takes less than one
QUICK = (
    "-F",
    "-c",
    "full_page_writes=off",
    "-c",
    "synchronous_commit=off",
)  # nothing here outlives the tests


@dataclass
class Cluster:
    """A PostgreSQL server of the tests' own: `start` and `stop` it as its operator would."""

    bin: Path
    folder: Path
    user: str  # whom the server runs as; empty: whoever runs the tests
    port: int = field(default_factory=lambda: _free_port())
    password: str = field(default_factory=lambda: secrets.token_hex(12))
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://frontdesk:{self.password}@127.0.0.1:{self.port}/{database}"

    def _as_user(self) -> dict[str, Any]:
        if not self.user:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def make(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password)
        if self.user:
            shutil.chown(self.folder, self.user)
            shutil.chown(secret, self.user)
        subprocess.run(
            [
                *(self.bin / "initdb", "--pgdata", self.data, "--username", "frontdesk", "--pwfile", secret),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._as_user(),
        )

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(self.bin / "postgres", "-D", self.data, "-h", "127.0.0.1", "-p", str(self.port)),
                    *("-k", "", *QUICK),
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                **self._as_user(),
            )
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.run("SELECT 1")
            except subprocess.CalledProcessError as error:
                if time.monotonic() > give_up or self.process.poll() is not None:
                    log = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL did not start:\n{log}") from error
                time.sleep(0.05)

    def stop(self) -> None:
        """End the server at once, cutting every connection; what was committed stays."""
        if self.process is None:
            return
        self.process.send_signal(2)  # SIGINT: PostgreSQL's "fast" shutdown
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def run(self, sql: str) -> None:
        """Run one statement. Raises CalledProcessError."""
        psql = [self.bin / "psql", "--no-psqlrc", "--quiet", "--dbname", self.url(), "--command", sql]
        subprocess.run(psql, check=True, capture_output=True, timeout=START_SECONDS)

    def new_database(self) -> str:
        name = f"t{next(self.numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binaries() -> Path | None:
    """The folder with initdb and postgres: the newest of Debian's, else wherever PATH finds them."""
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(installed, key=lambda path: float(path.parts[-3]), reverse=True)
    found = newest[0] if newest else shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _unprivileged() -> str:
    """initdb refuses root."""
    if os.geteuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """The server, shared by all tests; who stops it starts it again."""
    binaries = _binaries()
    if binaries is None:
        absent = "PostgreSQL is not installed: apt-get install postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(absent)
        pytest.skip(absent)
    folder = Path(tempfile.mkdtemp(prefix="frontdesk-postgres-"))  # pytest's own folders are closed to others
    cluster = Cluster(binaries, folder, _unprivileged())
    try:
        cluster.make()
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: Cluster) -> Iterator[str]:
    """A new, empty database."""
    name = postgres.new_database()
    yield postgres.url(name)
    if postgres.process:
        postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each database that the house can keep things in."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'frontdesk.sqlite3'}"


@contextmanager
def guarded() -> Iterator[BlockBuster]:
    """Any blocking call in the event loop raises; but for the lock that counts covered lines, where threads meet."""
    with blockbuster_ctx() as guard:
        guard.functions["threading.Lock.acquire"].can_block_in("coverage/collector.py", "lock_data")
        yield guard


@pytest.fixture
def nothing_blocks() -> Iterator[None]:
    """Any blocking call in the event loop fails the test."""
    with guarded() as guard:
        for name in ("os.path.abspath", "os.stat"):  # asyncpg looks for certificates in the home folder
            guard.functions[name].can_block_in("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args")
        yield
