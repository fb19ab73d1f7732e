#!/usr/bin/env python3
"""Compares livemart's snapshots with `dbt snapshot`, run at a series of cuts of a random history.

      history ──cut 1, cut 2, …──┬─> the state at the cut in PostgreSQL ──dbt snapshot──> dbt's tables ─┐
                                 └─> the events so far in a file ──livemart snapshot──> SQLite, PostgreSQL ┴─> equal after every cut

    snapshots.py --binary PATH [--cuts 8] [--seed N] [--keep]

1. Both have the same clock: livemart's is fixed at the cut's moment, and a macro gives dbt the same one, so that ids and times agree exactly.
2. Every cut is a new process, which finds the history in its own tables.
PostgreSQL is the one that LIVEMART_TEST_POSTGRES names; databases are made there and dropped. Exit code 1: a difference.
"""

import argparse
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import urllib.parse

sys.dont_write_bytecode = True

import psycopg2

import compare
import sink as sinks
from warehouse import kind_of

COLUMNS = {"id": "bigint", "region": "text", "status": "text", "amount": "numeric(10,2)", "note": "text", "updated_at": "timestamp"}
QUERY = "select id, region, status, amount, note, updated_at from {{ source('raw', 'items') }}"
FILES = {
    "dbt_project.yml": """
name: versions
version: "1.0"
profile: versions
models: {versions: {+materialized: view}}
""",
    "macros/time.sql": """{% macro snapshot_get_time() %}'{{ var("now") }}'::timestamp without time zone{% endmacro %}""",
    "models/sources.yml": "sources: [{name: raw, tables: [{name: items, columns: ["
    + ", ".join(f'{{name: {name}, data_type: "{kind}"}}' for name, kind in COLUMNS.items())
    + "]}]}]",
    "models/by_region.sql": "select region, count(*) as items, sum(amount) as amount, max(updated_at) as updated_at from {{ source('raw', 'items') }} group by region",
    "snapshots/schema.yml": """
snapshots:
  - {name: by_time, relation: "source('raw', 'items')", config: {unique_key: id, strategy: timestamp, updated_at: updated_at}}
  - {name: by_time_closed, relation: "source('raw', 'items')", config: {unique_key: id, strategy: timestamp, updated_at: updated_at, invalidate_hard_deletes: true}}
  - {name: by_time_recorded, relation: "source('raw', 'items')", config: {unique_key: id, strategy: timestamp, updated_at: updated_at, hard_deletes: new_record}}
  - {name: by_list, relation: "source('raw', 'items')", config: {unique_key: [region, id], strategy: check, check_cols: [status, amount], hard_deletes: invalidate}}
  - {name: by_all, relation: "source('raw', 'items')", config: {unique_key: id, strategy: check, check_cols: all, hard_deletes: new_record, dbt_valid_to_current: "'9999-12-31 00:00:00'::timestamp"}}
  - {name: by_model, relation: "ref('by_region')", config: {unique_key: region, strategy: check, check_cols: [items, amount], hard_deletes: invalidate}}
  - name: by_model_time
    relation: ref('by_region')
    config: {unique_key: region, strategy: timestamp, updated_at: updated_at, dbt_valid_to_current: "date '2999-01-01'"}
""",
    "snapshots/by_expression.sql": """
{% snapshot by_expression %}
{{ config(unique_key="region || '-' || id", strategy='check', check_cols=['status', 'note'], hard_deletes='invalidate', updated_at='updated_at',
          snapshot_meta_column_names={'dbt_valid_to': 'until', 'dbt_valid_from': 'since', 'dbt_scd_id': 'version_id', 'dbt_updated_at': 'seen_at'}) }}
"""
    + QUERY
    + "\n{% endsnapshot %}\n",
}
SNAPSHOTS = ["by_time", "by_time_closed", "by_time_recorded", "by_list", "by_all", "by_model", "by_model_time", "by_expression"]


class History:
    """A table of items that come, change, go and come back."""

    def __init__(self, rng):
        self.rng, self.rows, self.events = rng, {}, []
        self.gone = {}

    def step(self, now):
        for _ in range(self.rng.randrange(3, 25)):
            key = self.rng.randrange(1, 30)
            row = self.rows.get(key)
            if row is None:
                # what comes back may be just what went away
                again = self.gone.get(key)
                row = again if again and self.rng.random() < 0.4 else self.new(key, now)
                self.put("c", None, row)
            elif self.rng.random() < 0.25:
                self.gone[key] = self.rows.pop(key)
                self.events.append({"op": "d", "before": row, "after": None})
            else:
                after = {**row}
                for column in self.rng.sample(["status", "amount", "note"], self.rng.randrange(0, 3)):
                    after[column] = self.value(column)
                if self.rng.random() < 0.7:
                    after["updated_at"] = self.moment(now)
                self.put("u", row, after)

    def put(self, op, before, after):
        self.rows[after["id"]] = after
        self.events.append({"op": op, "before": before, "after": after})

    def new(self, key, now):
        return {"id": key, "region": f"r{key % 4}", "updated_at": self.moment(now), **{c: self.value(c) for c in ("status", "amount", "note")}}

    def moment(self, now):
        return str(now - datetime.timedelta(microseconds=self.rng.choice([0, 1, 500_000, 60_000_000, 7_000_000_000])))

    def value(self, column):
        if self.rng.random() < 0.15:
            return None
        return {"status": lambda: self.rng.choice("abc"), "amount": lambda: f"{self.rng.randrange(0, 500) / 4:.2f}", "note": lambda: self.rng.choice(["", "x", "ä"])}[column]()


class Rig:
    def __init__(self, arguments, work):
        self.work, self.binary = pathlib.Path(work), arguments.binary
        url = urllib.parse.urlparse(os.environ["LIVEMART_TEST_POSTGRES"])
        self.server = {"host": url.hostname, "port": url.port, "user": url.username, "password": url.password or ""}
        self.databases = [f"livemart_versions_{side}_{os.getpid()}" for side in ("dbt", "sink")]
        self.admin = psycopg2.connect(**self.server, dbname="postgres")
        self.admin.autocommit = True
        for database in self.databases:
            self.admin.cursor().execute(f"create database {database}")
        self.dbts, self.ours = ({**self.server, "dbname": database} for database in self.databases)
        for file, text in FILES.items():
            (self.work / file).parent.mkdir(exist_ok=True)
            (self.work / file).write_text(text)
        output = {"type": "postgres", **{k: self.server[k] for k in ("host", "port", "user")}, "pass": self.server["password"], "dbname": self.databases[0], "schema": "shop", "threads": 4}
        (self.work / "profiles.yml").write_text(json.dumps({"versions": {"target": "pg", "outputs": {"pg": output, "lite": output}}}))
        clock = {"mode": "fixed", "at": "{{ var('now') }}"}
        source = {"raw": {"connector": "file", "path": "{table}.jsonl", "format": "json", "envelope": "debezium"}, "raw.items": {"key": ["id"]}}
        sink = "postgres://{user}@{host}:{port}/{dbname}".format(**self.ours)
        targets = {
            "pg": {"sources": source, "clock": clock, "sink": {"type": "postgres", "url": sink, "schema": "shop"}},
            "lite": {"sources": source, "clock": clock, "sink": {"type": "sqlite", "path": "versions.db"}},
        }
        (self.work / "livemart.yml").write_text(json.dumps({"targets": targets}))

    def close(self):
        for database in self.databases:
            self.admin.cursor().execute(f"drop database {database} with (force)")

    def run(self, command):
        environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "TZ": "UTC", "PGTZ": "UTC"}
        done = subprocess.run([str(c) for c in command], cwd=self.work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}")

    def dbt(self, verb, variables):
        program = pathlib.Path(sys.executable).parent / "dbt"
        self.run([program, verb, "--project-dir", ".", "--profiles-dir", ".", "--vars", variables, "--target-path", "dbt_target"])

    def load(self, rows):
        with psycopg2.connect(**self.dbts) as connection:
            run = connection.cursor().execute
            run("create schema if not exists raw")
            run(f"create table if not exists raw.items ({', '.join(f'{c} {kind}' for c, kind in COLUMNS.items())})")
            run("truncate raw.items")
            for row in rows:
                run(f"insert into raw.items values ({', '.join(['%s'] * len(COLUMNS))})", [row[c] for c in COLUMNS])

    def relation(self, connection, name):
        with psycopg2.connect(**connection) as reading:
            cursor = reading.cursor()
            cursor.execute(f"select column_name, data_type from information_schema.columns where table_schema = 'shop' and table_name = '{name}' order by ordinal_position")
            columns = cursor.fetchall()
            cursor.execute(f"select * from shop.{name}")
            return compare.Relation([c for c, _ in columns], [kind_of(t) for _, t in columns], cursor.fetchall())

    def check(self, where):
        found, versions = [], 0
        lite = sinks.Sqlite(self.work / "versions.db")
        for name in SNAPSHOTS:
            expected = self.relation(self.dbts, name)
            versions += len(expected.rows)
            ours = self.relation(self.ours, name)
            found += [f"PostgreSQL, {text}" for text in compare.differences(name, expected, ours.columns, ours.rows)]
            with lite.snapshot() as select:
                found += [f"SQLite, {text}" for text in compare.differences(name, expected, *select(f'select * from "{name}"'))]
        if found:
            raise SystemExit(f"{where}:\n  " + "\n  ".join(found))
        return versions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--cuts", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    arguments = parser.parse_args()
    arguments.binary = arguments.binary.resolve()
    work = tempfile.mkdtemp(prefix="livemart-versions-")
    rig = Rig(arguments, work)
    try:
        history, now = History(random.Random(arguments.seed)), datetime.datetime(2024, 3, 1, 9, 30)
        for cut in range(1, arguments.cuts + 1):
            now += datetime.timedelta(seconds=history.rng.choice([1, 90, 86_400, 1_000_000]), microseconds=history.rng.choice([0, 250_000]))
            history.step(now)
            (rig.work / "items.jsonl").write_text("".join(json.dumps(event) + "\n" for event in history.events))
            rig.load(history.rows.values())
            variables = json.dumps({"now": str(now)})
            if cut == 1:
                rig.dbt("run", variables)
            rig.dbt("snapshot", variables)
            for target in ("pg", "lite"):
                rig.run([rig.binary, "snapshot", "-t", target, "--vars", variables])
            versions = rig.check(f"seed {arguments.seed}, cut {cut} at {now}")
            print(f"cut {cut} at {now}, {len(history.events)} events: {versions} versions equal dbt's", flush=True)
    finally:
        rig.close()
        if not arguments.keep:
            subprocess.run(["rm", "-rf", work])


main()
