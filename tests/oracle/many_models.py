"""Many queries as models of one dbt project over one source, and PostgreSQL as their judge.

      name -> SQL, tables as `@name@` ──> models/name.sql ──livemart run over the first lines──> published tables, errors
                                     └──> the same SQL on PostgreSQL, over the rows that the same lines leave

1. A project is one process's work; every run goes on from the run before it.
2. A model that livemart refuses is left out with its reason, and the others go on.
3. The sink is PostgreSQL: SQLite keeps numerics to 15 digits only. Every project publishes into a schema of its own.
"""

import json
import pathlib
import re
import shutil
import subprocess
import urllib.parse

import psycopg2
import psycopg2.extras

import compare
import sink as sinks

KINDS = {16: "boolean", 20: "integer", 21: "integer", 23: "integer", 25: "text", 701: "double", 1043: "text", 1082: "date", 1114: "timestamp", 1700: "numeric"}
RUN_SECONDS_MAX = 300
REFUSED = re.compile(r"Compilation Error in model (\w+) .*\n\s*(.*)")


class Crashed(Exception):
    """livemart ended in a way that no query may cause."""


class Refused(Exception):
    """A judge does not run the query."""


class Postgres:
    name = "PostgreSQL"

    def __init__(self, connection, tables):
        self.where, self.tables = connection, tables  # psycopg2's keywords; name -> Table
        self.connection = psycopg2.connect(**connection)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.cursor.execute("set timezone = 'UTC'; set statement_timeout = '20s'; set jit = off")
        for statement in declarations(tables):
            self.cursor.execute(statement)

    def load(self, inputs):
        for name, table in self.tables.items():
            self.cursor.execute(f"truncate {table.schema}.{name}")
            if rows := inputs.rows(name):
                psycopg2.extras.execute_values(self.cursor, f"insert into {table.schema}.{name} values %s", rows, page_size=1000)

    def answer(self, sql):
        try:
            self.cursor.execute(on_database(sql, self.tables))
        except psycopg2.Error as error:
            raise Refused(str(error).split("\n")[0]) from None
        kinds = [KINDS.get(d.type_code, f"type {d.type_code}") for d in self.cursor.description]
        return compare.Relation([d.name for d in self.cursor.description], kinds, self.cursor.fetchall())


class Models:
    """One dbt project of many queries over the tables of one source, kept by livemart from cut to cut."""

    def __init__(self, binary, folder, connection, tables, queries):
        self.binary, self.folder, self.queries = binary, pathlib.Path(folder), dict(queries)  # name -> SQL
        self.schema = next(iter(tables.values())).schema
        self.connection, self.instance = connection, self.folder.name
        self.refused = {}  # name -> reason
        models = self.folder / "models"
        models.mkdir(parents=True)
        declared = [{"name": t.name, "columns": [{"name": c, "data_type": k} for c, k in t.columns.items()]} for t in tables.values()]
        source = {"connector": "file", "path": str(self.folder / "changes.jsonl"), "format": "json", "envelope": "debezium"}
        keys = {f"{t.schema}.{t.name}": {"key": list(t.key)} for t in tables.values() if t.key}
        password = ":" + urllib.parse.quote(connection["password"], safe="") if "password" in connection else ""
        sink = {"type": "postgres", "url": "postgres://{user}{0}@{host}:{port}/{dbname}".format(password, **connection), "schema": self.instance}
        output = {"type": "postgres", "host": "localhost", "port": 5432, "user": "nobody", "password": "", "dbname": "nobody", "schema": self.instance, "threads": 1}
        for name, content in {
            "dbt_project.yml": {"name": self.instance, "version": "1.0", "profile": "many_models", "models": {self.instance: {"+materialized": "table"}}},
            "profiles.yml": {"many_models": {"target": "dev", "outputs": {"dev": output}}},
            "livemart.yml": {"targets": {"dev": {"sources": {self.schema: source, **keys}, "sink": sink, "clock": {"mode": "event"}}}},
            "models/sources.yml": {"sources": [{"name": self.schema, "schema": self.schema, "tables": declared}]},
        }.items():
            (self.folder / name).write_text(json.dumps(content))  # JSON is YAML
        for name, sql in self.queries.items():
            (models / f"{name}.sql").write_text(re.sub(r"@(\w+)@", rf"{{{{ source('{self.schema}', '\1') }}}}", sql))

    def run(self, lines):
        """The published tables over these lines, by query, and the errors that livemart set aside."""
        (self.folder / "changes.jsonl").write_text("".join(line + "\n" for line in lines))
        while True:
            command = [self.binary, "run", "-t", "dev", "--project-dir", str(self.folder)]
            try:
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                raise Crashed(f"livemart run takes more than {RUN_SECONDS_MAX} s") from None
            if "panicked at" in done.stdout:
                raise Crashed(f"livemart run ended with exit code {done.returncode}:\n{done.stdout[done.stdout.index('panicked at') - 40 :][:1500]}")
            if done.returncode == 0:
                break
            found = REFUSED.search(done.stdout)
            if not found or found[1] not in self.queries:
                raise Crashed(f"livemart run ended with exit code {done.returncode}:\n{done.stdout[:2000]}")
            self.leave_out(found[1], found[2].strip())
        return self.published() if self.queries else ({}, [])

    def leave_out(self, name, reason):
        """Also leaves out what reads it."""
        self.refused[name] = reason
        del self.queries[name]
        (self.folder / "models" / f"{name}.sql").unlink()
        for reader in [n for n, sql in self.queries.items() if f"ref('{name}')" in sql]:
            if reader in self.queries:
                self.leave_out(reader, f"it reads {name}: {reason}")

    def published(self):
        sink = sinks.Postgres(self.connection)
        with sink.snapshot() as select:
            tables = {name: select(f"select * from {sink.mart(name, self.instance)}") for name in self.queries if sink.has_mart(select, name, self.instance)}
            columns, errors = select(f"select * from {sink.own('errors')} where instance = '{self.instance}.dev'")
            # Where a query shows now() the clock moves in ticks, so what it is is read here.
            self.clock = select(f"select clock at time zone 'UTC' from {sink.own('cut')} where instance = '{self.instance}.dev'")[1][0][0]
        return tables, [dict(zip(columns, row)) for row in errors]

    def drop(self):
        connection = psycopg2.connect(**self.connection)
        connection.autocommit = True
        connection.cursor().execute(f'drop schema if exists "{self.instance}" cascade')
        connection.close()
        shutil.rmtree(self.folder)


def declarations(tables):
    schemas = sorted({t.schema for t in tables.values()})
    return [f"create schema {s}" for s in schemas] + [f"create table {t.schema}.{t.name} ({', '.join(f'{c} {k}' for c, k in t.columns.items())})" for t in tables.values()]


def on_database(sql, tables):
    return re.sub(r"@(\w+)@", lambda found: f"{tables[found[1]].schema}.{found[1]}", sql)
