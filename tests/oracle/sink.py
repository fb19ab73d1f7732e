"""Reads what livemart has published: all tables and the bookkeeping, in one read transaction.

1. One snapshot: the marts and the positions that explain them belong to one cut, or the read itself would be the error.
2. A sink without the bookkeeping tables, or without a cut, has published nothing yet: `None`.
"""

import contextlib
import dataclasses
import datetime
import pathlib
import sqlite3

import psycopg2


@dataclasses.dataclass
class Published:
    positions: dict  # source -> records consumed of its history
    seq: int
    clock: datetime.date  # the day on which `current_date` stood
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

    def has_mart(self, select, table, schema):
        return self.has(select, table)

    def mart(self, table, schema):
        return f'"{table}"'


class Postgres:
    """Bookkeeping is in schema livemart, the tables in their models' schemas."""

    def __init__(self, connection):
        self.connection = connection

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

    def has_mart(self, select, table, schema):
        return bool(select(f"select 1 from information_schema.tables where table_schema = '{schema}' and table_name = '{table}'")[1])

    def own(self, table):
        return f"livemart.{table}"

    def has_own(self, select, table):
        return self.has_mart(select, table, "livemart")

    def mart(self, table, schema):
        return f'"{schema}"."{table}"'


def read(sink, tables, instance):
    """What is published now of `tables` (alias -> schema), or None. A missing table is left out, so that the comparison can name it."""
    if not sink.exists():
        return None
    with sink.snapshot() as select:
        if not sink.has_own(select, "cut"):
            return None
        of_instance = f"where instance = '{instance}'"
        cuts = select(f"select seq, clock from {sink.own('cut')} {of_instance}")[1]
        if not cuts:
            return None
        assert len(cuts) == 1, f"{len(cuts)} rows of instance {instance} in {sink.own('cut')}, there must be one"
        progress = select(f'select source, "partition", position from {sink.own("progress")} {of_instance}')[1]
        # a source of several tables goes by its own name, one of a single table by `source.table`
        positions = {source.split(".")[0]: position for source, _, position in progress}
        assert len(positions) == len(progress), f"each source's file has one position, {sink.own('progress')} has {progress}"
        return Published(
            positions=positions,
            seq=cuts[0][0],
            clock=datetime.date.fromisoformat(str(cuts[0][1])[:10]),
            tables={t: select(f"select * from {sink.mart(t, schema)}") for t, schema in tables.items() if sink.has_mart(select, t, schema)},
            models={m for (m,) in select(f"select model from {sink.own('models')} {of_instance}")[1]},
            tests=dict(select(f"select test, failures from {sink.own('tests')} {of_instance}")[1]),
            decode_errors=select(f"select count(*) from {sink.own('errors')} {of_instance} and kind = 'decode'")[1][0][0],
        )
