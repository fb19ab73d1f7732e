#!/usr/bin/env python3
"""Compares livemart's snapshots with `dbt snapshot`, run at a series of cuts of a random history.

      history ──cut 1, cut 2, …──┬─> the state at the cut in PostgreSQL ──dbt snapshot──> dbt's tables ─┐
                                 └─> the events so far in a file ──livemart snapshot──> SQLite, PostgreSQL ┴─> equal after every cut

    snapshots.py --binary PATH [--cuts 8] [--seed N] [--keep]

      history ──each event──> a plain fold over versions ──> equal to what livemart's snapshots of every version hold, after every cut,
                                                        └─> and to `dbt snapshot` run after each of the first events, at its time

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

import hashlib

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
    "models/renamed.sql": "select upper(status) as status, id as number, note || '!' as note from {{ source('raw', 'items') }}",
    "models/by_region.sql": "select region, count(*) as items, sum(amount) as amount, max(updated_at) as updated_at from {{ source('raw', 'items') }} group by region",
    "snapshots/schema.yml": """
snapshots:
  - {name: by_time, relation: "source('raw', 'items')", config: {meta: {livemart: {versions: cuts}}, unique_key: id, strategy: timestamp, updated_at: updated_at}}
  - {name: by_time_closed, relation: "source('raw', 'items')", config: {meta: {livemart: {versions: cuts}}, unique_key: id, strategy: timestamp, updated_at: updated_at, invalidate_hard_deletes: true}}
  - {name: by_time_recorded, relation: "source('raw', 'items')", config: {meta: {livemart: {versions: cuts}}, unique_key: id, strategy: timestamp, updated_at: updated_at, hard_deletes: new_record}}
  - {name: by_list, relation: "source('raw', 'items')", config: {meta: {livemart: {versions: cuts}}, unique_key: [region, id], strategy: check, check_cols: [status, amount], hard_deletes: invalidate}}
  - {name: by_all, relation: "source('raw', 'items')", config: {meta: {livemart: {versions: cuts}}, unique_key: id, strategy: check, check_cols: all, hard_deletes: new_record, dbt_valid_to_current: "'9999-12-31 00:00:00'::timestamp"}}
  - {name: each_by_time, relation: "source('raw', 'items')", config: {unique_key: id, strategy: timestamp, updated_at: updated_at}}
  - {name: each_by_columns, relation: "source('raw', 'items')", config: {unique_key: id, strategy: check, check_cols: [status, amount], hard_deletes: invalidate}}
  - {name: each_recorded, relation: ref('renamed'), config: {unique_key: number, strategy: check, check_cols: all, hard_deletes: new_record, meta: {livemart: {versions: all}}}}
  - {name: by_model, relation: "ref('by_region')", config: {unique_key: region, strategy: check, check_cols: [items, amount], hard_deletes: invalidate}}
  - name: by_model_time
    relation: ref('by_region')
    config: {unique_key: region, strategy: timestamp, updated_at: updated_at, dbt_valid_to_current: "date '2999-01-01'"}
""",
    "snapshots/by_expression.sql": """
{% snapshot by_expression %}
{{ config(meta={'livemart': {'versions': 'cuts'}}, unique_key="region || '-' || id", strategy='check', check_cols=['status', 'note'], hard_deletes='invalidate', updated_at='updated_at',
          snapshot_meta_column_names={'dbt_valid_to': 'until', 'dbt_valid_from': 'since', 'dbt_scd_id': 'version_id', 'dbt_updated_at': 'seen_at'}) }}
"""
    + QUERY
    + "\n{% endsnapshot %}\n",
}
SNAPSHOTS = ["by_time", "by_time_closed", "by_time_recorded", "by_list", "by_all", "by_model", "by_model_time", "by_expression"]
# Snapshots of every version, as the fold below makes them: key and checked columns, whether rows have their own time, what a delete does.
EACH = {
    "each_by_time": {"row": lambda row: row, "key": "id", "checked": None, "deletes": "ignore"},
    "each_by_columns": {"row": lambda row: row, "key": "id", "checked": ["status", "amount"], "deletes": "invalidate"},
    "each_recorded": {
        "row": lambda row: {"status": row["status"] and row["status"].upper(), "number": row["id"], "note": None if row["note"] is None else row["note"] + "!"},
        "key": "number",
        "checked": ["status", "number", "note"],
        "deletes": "new_record",
    },
}
# After so many events dbt itself is run, too.
FOLLOWED = 8


class History:
    """A table of items that come, change, go and come back."""

    def __init__(self, rng):
        self.rng, self.rows, self.events = rng, {}, []
        self.at = datetime.datetime(2024, 3, 1)
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
                self.say("d", row, None)
            else:
                after = {**row}
                for column in self.rng.sample(["status", "amount", "note"], self.rng.randrange(0, 3)):
                    after[column] = self.value(column)
                if self.rng.random() < 0.7:
                    after["updated_at"] = self.moment(now)
                self.put("u", row, after)

    def put(self, op, before, after):
        self.rows[after["id"]] = after
        self.say(op, before, after)

    def say(self, op, before, after):
        # now and then two events of one millisecond
        self.at += datetime.timedelta(milliseconds=self.rng.choice([0, 1, 700]) if len(self.events) >= FOLLOWED else 1000)
        ts_ms = round((self.at - datetime.datetime(1970, 1, 1)).total_seconds() * 1000)
        self.events.append({"op": op, "before": before, "after": after, "source": {"ts_ms": ts_ms, "table": "items"}, "ts_ms": ts_ms})

    def new(self, key, now):
        return {"id": key, "region": f"r{key % 4}", "updated_at": self.moment(now), **{c: self.value(c) for c in ("status", "amount", "note")}}

    def moment(self, now):
        return str(now - datetime.timedelta(microseconds=self.rng.choice([0, 1, 500_000, 60_000_000, 7_000_000_000])))

    def value(self, column):
        if self.rng.random() < 0.15:
            return None
        return {"status": lambda: self.rng.choice("abc"), "amount": lambda: f"{self.rng.randrange(0, 500) / 4:.2f}", "note": lambda: self.rng.choice(["", "x", "ä"])}[column]()


def every_version(events, row, key, checked, deletes):
    """The versions that the events make, one `dbt snapshot` after each at its time; of one moment they begin a microsecond apart."""
    tick, versions, opened = datetime.timedelta(microseconds=1), [], {}

    def text(moment):
        return f"{moment:%Y-%m-%d %H:%M:%S}" + (f".{moment.microsecond:06}".rstrip("0") if moment.microsecond else "")

    def begin(values, since, words, deleted):
        version = {**values, "dbt_scd_id": hashlib.md5("|".join(words).encode()).hexdigest(), "dbt_updated_at": since, "dbt_valid_from": since, "dbt_valid_to": None}
        if deletes == "new_record":
            version["dbt_is_deleted"] = str(deleted)
        versions.append(version)
        opened[values[key]] = version

    for event in events:
        at = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=event["source"]["ts_ms"])
        values = row(event["after"] or event["before"])
        before = opened.get(values[key])
        if before and checked:
            at = max(at, before["dbt_valid_from"] + tick)
        is_deleted = before is not None and before.get("dbt_is_deleted") == "True"
        if event["op"] == "d":
            if deletes == "ignore" or before is None or is_deleted:
                continue
            before["dbt_valid_to"] = at
            del opened[values[key]]
            if deletes == "new_record":
                own = {column: before[column] for column in values}
                begin(own, at, [before["dbt_scd_id"], text(at)], True)
            continue
        since = at if checked else datetime.datetime.fromisoformat(values["updated_at"])
        if before:
            changed = any(values[c] != before[c] for c in checked) if checked else before["dbt_valid_from"] < since
            if not (changed or is_deleted):
                continue
            before["dbt_valid_to"] = since
        begin(values, since, [str(values[key]), text(since)], False)
    return versions


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

    def dbt(self, verb, variables, *selection):
        program = pathlib.Path(sys.executable).parent / "dbt"
        self.run([program, verb, "--project-dir", ".", "--profiles-dir", ".", "--vars", variables, "--target-path", "dbt_target", *selection])

    def follow(self, events):
        """`dbt snapshot` after each of these events, at its time: the fold must make the same."""
        rows = {}
        for event in events:
            before, after = event["before"], event["after"]
            rows.pop((after or before)["id"], None)
            if after:
                rows[after["id"]] = after
            self.load(rows.values())
            now = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=event["source"]["ts_ms"])
            self.dbt("snapshot", json.dumps({"now": str(now)}), "--select", *EACH)
        found = [text for name in EACH for text in self.each_differences(name, self.relation(self.dbts, name), events)]
        if found:
            raise SystemExit("dbt snapshot after each event, and the fold over them:\n  " + "\n  ".join(found))

    def each_differences(self, name, got, events):
        versions = every_version(events, **EACH[name])
        kinds = dict(zip(got.columns, got.kinds))
        value = lambda version, c: compare.canonical(version[c], kinds[c])  # noqa: E731
        expected = compare.Relation(got.columns, got.kinds, [tuple(value(v, c) for c in got.columns) for v in versions])
        return compare.differences(name, expected, got.columns, got.rows)

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

    def check(self, where, events):
        found, versions = [], 0
        lite = sinks.Sqlite(self.work / "versions.db")
        for name in SNAPSHOTS:
            expected = self.relation(self.dbts, name)
            versions += len(expected.rows)
            ours = self.relation(self.ours, name)
            found += [f"PostgreSQL, {text}" for text in compare.differences(name, expected, ours.columns, ours.rows)]
            with lite.snapshot() as select:
                found += [f"SQLite, {text}" for text in compare.differences(name, expected, *select(f'select * from "{name}"'))]
        for name in EACH:
            ours = self.relation(self.ours, name)
            found += [f"PostgreSQL, {text}" for text in self.each_differences(name, ours, events)]
            with lite.snapshot() as select:
                columns, rows = select(f'select * from "{name}"')
            found += [f"SQLite, {text}" for text in self.each_differences(name, compare.Relation(columns, ours.kinds, rows), events)]
            versions += len(ours.rows)
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
                rig.follow(history.events[:FOLLOWED])
                rig.load(history.rows.values())
            rig.dbt("snapshot", variables, "--exclude", *EACH)
            for target in ("pg", "lite"):
                rig.run([rig.binary, "snapshot", "-t", target, "--vars", variables])
            versions = rig.check(f"seed {arguments.seed}, cut {cut} at {now}", history.events)
            print(f"cut {cut} at {now}, {len(history.events)} events: {versions} versions equal dbt's and the fold's", flush=True)
    finally:
        rig.close()
        if not arguments.keep:
            subprocess.run(["rm", "-rf", work])


main()
