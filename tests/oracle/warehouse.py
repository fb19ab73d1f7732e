"""The reference's other half: real dbt, and its compiled SQL run on PostgreSQL and DuckDB over given input tables.

      copy of the project ──dbt compile, once──> manifest ──> per cut: load inputs, create every model in order ──> Relations
                                                        └──> per cut: run every test's SQL ──> failure counts

1. The project is copied; nothing is written beside the original.
2. Inputs are created with the types that the project declares for its sources, never with guessed ones.
3. `build` runs dbt itself over the inputs that are loaded: it proves that the compiled SQL is what dbt builds.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import duckdb
import psycopg2
import psycopg2.extras
import yaml

from compare import Relation
from reference import Table

PUBLISHED = {"table", "incremental", "materialized_view"}
KINDS = {
    "bigint": "integer", "integer": "integer", "smallint": "integer", "hugeint": "numeric", "tinyint": "integer",
    "numeric": "numeric", "decimal": "numeric",
    "double precision": "double", "double": "double", "real": "double", "float": "double",
    "text": "text", "character varying": "text", "varchar": "text", "character": "text",
    "boolean": "boolean", "date": "date",
    "timestamp without time zone": "timestamp", "timestamp": "timestamp",
}  # fmt: skip


def kind_of(type_name):
    base = type_name.lower().split("(")[0].strip()
    if base not in KINDS:
        raise SystemExit(f"the oracle cannot compare values of type {type_name}. Teach KINDS in warehouse.py and compare.py")
    return KINDS[base]


class Project:
    """A private copy of the dbt project, and what its manifest says once it is compiled for an adapter."""

    def __init__(self, original, work):
        self.folder = pathlib.Path(work) / "project"
        shutil.copytree(original, self.folder, ignore=shutil.ignore_patterns("target", "logs", "data", ".livemart", "dbt_packages"))
        (self.folder / "data").mkdir(exist_ok=True)
        self.program = pathlib.Path(sys.executable).parent / "dbt"
        self.run(["deps"], {})

    def dbt(self, verb, target, environment, *arguments):
        """Runs dbt; gives its manifest and run results. A failed test is no failure here, a failed model is."""
        out = self.folder / "target" / target
        self.run([verb, "--target", target, "--target-path", out, *arguments], environment)
        return json.loads((out / "manifest.json").read_text()), json.loads((out / "run_results.json").read_text())

    def run(self, command, environment):
        done = subprocess.run(
            [str(c) for c in (self.program, "--no-use-colors", *command, "--project-dir", self.folder, "--profiles-dir", self.folder)],
            env={**os.environ, **environment, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "TZ": "UTC", "PGTZ": "UTC"},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0 and command[0] != "test":
            raise SystemExit(f"dbt {' '.join(map(str, command))} failed:\n{done.stdout}")


def declared_tables(manifest, livemart_target):
    """The source tables that livemart.yml reads, by name. Keys come from livemart.yml, else from unique + not_null tests."""
    configured = livemart_target["sources"]
    tests = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and node.get("test_metadata") and node.get("column_name"):
            for parent in node["depends_on"]["nodes"]:
                if parent.startswith("source."):
                    tests.setdefault((parent, node["column_name"]), set()).add(node["test_metadata"]["name"])
    tables = {}
    for unique_id, node in manifest["sources"].items():
        if not {node["source_name"], f"{node['source_name']}.{node['name']}"} & set(configured):
            continue
        columns = {c["name"]: c["data_type"].lower() for c in node["columns"].values()}
        entries = (configured.get(f"{node['source_name']}.{node['name']}", {}), configured.get(node["source_name"], {}))
        key = next((entry["key"] for entry in entries if entry.get("key")), None)
        if key is None:
            key = [c for c in columns if {"unique", "not_null"} <= tests.get((unique_id, c), set())][:1]
        assert node["name"] not in tables, f"two sources have a table {node['name']}"
        tables[node["name"]] = Table(node["name"], node["schema"], columns, tuple(key), node["source_name"])
    return tables


class Warehouse:
    """dbt's models over given inputs; subclasses say how to talk to the database.

    `without` names models that are not compared, nor is what reads them.
    """

    def __init__(self, project, target, environment, without=()):
        self.project, self.target, self.environment = project, target, environment
        self.manifest, _ = project.dbt("compile", target, environment)
        nodes = self.manifest["nodes"]
        unknown = set(without) - {n["name"] for n in nodes.values()}
        if unknown:
            raise SystemExit(f"no model is called {', '.join(sorted(unknown))}")
        out = {i for i, n in nodes.items() if n["name"] in without}
        while more := {i for i, n in nodes.items() if i not in out and out & set(n["depends_on"]["nodes"])}:
            out |= more
        # A snapshot has a rule of its own (versions.py), for what its query gives at the cut.
        self.snapshots = [n for i, n in nodes.items() if n["resource_type"] == "snapshot" and i not in out]
        out |= {s["unique_id"] for s in self.snapshots}
        while more := {i for i, n in nodes.items() if i not in out and out & set(n["depends_on"]["nodes"])}:
            out |= more
        every = in_order({i: n for i, n in nodes.items() if n["resource_type"] == "model" and n["config"]["enabled"]})
        self.models = [m for m in every if m["unique_id"] not in out]
        self.tests = {i: n for i, n in nodes.items() if n["resource_type"] == "test" and i not in out}
        read = {p for n in nodes.values() if n["resource_type"] in ("model", "snapshot") for p in n["depends_on"]["nodes"]}
        exposed = {p for e in self.manifest["exposures"].values() for p in e["depends_on"]["nodes"]}
        self.published = [m for m in self.models if is_published(m, read, exposed)]

    FOUND = "oracle_found"
    # Tests' rows are read at a cut, too, into `failing`.
    keeps_failing = False

    def cut(self, inputs, today=None):
        """What dbt would publish over these inputs on that day: relation per published table, failures per test."""
        self.today = today
        with self.connect() as run:
            self.load(run, inputs)
            for model in self.models:
                how = "view" if model["config"]["materialized"] == "view" else "table"
                self.create(run, model, how)
            for snapshot in self.snapshots:
                self.create(run, snapshot, "view")
            self.queries = {s["alias"]: self.read(run, s) for s in self.snapshots}
            self.verdicts = {i: self.verdict(run, t) for i, t in self.tests.items()}
            self.failing = {i: self.found(run, t) for i, t in self.tests.items()} if self.keeps_failing else {}
            return {m["alias"]: self.read(run, m) for m in self.published}, {i: self.failures(run, t) for i, t in self.tests.items()}

    def build(self, inputs):
        """The same by dbt's own hand: `dbt build`, then `dbt test`."""
        with self.connect() as run:
            self.load(run, inputs)
        self.project.dbt("build", self.target, self.environment, "--full-refresh", "--exclude-resource-type", "test", "unit_test")
        _, results = self.project.dbt("test", self.target, self.environment, "--exclude-resource-type", "unit_test")
        with self.connect() as run:
            relations = {m["alias"]: self.read(run, m) for m in self.published}
        return relations, {r["unique_id"]: r["failures"] for r in results["results"] if r["unique_id"] in self.tests}

    def load(self, run, inputs):
        for schema in {m["schema"] for m in [*self.models, *self.snapshots]} | {t.schema for t in inputs.tables.values()}:
            run(f'drop schema if exists "{schema}" cascade')
            run(f'create schema "{schema}"')
        for table in inputs.tables.values():
            columns = ", ".join(f'"{c}" {kind}' for c, kind in table.columns.items())
            run(f'create table "{table.schema}"."{table.name}" ({columns})')
            self.fill(run, table, inputs.rows(table.name))

    def create(self, run, model, how):
        run(f"create {how} {model['relation_name']} as {self.on_its_day(model['compiled_code'])}")

    def on_its_day(self, sql):
        """The text with the cut's day in place of the clock; `current_date` is the only clock that the project reads."""
        return sql if self.today is None else re.sub(r"\bcurrent_date\b", f"CAST('{self.today}' AS date)", sql)

    def failures(self, run, test):
        config, limit = test["config"], f"limit {test['config']['limit']}" if test["config"].get("limit") else ""
        return int(run(f"select {config['fail_calc']} from (select * from ({self.on_its_day(test['compiled_code'])}) as found {limit}) as counted")[0][0])

    def found(self, run, test):
        """The rows that a test finds, as `--store-failures` keeps them."""
        schema = self.models[0]["schema"]
        name = f'"{schema}"."{self.FOUND}"'
        run(f"create view {name} as select * from ({self.on_its_day(test['compiled_code'])}) as found")
        relation = self.read(run, {"schema": schema, "alias": self.FOUND, "relation_name": name})
        run(f"drop view {name}")
        return relation

    def verdict(self, run, test):
        """dbt's word on a test: pass, warn or fail."""
        config, limit = test["config"], f"limit {test['config']['limit']}" if test["config"].get("limit") else ""
        calc = config["fail_calc"]
        warns, fails = run(
            f"select {calc} {config['warn_if']}, {calc} {config['error_if']} "
            f"from (select * from ({self.on_its_day(test['compiled_code'])}) as found {limit}) as counted"
        )[0]
        return "fail" if config["severity"].upper() == "ERROR" and fails else "warn" if warns else "pass"

    def read(self, run, model):
        columns = run(
            "select column_name, data_type from information_schema.columns "
            f"where table_schema = '{model['schema']}' and table_name = '{model['alias']}' order by ordinal_position"
        )
        return Relation([c for c, _ in columns], [kind_of(t) for _, t in columns], run(f"select * from {model['relation_name']}"))


class Postgres(Warehouse):
    name = "PostgreSQL"

    def __init__(self, project, connection, without=()):
        self.connection = connection  # psycopg2's keywords
        c = connection
        environment = {"SHOP_PG_HOST": c["host"], "SHOP_PG_PORT": str(c["port"]), "SHOP_PG_USER": c["user"], "SHOP_PG_PASSWORD": c.get("password", ""), "SHOP_PG_DATABASE": c["dbname"]}
        super().__init__(project, "dev", environment, without)

    def connect(self):
        return PostgresRun(self.connection)

    def fill(self, run, table, rows):
        if rows:
            psycopg2.extras.execute_values(run.cursor, f'insert into "{table.schema}"."{table.name}" values %s', rows, page_size=2000)


class PostgresRun:
    """Runs statements on one autocommitting connection, and closes it."""

    def __init__(self, connection):
        self.connection = psycopg2.connect(**connection)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.cursor.execute("set timezone = 'UTC'")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def __call__(self, statement):
        self.cursor.execute(statement)
        return self.cursor.fetchall() if self.cursor.description else []


class DuckDb(Warehouse):
    name = "DuckDB"

    def __init__(self, project, work, without=()):
        self.path = str(pathlib.Path(work) / "oracle.duckdb")
        super().__init__(project, "duckdb", {"SHOP_DUCKDB": self.path}, without)

    def connect(self):
        return DuckDbRun(self.path)

    def fill(self, run, table, rows):
        # One statement per row is slow in DuckDB, and a CSV would confuse NULL with "": JSON lines keep every value as it is.
        if not rows:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", dir=os.path.dirname(self.path), encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(dict(zip(table.columns, row)), default=str) + "\n")
            file.flush()
            columns = ", ".join(f"'{c}': '{kind}'" for c, kind in table.columns.items())
            run(f"insert into \"{table.schema}\".\"{table.name}\" select * from read_json('{file.name}', format='newline_delimited', columns={{{columns}}})")


class DuckDbRun:
    def __init__(self, path):
        self.connection = duckdb.connect(path)
        self.connection.execute("set timezone = 'UTC'")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def __call__(self, statement):
        return self.connection.execute(statement).fetchall()


def is_published(model, read, exposed):
    meta = {**(model.get("meta") or {}), **(model["config"].get("meta") or {})}.get("livemart") or {}
    if "publish" in meta:
        return bool(meta["publish"])
    kind = model["config"]["materialized"]
    return kind in PUBLISHED or (kind == "view" and (model["unique_id"] not in read or model["unique_id"] in exposed))


def in_order(models):
    """Models after the models that they read."""
    done = {}

    def visit(unique_id):
        if unique_id in models and unique_id not in done:
            for parent in models[unique_id]["depends_on"]["nodes"]:
                visit(parent)
            done[unique_id] = models[unique_id]

    for unique_id in sorted(models):
        visit(unique_id)
    return list(done.values())


def livemart_target(folder, name):
    """A target of livemart.yml as it is written, unrendered: only connectors and keys are looked at."""
    return yaml.safe_load((pathlib.Path(folder) / "livemart.yml").read_text())["targets"][name]
