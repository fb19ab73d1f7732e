#!/usr/bin/env python3
"""Runs checked-out dbt projects of other people on livemart, and compares every model with what its compiled SQL gives on PostgreSQL or DuckDB.

      project ──copy, seeds become sources──┬─dbt compile──> SQL ──> PostgreSQL, else DuckDB ──────────┐
      CSVs ──rows that come, go and change──┴─livemart run, run, run … over a growing file ──> tables ─┴─> equal, or the rows that differ

    public_projects.py --binary PATH [--project NAME] [--cuts 3] [--seed 1] [--keep] DIR

DIR/NAME is a project as it is checked out, with its packages in dbt_packages (`dbt deps`); DIR/NAME.data/*.csv holds rows of its sources, where
they are not among its seeds, and vars.json its variables. Rows of seeds change here, too. Types of columns that no YAML declares are guessed from the CSVs.

1. PostgreSQL decides where it runs a model's SQL; DuckDB decides the rest (dialects: `count_if`, an alias that is read where it is made, dateadd).
2. Every model is published as a table; columns that tell the run apart (dbt's invocation) are not compared.
3. A model is planned or refused with its reason; of the planned ones each is equal, different, open (it ranks ties: livemart warns of it, or the judge, too,
   answers otherwise over the same rows in another order), or without a judge.
Exit code 1: a difference.
"""

import argparse
import collections
import csv
import datetime
import decimal
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing is written into the checkout

import duckdb
import psycopg2
import psycopg2.extras
import yaml

import compare
import sink as sinks
from many_models import KINDS
from oracle import Databases, say
from reference import Inputs, Table
from warehouse import in_order

RUN = {"dbt_batch_id", "dbt_batch_ts"}
REFUSED = re.compile(r"Compilation Error in model (\w+) .*\n\s*(.*)")
DBT = pathlib.Path(sys.executable).parent / "dbt"
# How often a judge is asked again over the same rows in another order, where livemart differs.
SHUFFLES = 4
TIES = re.compile(r"model\.\w+\.(\w+): .*leaves ties open")
DATEADD = re.compile(r"(?i)\bdateadd\(\s*'?(\w+)'?\s*,\s*(-?\d+)\s*,\s*(\w+)\s*\)")
NOT_MODELS = ("target", "logs", "dbt_packages", "dbt_modules", "integration_tests", ".git", "seeds", "data")


class Project:
    def __init__(self, directory, name, work, connection):
        self.name, self.folder, self.connection = name, work / name, connection
        shutil.copytree(directory / name, self.folder, ignore=shutil.ignore_patterns("target", "logs", ".git", "integration_tests"))
        self.variables = directory / f"{name}.data" / "vars.json"
        self.settings = yaml.safe_load((self.folder / "dbt_project.yml").read_text())
        self.rows, self.tables = {}, {}
        seeds = {p.stem: p for folder in ("seeds", "data") for p in sorted((directory / name / folder).rglob("*.csv"))}
        given = {p.stem: p for p in sorted((directory / f"{name}.data").glob("*.csv"))}
        sources = self.declared_sources()
        for table, path in {**seeds, **given}.items():
            source, schema = sources.get(table, ("seeds", "seeds"))
            self.take(table, source, schema, path)
        self.seeds_become_sources(set(seeds) - set(sources))
        self.write_settings()

    def declared_sources(self):
        """table -> (source, schema); their columns get the types of the rows."""
        found, self.yamls = {}, []
        for path in self.files("*.yml"):
            content = yaml.safe_load(path.read_text())
            if isinstance(content, dict) and content.get("sources"):
                self.yamls.append((path, content))
                for source in content["sources"]:
                    source.pop("database", None)
                    source["schema"] = source["name"]
                    found.update({(t.get("identifier") or t["name"]).lower(): (source["name"], source["name"]) for t in source["tables"]})
        return found

    def take(self, table, source, schema, path):
        with open(path, newline="", encoding="utf-8-sig") as file:
            header, *rows = list(csv.reader(file))
        columns = {c.strip().lower(): kind_of([row[n] for row in rows]) for n, c in enumerate(header)}
        first = [row[0] for row in rows]
        key = (next(iter(columns)),) if len(set(first)) == len(first) and "" not in first else ()
        self.tables[table.lower()] = Table(table.lower(), schema, columns, key, source)
        self.rows[table.lower()] = [dict(zip(columns, (value if value != "" else None for value in row))) for row in rows]

    def seeds_become_sources(self, seeds):
        shutil.rmtree(self.folder / "seeds", ignore_errors=True)
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        for path in self.files("*.sql"):
            text = path.read_text(encoding="utf-8-sig")
            for seed in seeds:
                text = re.sub(rf"\bref\(\s*['\"]{seed}['\"]\s*\)", f"source('seeds', '{seed.lower()}')", text)
            if "models" in path.parts:
                text = re.sub(r"(materialized\s*=\s*)['\"]\w+['\"]", r"\1'table'", text)
            path.write_text(text)
        # Tests and unit tests speak of seeds, too; they are not looked at here.
        for path in self.files("*.yml"):
            if path.parent != self.folder:
                content = yaml.safe_load(path.read_text())
                if isinstance(content, dict) and not content.get("sources"):
                    path.unlink()
        described = lambda t: {"name": t.name, "columns": [{"name": c, "data_type": k} for c, k in t.columns.items()]}
        for path, content in self.yamls:
            for source in content["sources"]:
                source["tables"] = [described(self.tables[n]) for t in source["tables"] if (n := (t.get("identifier") or t["name"]).lower()) in self.tables]
            path.write_text(json.dumps({"version": 2, "sources": content["sources"]}))
        if there := [described(self.tables[s.lower()]) for s in sorted(seeds)]:
            (self.folder / "models" / "seeds_as_sources.yml").write_text(json.dumps({"version": 2, "sources": [{"name": "seeds", "schema": "seeds", "tables": there}]}))

    def files(self, pattern):
        return [p for p in self.folder.rglob(pattern) if not set(p.relative_to(self.folder).parts) & set(NOT_MODELS)]

    def write_settings(self):
        c, settings = self.connection, self.settings
        profile = settings.get("profile", "default")
        for old, new in (("source-paths", "model-paths"), ("data-paths", "seed-paths")):
            if old in settings:
                settings[new] = settings.pop(old)
        settings.pop("require-dbt-version", None)
        settings.pop("seeds", None)
        settings["profile"] = profile
        settings["models"] = {"+materialized": "table"}
        if self.variables.exists():
            settings["vars"] = json.loads(self.variables.read_text())
        (self.folder / "dbt_project.yml").write_text(json.dumps(settings))
        output = {"type": "postgres", "host": c["host"], "port": c["port"], "user": c["user"], "password": c.get("password", ""), "dbname": c["dbname"], "schema": "made", "threads": 1}
        (self.folder / "profiles.yml").write_text(json.dumps({profile: {"target": "dev", "outputs": {"dev": output}}}))
        files = {s: {"connector": "file", "path": str(self.folder / f"{s}.jsonl"), "format": "json", "envelope": "debezium"} for s in {t.source for t in self.tables.values()}}
        keys = {f"{t.source}.{t.name}": {"key": list(t.key)} for t in self.tables.values() if t.key}
        password = ":" + c["password"] if "password" in c else ""
        sink = {"type": "postgres", "url": "postgres://{user}{0}@{host}:{port}/{dbname}".format(password, **c), "schema": "made"}
        (self.folder / "livemart.yml").write_text(json.dumps({"targets": {"dev": {"sources": {**files, **keys}, "sink": sink}}}))

    def compiled(self):
        done = self.command([DBT, "--no-use-colors", "compile"])
        manifest = self.folder / "target" / "manifest.json"
        if done.returncode or not manifest.exists():
            raise SystemExit(f"{self.name}: dbt compile failed:\n{done.stdout[-3000:]}")
        nodes = json.loads(manifest.read_text())["nodes"]
        return in_order({i: n for i, n in nodes.items() if n["resource_type"] == "model" and n["config"]["enabled"] and (n.get("compiled_code") or "").strip()})

    def command(self, words):
        environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "TZ": "UTC", "PGTZ": "UTC"}
        return subprocess.run([*map(str, words), "--project-dir", str(self.folder), "--profiles-dir", str(self.folder)], cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def history(self, rng):
        """source -> lines, and how many lines of each are among the first N of all."""
        events = []
        for name, rows in self.rows.items():
            table = self.tables[name]
            others = [c for c in table.columns if c not in table.key]
            for row in rows:
                wrong = lambda: {**row, **{c: rng.choice(rows)[c] for c in rng.sample(others, min(len(others), 2))}}
                story = rng.choices([[row], [wrong(), row], [row, None, row], [wrong(), None, row]], [60, 20, 10, 10])[0]
                moments = sorted(rng.random() for _ in story)
                events += [(at, table, before, after) for at, before, after in zip(moments, [None, *story], story)]
        events.sort(key=lambda event: event[0])
        lines, so_far = collections.defaultdict(list), [dict.fromkeys({t.source for t in self.tables.values()}, 0)]
        for number, (_, table, before, after) in enumerate(events):
            ts_ms = 1_700_000_000_000 + number
            op = "d" if after is None else "c" if before is None else "u"
            value = {"before": typed(table, before), "after": typed(table, after), "source": {"ts_ms": ts_ms, "table": table.name}, "op": op, "ts_ms": ts_ms}
            lines[table.source].append(json.dumps(value))
            so_far.append({**so_far[-1], table.source: so_far[-1][table.source] + 1})
        return lines, so_far


def typed(table, row):
    if row is None:
        return None
    as_json = {"integer": int, "bigint": int, "double precision": float, "boolean": lambda text: text.lower() in ("true", "t", "1")}
    return {c: None if row[c] is None else as_json.get(table.columns[c], str)(row[c]) for c in row}


def kind_of(values):
    values = [v for v in values if v != ""]
    every = lambda pattern: bool(values) and all(re.fullmatch(pattern, v) for v in values)
    if every(r"-?\d{1,9}"):
        return "integer"
    if every(r"-?\d{1,18}"):
        return "bigint"
    if every(r"-?\d+(\.\d+)?"):
        return f"numeric(18,{max(len(v.partition('.')[2]) for v in values)})"
    if every(r"\d{4}-\d\d-\d\d"):
        return "date"
    if every(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?"):
        return "timestamp"
    if every(r"(?i)true|false"):
        return "boolean"
    return "text"


class OnPostgres:
    name = "PostgreSQL"

    def __init__(self, connection):
        self.connection = psycopg2.connect(**connection)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.cursor.execute("set timezone = 'UTC'; set statement_timeout = '60s'")
        self.Error = psycopg2.Error

    def run(self, statement):
        self.cursor.execute(statement)

    def fill(self, table, rows):
        psycopg2.extras.execute_values(self.cursor, f'insert into "{table.schema}"."{table.name}" values %s', rows, page_size=1000)

    def another_way(self, number):
        """Groups and joins by sorting or by hashing, so that rows that are equal in an order meet it otherwise; None is as usual."""
        for bit, how in enumerate(("enable_hashagg", "enable_hashjoin")):
            self.run(f"set {how} = {'on' if number is None or number >> bit & 1 else 'off'}")
        return self

    def create(self, model):
        self.run(f"create table {model['relation_name']} as {model['compiled_code']}")

    def read(self, model):
        self.cursor.execute(f"select * from {model['relation_name']}")
        kinds = [KINDS.get(d.type_code, "text") for d in self.cursor.description]
        return compare.Relation([d.name for d in self.cursor.description], kinds, self.cursor.fetchall())


class OnDuckDb(OnPostgres):
    name = "DuckDB"
    NAMES = {"INTEGER": "integer", "BIGINT": "integer", "HUGEINT": "integer", "DATE": "date", "TIMESTAMP": "timestamp", "DOUBLE": "double", "BOOLEAN": "boolean"}

    def __init__(self, _):
        self.connection, self.Error = duckdb.connect(), duckdb.Error
        self.connection.execute("set timezone = 'UTC'; set integer_division = true; set default_null_order = 'postgres'")

    def run(self, statement):
        self.connection.execute(statement)

    def another_way(self, number):
        return self

    def fill(self, table, rows):
        places = ", ".join(["(" + ", ".join("?" * len(table.columns)) + ")"] * len(rows))
        self.connection.execute(f'insert into "{table.schema}"."{table.name}" values {places}', [v for row in rows for v in row])

    def create(self, model):
        sql = DATEADD.sub(lambda found: f"({found[3]} + interval '{found[2]} {found[1]}')", self.named(model["compiled_code"]))
        self.run(f"create table {self.named(model['relation_name'])} as {sql}")

    def named(self, text):
        return re.sub(r'"?\b\w+\b"?\.("?\w+"?\."?\w+"?)', r"\1", text)  # without PostgreSQL's database

    def read(self, model):
        result = self.connection.execute(f"select * from {self.named(model['relation_name'])}")
        kinds = [self.NAMES.get(str(d[1]), "numeric" if str(d[1]).startswith("DECIMAL") else "text") for d in result.description]
        return compare.Relation([d[0] for d in result.description], kinds, result.fetchall())


class Check:
    def __init__(self, arguments, project, connection):
        self.arguments, self.project, self.rng = arguments, project, random.Random(f"{arguments.seed} {project.name}")
        self.judges = [OnPostgres(connection), OnDuckDb(connection)]
        self.models, self.connection = project.compiled(), connection
        self.refused, self.verdicts = {}, {}
        self.ties = set()  # models of which livemart says itself that their SQL leaves an order open

    def run(self):
        lines, so_far = self.project.history(self.rng)
        cuts = sorted(self.rng.sample(range(1, len(so_far)), self.arguments.cuts - 1)) + [len(so_far) - 1]
        inputs = Inputs(self.project.tables)
        for cut in cuts:
            for source, count in so_far[cut].items():
                (self.project.folder / f"{source}.jsonl").write_text("".join(line + "\n" for line in lines[source][:count]))
            self.livemart()
            if cut == cuts[0]:
                # Templates may ask which columns a relation has: by now there are such relations.
                self.models = self.project.compiled()
            self.judge(inputs.apply_up_to(lines, so_far[cut]), cut)
        counts = collections.Counter(v.split(":")[0] for v in self.verdicts.values())
        say(f"{self.project.name}: {len(self.models)} models, {len(self.models) - len(self.refused)} planned, " + ", ".join(f"{n} {v}" for v, n in sorted(counts.items())) + f" at cuts {cuts}")
        for name, reason in sorted(self.refused.items()):
            say(f"    refused {name}: {reason}")
        for name, verdict in sorted(self.verdicts.items()):
            if not verdict.startswith("equal"):
                say(f"    {name} {verdict}")
        return sum(v.startswith("different") for v in self.verdicts.values())

    def livemart(self):
        while True:
            words = [self.arguments.binary, "run", "-t", "dev"]
            if self.refused:
                # What reads a refused model is refused with it.
                words += ["--exclude", *(f"{name}+" for name in self.refused)]
            done = self.project.command(words)
            if done.returncode == 0:
                self.ties.update(TIES.findall(done.stdout))
                return
            found = [(name, reason) for name, reason in REFUSED.findall(done.stdout) if name not in self.refused]
            if not found:
                raise SystemExit(f"{self.project.name}: livemart run ended with exit code {done.returncode}:\n{done.stdout[-3000:]}")
            self.refused.update(found)

    def judge(self, inputs, cut):
        sinks_tables, sink = {}, sinks.Postgres(self.connection)
        with sink.snapshot() as select:
            for model in self.models:
                for schema in dict.fromkeys(("made", model["schema"])):
                    if sink.has_mart(select, model["alias"], schema):
                        sinks_tables[model["name"]] = select(f"select * from {sink.mart(model['alias'], schema)}")
                        break
        done = set()
        for judge in self.judges:
            answers, others = self.answers(judge, inputs, list), []
            for model in self.models:
                name, answer = model["name"], answers[model["name"]]
                if isinstance(answer, str):
                    self.verdicts.setdefault(name, f"without a judge: {judge.name}: {answer}")
                    continue
                if name in done or name in self.refused:
                    continue
                done.add(name)
                if self.verdicts.get(name, "").startswith(("different", "open")):
                    continue
                wrong = different(name, answer, sinks_tables.get(name))
                self.verdicts[name] = f"equal: {judge.name}"
                if wrong:
                    # The same rows in another order: of a model that ranks ties the judge gives another answer, too.
                    others = others or [self.answers(judge.another_way(seed), inputs, shuffled(seed)) for seed in range(SHUFFLES)]
                    judge.another_way(None)
                    is_open = name in self.ties or any(different(name, answer, (answer.columns, other[name].rows)) for other in others)
                    self.verdicts[name] = f"{'open' if is_open else 'different'}: from {judge.name} at cut {cut}: " + "\n      ".join(wrong)
        for name in self.refused:
            self.verdicts.pop(name, None)


    def answers(self, judge, inputs, order):
        """What the judge makes of every model, or why it does not."""
        found = {}
        made = sorted({m["schema"] + "_judged" for m in self.models})
        for schema in sorted({t.schema for t in inputs.tables.values()}) + made:
            judge.run(f'drop schema if exists "{schema}" cascade')
            judge.run(f'create schema "{schema}"')
        for table in inputs.tables.values():
            judge.run(f'create table "{table.schema}"."{table.name}" ({", ".join(f"{c} {k}" for c, k in table.columns.items())})')
            if rows := order(inputs.rows(table.name)):
                judge.fill(table, rows)
        for model in map(judged, self.models):
            try:
                judge.create(model)
                found[model["name"]] = judge.read(model)
            except judge.Error as error:
                found[model["name"]] = str(error).splitlines()[0]
        return found


def shuffled(seed):
    return lambda rows: random.Random(seed).sample(rows, len(rows))


def judged(model):
    """The model with schemas of the judge's own: those named so are livemart's."""
    # With or without quotes and the database's name, as the project has it.
    rename = lambda text: re.sub(rf'(?<![\w"])(?:"?\w+"?\.)?"?({model["schema"]})"?\.("?)(\w+)("?)', r'"\1_judged".\2\3\4', text)
    return {**model, "relation_name": rename(model["relation_name"]), "compiled_code": rename(model["compiled_code"])}


def different(name, expected, got):
    if got is None:
        return ["it is not published"]
    keep = [n for n, c in enumerate(expected.columns) if c not in RUN]
    if list(expected.columns) != list(got[0]):
        return compare.differences(name, expected, *got)
    pick = lambda row: tuple(plain(row[n], expected.kinds[n]) for n in keep)
    return compare.differences(name, compare.Relation([expected.columns[n] for n in keep], [expected.kinds[n] for n in keep], [pick(r) for r in expected.rows]), [expected.columns[n] for n in keep], [pick(r) for r in got[1]])


def plain(value, kind):
    """DuckDB and PostgreSQL differ in types: doubles and numerics by value to 12 digits, midnight is a date."""
    if isinstance(value, (float, decimal.Decimal)) and kind != "integer":
        number = f"{value:.12g}"
        return float(number) if kind == "double" else decimal.Decimal(number) if kind == "numeric" else number
    if isinstance(value, int) and not isinstance(value, bool) and kind == "double":
        return float(value)
    if isinstance(value, decimal.Decimal) and kind == "integer" and value == value.to_integral_value():
        return int(value)
    if isinstance(value, datetime.datetime) and kind == "date" and value == datetime.datetime.combine(value.date(), datetime.time()):
        return value.date()
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime) and kind == "timestamp":
        return datetime.datetime.combine(value, datetime.time())
    return str(value) if kind == "text" and value is not None else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=lambda path: str(pathlib.Path(path).resolve()), help="the livemart to test")
    parser.add_argument("--project", help="one of them")
    parser.add_argument("--cuts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the work folder")
    parser.add_argument("directory", type=lambda path: pathlib.Path(path).resolve())
    arguments = parser.parse_args()
    work, databases, differences = pathlib.Path(tempfile.mkdtemp(prefix="livemart-projects-")), Databases(), 0
    try:
        for folder in sorted(p for p in arguments.directory.iterdir() if (p / "dbt_project.yml").exists()):
            if arguments.project in (None, folder.name):
                connection = databases.make("project_" + re.sub(r"\W", "_", folder.name))
                try:
                    differences += Check(arguments, Project(arguments.directory, folder.name, work, connection), connection).run()
                except SystemExit as failure:
                    say(str(failure))
                    differences += 1
    finally:
        databases.drop()
        if arguments.keep:
            say(f"kept: {work}")
        else:
            shutil.rmtree(work)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
