"""Reads what livemart has published: all tables and the bookkeeping, in one read transaction.

1. One snapshot: the marts and the positions that explain them belong to one cut, or the read itself would be the error.
2. A sink without the bookkeeping tables, or without a cut, has published nothing yet: `None`.
"""

import contextlib
import dataclasses
import pathlib
import sqlite3

import psycopg2


@dataclasses.dataclass
class Published:
    position: int  # records consumed of the history
    seq: int
    tables: dict  # name -> (columns, rows)
    models: set  # what livemart says is deployed
    tests: dict  # test -> failures
    decode_errors: int


class Sqlite:
    """Bookkeeping has the prefix livemart_; tables are named by their alias."""

    def __init__(self, path, schema=None):
        self.path = pathlib.Path(path)

    @contextlib.contextmanager
    def snapshot(self):
        connection = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=30)
        try:
            connection.execute("begin")

            def select(statement):
                cursor = connection.execute(statement)
                return [d[0] for d in cursor.description], cursor.fetchall()

            yield select
        finally:
            connection.close()

    def exists(self):
        return self.path.exists()

    def has(self, select, table):
        return bool(select(f"select 1 from sqlite_master where type = 'table' and name = '{table}'")[1])

    def own(self, table):
        return f"livemart_{table}"

    def has_own(self, select, table):
        return self.has(select, self.own(table))

    def mart(self, table):
        return f'"{table}"'


class Postgres:
    """Bookkeeping is in schema livemart, the tables in the target's schema."""

    def __init__(self, connection, schema):
        self.connection, self.schema = connection, schema

    @contextlib.contextmanager
    def snapshot(self):
        connection = psycopg2.connect(**self.connection)
        try:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            cursor = connection.cursor()

            def select(statement):
                cursor.execute(statement)
                return [d[0] for d in cursor.description], cursor.fetchall()

            yield select
        finally:
            connection.close()

    def exists(self):
        return True

    def has(self, select, table, schema=None):
        return bool(select(f"select 1 from information_schema.tables where table_schema = '{schema or self.schema}' and table_name = '{table}'")[1])

    def own(self, table):
        return f"livemart.{table}"

    def has_own(self, select, table):
        return self.has(select, table, "livemart")

    def mart(self, table):
        return f'"{self.schema}"."{table}"'


def read(sink, tables, instance):
    """What is published now, or None. A missing table is left out, so that the comparison can name it."""
    if not sink.exists():
        return None
    with sink.snapshot() as select:
        if not sink.has_own(select, "cut"):
            return None
        of_instance = f"where instance = '{instance}'"
        cuts = select(f"select seq from {sink.own('cut')} {of_instance}")[1]
        if not cuts:
            return None
        assert len(cuts) == 1, f"{len(cuts)} rows of instance {instance} in {sink.own('cut')}, there must be one"
        progress = select(f'select source, "partition", position from {sink.own("progress")} {of_instance}')[1]
        assert len(progress) <= 1, f"one shared file has one position, {sink.own('progress')} has {progress}"
        assert all(source == "raw_data" for source, _, _ in progress), f"the shared file's source is raw_data, not {progress}"
        return Published(
            position=progress[0][2] if progress else 0,
            seq=cuts[0][0],
            tables={t: select(f"select * from {sink.mart(t)}") for t in tables if sink.has(select, t)},
            models={m for (m,) in select(f"select model from {sink.own('models')} {of_instance}")[1]},
            tests=dict(select(f"select test, failures from {sink.own('tests')} {of_instance}")[1]),
            decode_errors=select(f"select count(*) from {sink.own('errors')} {of_instance} and kind = 'decode'")[1][0][0],
        )
