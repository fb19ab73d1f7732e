#!/usr/bin/env python3
"""Compares livemart with dbt, row by row, at random cuts of a random change history.

      history ──first N lines──> a file per source ──livemart run / serve──> sink: marts + progress + clock
         └─────── the prefixes that progress names ──> reference ──dbt's SQL──> PostgreSQL, DuckDB ──> equal, or a readable difference

    oracle.py --binary PATH [--pg-cuts 5] [--duckdb-cuts 2] [--seed N] [--events 20000 | --history DIR]
              [--malformed N] [--verdicts last|each] [--modes run,serve,postgres] [--keep]

run       the files grow to random lengths and `livemart run` goes on with the same SQLite database; some runs are killed on the way,
          once the state folder is lost, sometimes the last lines are only half written
serve     `livemart serve` follows the files while they grow; SQLite is read at random moments, each time in one transaction
postgres  as run, with PostgreSQL as the sink
Models that not_yet.txt names (livemart refuses them) are left out together with what reads them.
PostgreSQL is the one that LIVEMART_TEST_POSTGRES names; databases are made there and dropped. Exit code 1: a difference.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.dont_write_bytecode = True  # nothing is written into the checkout

import psycopg2
import yaml

import compare
import generated
import sink as sinks
import versions
import warehouse
from history import History
from reference import Inputs

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN_SECONDS_MAX = 900
# `livemart build` publishes whether or not tests fail: 1 says that one does.
PUBLISHED = (0, 1)
KILL_SECONDS_MAX = 0.6
# A history of so many events has the keys of history.py; a longer one has more of them.
HISTORY_EVENTS = 20_000


class Different(Exception):
    """livemart and dbt disagree; the text shows where."""


class Oracle:
    def __init__(self, arguments, work, databases):
        self.arguments, self.work, self.databases = arguments, pathlib.Path(work), databases
        self.rng = random.Random(arguments.seed)
        self.project = warehouse.Project(ROOT / "dataflows", work)
        self.without = not_yet()
        self.versions = {}  # (mode, snapshot) -> its versions at the cut that was checked last
        self.postgres = self.duckdb = None
        if arguments.pg_cuts:
            self.postgres = warehouse.Postgres(self.project, databases.make("dbt"), self.without)
        if arguments.duckdb_cuts:
            self.duckdb = warehouse.DuckDb(self.project, work, self.without)
        self.judges = [w for w in (self.postgres, self.duckdb) if w]
        judge = self.judges[0]
        self.instance = judge.manifest["metadata"]["project_name"]
        self.tables = warehouse.declared_tables(judge.manifest, warehouse.livemart_target(self.project.folder, "dev"))
        if arguments.history:
            self.history = generated.history(arguments.history, self.tables)
        else:
            made = History(self.tables, arguments.seed, arguments.malformed / arguments.events, max(1, arguments.events // HISTORY_EVENTS))
            self.history = list(made.lines(arguments.events))
            least, changed = min(made.changed_rows.items(), key=lambda entry: entry[1]), made.changed_rows.total()
            say(f"{changed} updates and deletes, at least {least[1]} of a table ({least[0]}), {made.unreadable_records} unreadable records")
        self.sources = sorted({t.source for t in self.tables.values()})
        self.lines = {source: [line for of, line in self.history if of == source] for source in self.sources}
        # how many lines of each source are among the first N of the history
        self.prefixes = [{source: 0 for source in self.sources}]
        for source, _ in self.history:
            self.prefixes.append({**self.prefixes[-1], source: self.prefixes[-1][source] + 1})
        say(f"{len(self.history)} events over {len(self.tables)} tables, {len(judge.models)} models, {len(judge.tests)} tests, seed {arguments.seed}")

    def add_target(self, name, change):
        """Adds a target to the copies of livemart.yml and profiles.yml: `dev`, changed, with one file of JSON per source."""
        path = self.project.folder / "livemart.yml"
        settings = yaml.safe_load(path.read_text())
        settings["targets"][name] = target = yaml.safe_load(yaml.safe_dump(settings["targets"]["dev"]))
        place = {"connector": "file", "format": "json", "envelope": "debezium"}
        sources = {s: {**place, "path": str(self.work / name / f"{s}.jsonl")} for s in self.sources}
        for table, entry in target["sources"].items():
            if "key" in entry:
                sources.setdefault(table, {})["key"] = entry["key"]
        target["sources"] = sources
        target["sink"] = {"type": "sqlite", "path": str(self.work / f"{name}.db")}
        target.pop("state", None)  # each target has a folder of its own
        change(target)
        path.write_text(yaml.safe_dump(settings))
        path = self.project.folder / "profiles.yml"
        profiles = yaml.safe_load(path.read_text())
        outputs = next(iter(profiles.values()))["outputs"]
        outputs[name] = outputs["dev"]
        path.write_text(yaml.safe_dump(profiles))

    def check(self, published, judge, inputs, where):
        """Compares one snapshot with what dbt makes of the prefix that its progress names."""
        inputs.apply_up_to(self.lines, published.positions)
        relations, failures = judge.cut(inputs, published.clock)
        found = []
        for table, expected in sorted(relations.items()):
            if table not in published.tables:
                found.append(f"{table}: is not published")
            else:
                found += compare.differences(table, expected, *published.tables[table])
        for snapshot in judge.snapshots:
            table, before = snapshot["alias"], self.versions.get((self.mode(where), snapshot["alias"]))
            if table not in published.tables:
                found.append(f"{table}: is not published")
            elif lines := versions.differences(snapshot, judge.queries[table], *published.tables[table], before):
                found += lines
            else:
                self.versions[self.mode(where), table] = versions.versions(*published.tables[table])
        deployed = {m["unique_id"] for m in [*judge.published, *judge.snapshots]}
        if published.models != deployed:
            found.append(f"models: expected {sorted(deployed)}, got {sorted(published.models)}")
        found += self.test_differences(judge, failures, published.tests)
        if published.decode_errors != len(inputs.aside):
            found.append(f"errors: expected {len(inputs.aside)} records set aside, got {published.decode_errors}; expected {inputs.aside}")
        if found:
            raise Different(f"{where}, cut {published.seq} at records {published.positions}, {published.clock}, against {judge.name}:\n  " + "\n  ".join(found))
        rows = sum(len(r.rows) for r in relations.values())
        say(f"  {where}: cut {published.seq} at record {sum(published.positions.values())}, {published.clock}, equals {judge.name}: {len(relations)} tables, {rows} rows, {len(failures)} tests, {len(inputs.aside)} set aside")

    @staticmethod
    def mode(where):
        return where.removesuffix(", killed")

    def test_differences(self, judge, failures, got):
        """Tests may be listed by unique id or by name."""
        for unique_id, expected in sorted(failures.items()):
            label = unique_id if unique_id in got else judge.tests[unique_id]["name"]
            if label not in got:
                yield f"test {judge.tests[unique_id]['name']}: expected {expected} failures, it is not listed"
            elif got[label] != expected:
                yield f"test {judge.tests[unique_id]['name']}: expected {expected} failures, got {got[label]}"

    # Modes

    def run(self):
        self.add_target("oracle_run", lambda target: None)
        self.runs("run, SQLite", "oracle_run", lambda: sinks.Sqlite(self.work / "oracle_run.db"), self.cut_plan())

    def run_postgres(self):
        connection = self.databases.make("marts")
        password = ":" + urllib.parse.quote(connection["password"], safe="") if "password" in connection else ""
        url = "postgres://{user}{0}@{host}:{port}/{dbname}".format(password, **connection)

        def change(target):
            target["sink"] = {"type": "postgres", "url": url, "schema": "marts"}

        self.add_target("oracle_postgres", change)
        plan = self.cut_plan()[-3:]
        self.runs("run, PostgreSQL", "oracle_postgres", lambda: sinks.Postgres(connection), plan)

    def cut_plan(self):
        """(record, judge) of each cut, ascending; the last is the end."""
        judges = [self.postgres] * self.arguments.pg_cuts + [self.duckdb] * self.arguments.duckdb_cuts
        self.rng.shuffle(judges)
        ends = sorted(self.rng.sample(range(1, len(self.history)), len(judges) - 1)) + [len(self.history)]
        return list(zip(ends, judges))

    def runs(self, where, target, open_sink, plan):
        say(f"{where}: {len(plan)} cuts")
        events = Events(self.work / target, self.lines, self.prefixes)
        sink, inputs, last, begin = open_sink(), Inputs(self.tables), None, 0
        tables = {m["alias"]: m["schema"] for m in [*self.judges[0].published, *self.judges[0].snapshots]}
        for number, (end, judge) in enumerate(plan):
            if number == len(plan) // 2:
                self.lose_state(target)
            self.killed_run(where, target, events, begin, end, sink, tables, last)
            events.grow(end, half=self.rng.random() < 0.5)
            self.livemart_run(target, events)
            published = sinks.read(sink, tables, f"{self.instance}.{target}")
            if published is None:
                raise Different(f"{where}: nothing is published after `livemart run` over {end} records")
            wrong = {s: (n, self.prefixes[end][s]) for s, n in published.positions.items() if n != self.prefixes[end][s]}
            if wrong:
                raise Different(f"{where}: source -> (records that progress says, whole lines of its file): {wrong}")
            if last and last.positions != published.positions and published.seq <= last.seq:
                raise Different(f"{where}: the cut's number went from {last.seq} to {published.seq}")
            judge.keeps_failing = number == len(plan) - 1
            self.check(published, judge, inputs, where)
            judge.keeps_failing = False
            if self.arguments.verdicts == "each" or number == len(plan) - 1:
                self.check_verdicts(where, target, events, judge)
            if number == len(plan) - 1:
                self.check_failing_rows(where, target, events, judge, open_sink)
            last, begin = published, end

    def check_verdicts(self, where, target, events, judge):
        """`livemart test` at the cut and dbt agree test by test, unit tests pass."""
        process = self.start("test", target, events)
        code = process.wait(RUN_SECONDS_MAX)
        said = events.log(process)
        if code not in PUBLISHED:
            raise Different(f"livemart test -t {target} ended with exit code {code}:\n{said}")
        results = json.loads((self.project.folder / "target" / "run_results.json").read_text())["results"]
        got = {r["unique_id"]: r["status"] for r in results}
        expected = {i: verdict for i, verdict in judge.verdicts.items()}
        expected |= {i: "pass" for i in judge.manifest["unit_tests"]}
        wrong = {i: (verdict, got.get(i)) for i, verdict in expected.items() if got.get(i) != verdict}
        if wrong:
            raise Different(f"{where}: test -> (dbt's verdict, livemart's): {wrong}")
        if (code == 1) != ("fail" in got.values()):
            raise Different(f"{where}: livemart test ended with exit code {code}, with {sorted(set(got.values()))}")
        say(f"  {where}: livemart test agrees with dbt on {len(expected)} verdicts")

    def check_failing_rows(self, where, target, events, judge, open_sink):
        """`livemart test --store-failures` leaves a table for each test, with the rows that dbt's query finds."""
        process = self.start("test", target, events, "--store-failures")
        code = process.wait(RUN_SECONDS_MAX)
        if code not in PUBLISHED:
            raise Different(f"livemart test --store-failures -t {target} ended with exit code {code}:\n{events.log(process)}")
        tables = {t["alias"]: t["schema"] for t in judge.tests.values()}
        published = sinks.read(open_sink(), tables, f"{self.instance}.{target}")
        found, rows = [], 0
        for unique_id, test in judge.tests.items():
            # Which rows a limit leaves is nobody's promise.
            if test["config"].get("limit"):
                continue
            expected = judge.failing[unique_id]
            rows += len(expected.rows)
            if test["alias"] not in published.tables:
                found.append(f"{test['name']}: no table \"{test['alias']}\" is published")
            else:
                found += compare.differences(test["alias"], expected, *narrowed(expected.columns, *published.tables[test["alias"]]))
        if found:
            raise Different(f"{where}, failing rows, against {judge.name}:\n  " + "\n  ".join(found))
        say(f"  {where}: the tables of {len(tables)} tests hold dbt's {rows} failing rows")

    def killed_run(self, where, target, events, begin, end, sink, tables, last):
        """A run over part of the way that is killed at a random moment; what it left must be a cut, whichever it is."""
        if end - begin < 2:
            return
        events.grow(self.rng.randrange(begin + 1, end), half=False)
        process = self.start("build", target, events)
        try:
            code = process.wait(self.rng.uniform(0, KILL_SECONDS_MAX))
            if code not in PUBLISHED:
                raise Different(f"livemart build -t {target} ended with exit code {code}:\n{events.log(process)}")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        published = sinks.read(sink, tables, f"{self.instance}.{target}")
        if published and not (last and published.seq == last.seq):
            low, high = self.prefixes[begin], self.prefixes[events.whole]
            wrong = {s: (n, low[s], high[s]) for s, n in published.positions.items() if not low[s] <= n <= high[s]}
            if wrong:
                raise Different(f"{where}, killed: source -> (records that progress says, lines before, lines now): {wrong}")
            self.check(published, self.rng.choice(self.judges), Inputs(self.tables), f"{where}, killed")

    def serve(self):
        """Snapshots of a moving sink: every one must be a cut."""

        def change(target):
            target["http"] = {"listen": "127.0.0.1:0"}
            target["commit_interval"] = "20ms"

        self.add_target("oracle_serve", change)
        tables, end = {m["alias"]: m["schema"] for m in [*self.judges[0].published, *self.judges[0].snapshots]}, len(self.history)
        events, sink = Events(self.work / "oracle_serve", self.lines, self.prefixes), sinks.Sqlite(self.work / "oracle_serve.db")
        events.grow(end // 10, half=False)
        process, seen = self.start("serve", "oracle_serve", events), {}
        instance = f"{self.instance}.oracle_serve"
        deadline, grown = time.monotonic() + RUN_SECONDS_MAX, end // 10
        try:
            while True:
                if process.poll() is not None:
                    raise Different(f"serve ended by itself with exit code {process.returncode}:\n{events.log(process)}")
                published = sinks.read(sink, tables, instance)
                if published:
                    at = sum(published.positions.values())
                    seen[at] = published
                    if at == sum(self.prefixes[end][s] for s in published.positions):
                        break
                if grown < end and (published or grown == end // 10):
                    grown = min(end, grown + self.rng.randrange(1, max(2, end // 30)))
                    events.grow(grown, half=grown < end and self.rng.random() < 0.5)
                if time.monotonic() > deadline:
                    raise Different(f"serve is at record {max(seen, default=None)} of {end} after {RUN_SECONDS_MAX} s:\n{events.log(process)}")
                time.sleep(self.rng.uniform(0, 0.1))
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
            if code != 0:
                raise Different(f"serve ended with exit code {code} on SIGTERM, 0 is expected:\n{events.log(process)}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        say(f"serve: {len(seen)} different cuts were seen")
        inputs, last = Inputs(self.tables), max(seen)
        others = sorted(set(seen) - {last})
        chosen = sorted(self.rng.sample(others, min(4, len(others)))) + [last]
        for position in chosen:
            self.check(seen[position], self.rng.choice(self.judges), inputs, "serve, SQLite")

    def dbt_itself(self):
        """The compiled SQL that judges every cut is what `dbt build` makes, and the judges agree with each other."""
        inputs = Inputs(self.tables).apply_up_to(self.lines, self.prefixes[-1])
        results = []
        for judge in self.judges:
            relations, failures = judge.cut(inputs)
            results.append((judge, relations, failures))
            built, tested = judge.build(inputs)
            self.agree(f"dbt build on {judge.name}", relations, failures, built, tested)
        for judge, relations, failures in results[1:]:
            self.agree(f"{judge.name} against {results[0][0].name}", results[0][1], results[0][2], relations, failures)
        say(f"dbt build agrees with its compiled SQL on {' and '.join(j.name for j in self.judges)}")

    def agree(self, where, relations, failures, other_relations, other_failures):
        found = []
        for table, expected in relations.items():
            other = other_relations[table]
            found += compare.differences(table, expected, other.columns, other.rows)
        found += [f"test {t}: {n} and {other_failures.get(t)}" for t, n in failures.items() if other_failures.get(t) != n]
        if found:
            raise Different(f"{where}: the reference disagrees with itself:\n  " + "\n  ".join(found))

    # The binary

    def start(self, verb, target, events, *words):
        command = [self.arguments.binary, verb, *words, "--project-dir", str(self.project.folder), "--profiles-dir", str(self.project.folder), "-t", target]
        if self.without:
            command += ["--exclude", *(f"{name}+" for name in self.without)]
        log = open(events.folder / "livemart.log", "w+b")
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.project.folder)
        process.log = log
        return process

    def livemart_run(self, target, events):
        process = self.start("build", target, events)
        try:
            code = process.wait(RUN_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Different(f"livemart run -t {target} did not end within {RUN_SECONDS_MAX} s:\n{events.log(process)}") from None
        if code not in PUBLISHED:
            raise Different(f"livemart build -t {target} ended with exit code {code}:\n{events.log(process)}")

    def lose_state(self, target):
        shutil.rmtree(self.project.folder / ".livemart" / target / "state", ignore_errors=True)


def narrowed(wanted, columns, rows):
    """These columns of a table, where it has them: dbt's not_null selects whole rows when they are stored, and one column when not."""
    if not set(wanted) <= set(columns):
        return columns, rows
    places = [columns.index(column) for column in wanted]
    return wanted, [tuple(row[place] for place in places) for row in rows]


class Events:
    """The files that livemart reads, one per source; they only grow, and may end in half a line."""

    def __init__(self, folder, lines, prefixes):
        self.folder, self.lines, self.prefixes, self.whole = folder, lines, prefixes, 0
        self.half = {source: 0 for source in lines}
        folder.mkdir()
        for source in lines:
            (folder / f"{source}.jsonl").write_bytes(b"")

    def grow(self, count, half):
        """Afterwards the files hold the history's first `count` lines, and with `half` the beginning of each one's next."""
        assert count >= self.whole
        if count == self.whole:
            return
        for source, lines in self.lines.items():
            begin, end = self.prefixes[self.whole][source], self.prefixes[count][source]
            if begin == end:
                continue
            text = "".join(line + "\n" for line in lines[begin:end]).encode()[self.half[source] :]
            self.half[source] = 0
            if half and end < len(lines):
                tail = lines[end].encode()
                self.half[source] = max(1, len(tail) // 2)
                text += tail[: self.half[source]]
            with open(self.folder / f"{source}.jsonl", "ab") as file:
                file.write(text)
        self.whole = count

    def log(self, process):
        process.log.seek(0)
        return process.log.read().decode(errors="replace")[-4000:]


class Databases:
    """Databases of the server that LIVEMART_TEST_POSTGRES names, made for this run and dropped after it."""

    def __init__(self):
        self.made = []

    @property
    def server(self):
        url = os.environ.get("LIVEMART_TEST_POSTGRES")
        if not url:
            raise SystemExit("LIVEMART_TEST_POSTGRES is not set. Run scripts/x oracle, or start the parts with scripts/x parts up")
        parts = urllib.parse.urlsplit(url)
        server = {"host": parts.hostname, "port": parts.port or 5432, "user": parts.username or "postgres", "dbname": parts.path.strip("/") or "postgres"}
        return {**server, "password": urllib.parse.unquote(parts.password)} if parts.password else server

    def make(self, purpose):
        name = f"oracle_{purpose}_{os.getpid()}"
        self.execute(f"create database {name}")
        self.made.append(name)
        return {**self.server, "dbname": name}

    def drop(self):
        for name in self.made:
            self.execute(f"drop database if exists {name} with (force)")

    def execute(self, statement):
        connection = psycopg2.connect(**self.server)
        connection.autocommit = True
        connection.cursor().execute(statement)
        connection.close()


def not_yet():
    """The models that livemart refuses, each with its reason behind a `#`."""
    lines = (pathlib.Path(__file__).parent / "not_yet.txt").read_text().splitlines()
    return [name for line in lines if (name := line.split("#")[0].strip())]


def say(text):
    print(text, flush=True)


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the livemart to test")
    parser.add_argument("--pg-cuts", type=int, default=5, help="cuts judged by dbt on PostgreSQL")
    parser.add_argument("--duckdb-cuts", type=int, default=2, help="cuts judged by dbt on DuckDB")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="default: a new one, which is printed")
    parser.add_argument("--events", type=int, default=HISTORY_EVENTS)
    parser.add_argument("--malformed", type=int, help="about so many of them unreadable (default: one in 2000)")
    parser.add_argument("--verdicts", choices=["last", "each"], default="last", help="at which cuts `livemart test` is compared, too")
    parser.add_argument("--history", metavar="DIR", help="a shop that `livemart demo generate` wrote, in place of a random history")
    parser.add_argument("--modes", type=lambda text: text.split(","), default=["run", "serve", "postgres"])
    parser.add_argument("--keep", action="store_true", help="keep the work folder")
    arguments = parser.parse_args(arguments)
    if arguments.malformed is None:
        arguments.malformed = arguments.events / 2000
    arguments.binary = str(pathlib.Path(arguments.binary).resolve())
    if arguments.pg_cuts + arguments.duckdb_cuts < 1 or arguments.events < 100:
        parser.error("at least one cut and 100 events are needed")
    if unknown := set(arguments.modes) - {"run", "serve", "postgres"}:
        parser.error(f"unknown modes: {', '.join(sorted(unknown))}")
    return arguments


def main():
    arguments = parse_arguments()
    work = pathlib.Path(tempfile.mkdtemp(prefix="livemart-oracle-"))
    databases, code = Databases(), 1
    try:
        oracle = Oracle(arguments, work, databases)
        oracle.dbt_itself()
        modes = {"run": oracle.run, "serve": oracle.serve, "postgres": oracle.run_postgres}
        for mode in arguments.modes:
            modes[mode]()
        say("livemart equals dbt at every cut")
        code = 0
    except Different as difference:
        say(f"DIFFERENT: {difference}")
        say(f"the seed was {arguments.seed}; with --seed {arguments.seed} and the same other arguments it happens again")
    finally:
        databases.drop()
        if arguments.keep or code:
            say(f"kept: {work}")
        else:
            shutil.rmtree(work)
    return code


if __name__ == "__main__":
    sys.exit(main())
