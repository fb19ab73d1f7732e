#!/usr/bin/env python3
"""Compares livemart with PostgreSQL and DuckDB on random queries over random change histories, at every cut.

      N queries ──models of one dbt project──> livemart run, run, run … on a growing file ──> tables ─┐
      history ──its first lines──> rows ──> PostgreSQL, DuckDB ──the same SQL──────────────────────────┴─> equal, or a small reproduction

    random_queries.py --binary PATH [--seed N] [--histories 20] [--queries 100] [--cuts 3] [--events 400] [--only HISTORY[:QUERY]] [--keep]

1. One process maintains all queries of a history; every cut but the first is reached from the cut before it, incrementally.
2. PostgreSQL decides. DuckDB is asked where the dialects agree (query_generator.py says where not) and its difference is a failure too:
   either a query has more than one right answer, or a new difference of the dialects must be named.
   The clock follows the events; PostgreSQL is asked with the cut's clock in the place of now() and current_date.
3. Rows are compared as multisets: exact values, but for doubles, which may differ by 1e-12 of their size.
4. What livemart refuses while planning is counted by reason and shown; what PostgreSQL itself refuses is a fault of the generator and shown too.
5. A difference is printed with its seed, the query with as few columns and the history with as few lines as still show it.

PostgreSQL is the one that LIVEMART_TEST_POSTGRES names; a database is made there and dropped. Exit code 1: a difference.
"""

import argparse
import collections
import decimal
import json
import math
import os
import pathlib
import random
import re
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # nothing is written into the checkout

import duckdb

import compare
from many_models import Crashed, Models, Postgres, Refused, declarations, on_database
from oracle import Databases, say
from query_generator import TABLES, Generator, clock_at
from query_history import QueryHistory
from reference import Inputs

RELATIVE_MAX = 1e-12
# How often a history is run again to make one reproduction smaller.
SHRINK_RUNS_MAX = 60


class DuckDb:
    name = "DuckDB"

    def __init__(self):
        self.connection = duckdb.connect()
        for setting in ("timezone = 'UTC'", "threads = 1", "integer_division = true", "default_null_order = 'postgres'"):
            self.connection.execute(f"set {setting}")
        for statement in declarations(TABLES):
            self.connection.execute(statement)

    def load(self, inputs):
        for table in TABLES:
            self.connection.execute(f"delete from shop.{table}")
            if rows := inputs.rows(table):
                places = ", ".join(["(" + ", ".join("?" * len(rows[0])) + ")"] * len(rows))
                self.connection.execute(f"insert into shop.{table} values {places}", [value for row in rows for value in row])

    def rows(self, sql):
        try:
            return self.connection.execute(on_database(sql, TABLES)).fetchall()
        except duckdb.Error as error:
            raise Refused(str(error).split("\n")[0]) from None


class Hunt:
    def __init__(self, arguments, work, postgres, duck):
        self.arguments, self.work, self.postgres, self.duck = arguments, pathlib.Path(work), postgres, duck
        self.counts = collections.Counter()
        self.reasons = {"livemart refuses": collections.defaultdict(list), "PostgreSQL refuses": collections.defaultdict(list), "DuckDB refuses": collections.defaultdict(list)}
        self.folders = 0

    def history(self, number):
        """All queries over one history. Gives the number of differences."""
        a = self.arguments
        lines = QueryHistory(random.Random(f"{a.seed} {number}")).lines(a.events)
        rng = random.Random(f"{a.seed} {number} cuts")
        cuts = sorted(rng.sample(range(1, len(lines)), a.cuts - 1)) + [len(lines)]
        queries = {f"q{n}": Generator(random.Random(f"{a.seed} {number} {n}")).query() for n in range(a.queries) if a.only is None or n == a.only}
        begun = time.monotonic()
        differences, refused = self.compare({n: q.sql for n, q in queries.items()}, lines, cuts, {n for n, q in queries.items() if not q.differs})
        for name, reason in refused.items():
            self.note("livemart refuses", reason, f"{number}:{name[1:]}", queries[name].sql)
        say(f"history {number}: {len(queries) - len(refused)} queries at cuts {cuts}, {len(differences)} differ, {time.monotonic() - begun:.1f} s")
        for name, (judge, at, text) in differences.items():
            say(f"\nDIFFERENT: --seed {a.seed} --only {number}:{name[1:]}, against {judge}, at cut {cuts[at]} of {cuts}\n  {queries[name].sql}\n  {text}")
            if judge == self.postgres.name and a.shrink:
                self.shrink(queries[name], lines, cuts[: at + 1])
        return len(differences)

    def compare(self, queries, lines, cuts, agreeing=()):
        """name -> (judge, number of the cut, text) of the first difference of each query; and what livemart refuses, with its reason."""
        batch, found = Models(self.arguments.binary, self.folder(), self.postgres.where, TABLES, queries), {}
        inputs, source = Inputs(TABLES), {"shop": lines}
        try:
            for at, end in enumerate(cuts):
                tables, errors = batch.run(lines[:end])
                inputs.apply_up_to(source, {"shop": end})
                self.load(inputs)
                for name in batch.queries:
                    if name not in found and (difference := self.judge(name, clock_at(queries[name], batch.clock), tables, errors, name in agreeing)):
                        found[name] = (difference[0], at, difference[1])
        except Crashed as crash:
            if len(queries) == 1:
                return {name: (self.postgres.name, len(cuts) - 1, str(crash)) for name in queries}, {}
            names, found, refused = list(queries), {}, {}
            for half in (names[: len(names) // 2], names[len(names) // 2 :]):
                differing, without = self.compare({n: queries[n] for n in half}, lines, cuts, agreeing)
                found.update(differing)
                refused.update(without)
            if not found:  # only together: what they share is to blame
                found[names[0]] = (self.postgres.name, len(cuts) - 1, f"together with {', '.join(names[1:])}: {crash}")
            return found, refused
        finally:
            if not self.arguments.keep:
                batch.drop()
        return found, batch.refused

    def load(self, inputs):
        self.postgres.load(inputs)
        self.duck.load(inputs)

    def judge(self, name, sql, tables, errors, agreeing):
        """(judge, text) of a difference, or None."""
        try:
            expected = self.postgres.answer(sql)
        except Refused as reason:
            self.note("PostgreSQL refuses", str(reason), name, sql)
            return None
        self.counts["PostgreSQL"] += 1
        self.counts["rows"] += len(expected.rows)
        if name not in tables:
            return self.postgres.name, "it is not published"
        if wrong := different(name, expected, *tables[name]):
            own = [json.dumps(e, default=str) for e in errors if name in str(e)]
            return self.postgres.name, "\n  ".join(wrong + own[:3])
        if agreeing:
            try:
                rows = self.duck.rows(sql)
            except Refused as reason:
                self.note("DuckDB refuses", str(reason), name, sql)
                return None
            self.counts["DuckDB"] += 1
            if wrong := different(name, compare.Relation(expected.columns, expected.kinds, [plain_row(r) for r in rows]), *tables[name]):
                return self.duck.name, "\n  ".join(wrong)
        return None

    def note(self, group, reason, where, sql):
        reason = re.sub(r"\(line \d+, column \d+\)|LINE \d+.*", "", reason)
        self.reasons[group][re.sub(r'"[^"]*"|\d+', "…", reason)].append((where, reason, sql))

    def folder(self):
        self.folders += 1
        return self.work / f"batch{self.folders}"

    # Reproductions

    def shrink(self, query, lines, cuts):
        """Fewer columns, then fewer lines; two runs are kept where one does not show it."""

        def shows(sql, lines, cuts):
            found, _ = self.compare({"q": sql}, lines, cuts)
            return found.get("q")

        sql = query.sql
        smaller = {f"q{n}": text for n, text in enumerate(query.smaller())}
        if smaller and (found := self.compare(smaller, lines, cuts)[0]):
            sql = min((smaller[name] for name in found), key=len)
        # The lines before the last cut but one, and those after it.
        parts = [lines[: cuts[-1]]] if shows(sql, lines, cuts[-1:]) else [lines[: cuts[-2]], lines[cuts[-2] : cuts[-1]]] if len(cuts) > 1 and shows(sql, lines, cuts[-2:]) else None
        if parts is None:
            say(f"  smaller: {sql}\n  every cut is needed to see it")
            return
        ends = lambda parts: [sum(len(p) for p in parts[: n + 1]) for n in range(len(parts))]
        runs, best = 0, None
        for which in range(len(parts)):
            step = max(1, len(parts[which]) // 2)
            while runs < SHRINK_RUNS_MAX:
                at = 0
                while at < len(parts[which]) and runs < SHRINK_RUNS_MAX:
                    fewer = [p if n != which else p[:at] + p[at + step :] for n, p in enumerate(parts)]
                    runs += 1
                    if all(fewer) and (found := shows(sql, sum(fewer, []), ends(fewer))):
                        parts, best = fewer, found
                    else:
                        at += step
                if step == 1:
                    break
                step = max(1, step // 2)
        say(f"  smaller: {sql}")
        for n, part in enumerate(parts):
            inputs = Inputs(TABLES).apply_up_to({"shop": sum(parts[:n], [])}, {"shop": 0})
            say(f"  lines of run {n + 1}:")
            for line in part:
                value = json.loads(line)
                say(f"    {value['source']['table']} {value['op']} {json.dumps(value['before'])} -> {json.dumps(value['after'], ensure_ascii=False)}")
        if best:
            say(f"  {best[2]}")


def plain_row(row):
    """DuckDB's sums of integers may be decimals without a fraction."""
    return tuple(int(v) if isinstance(v, decimal.Decimal) and v == v.to_integral_value() else v for v in row)


def different(name, expected, columns, rows):
    """compare.differences, but doubles may differ by what the order of a sum does."""
    if "double" in expected.kinds and list(expected.columns) == list(columns):
        canonical = lambda row: tuple(compare.canonical(v, k) for v, k in zip(row, expected.kinds))
        want, have = collections.Counter(map(canonical, expected.rows)), collections.Counter(map(canonical, rows))
        missing, extra = list((want - have).elements()), list((have - want).elements())
        if len(missing) == len(extra) and all(take_near(row, extra) for row in missing):
            return []
    return compare.differences(name, expected, columns, rows)


def take_near(row, others):
    for other in others:
        if all(a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=RELATIVE_MAX)) for a, b in zip(row, other)):
            others.remove(other)
            return True
    return False


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the livemart to test")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="default: a new one, which is printed")
    parser.add_argument("--histories", type=int, default=20)
    parser.add_argument("--queries", type=int, default=100, help="queries per history")
    parser.add_argument("--cuts", type=int, default=3, help="cuts per history, the last at its end")
    parser.add_argument("--events", type=int, default=400, help="changes per history")
    parser.add_argument("--only", metavar="HISTORY[:QUERY]", help="one history or one query again")
    parser.add_argument("--no-shrink", dest="shrink", action="store_false", help="print differences as they are found")
    parser.add_argument("--keep", action="store_true", help="keep the work folder")
    arguments = parser.parse_args()
    arguments.binary = str(pathlib.Path(arguments.binary).resolve())
    arguments.numbers = range(arguments.histories)
    if arguments.only:
        number, _, query = arguments.only.partition(":")
        arguments.numbers, arguments.only = [int(number)], int(query) if query else None
        if query:
            arguments.queries = max(arguments.queries, arguments.only + 1)
    return arguments


def main():
    arguments = parse_arguments()
    work = pathlib.Path(tempfile.mkdtemp(prefix="livemart-queries-"))
    databases, differences = Databases(), 0
    try:
        hunt = Hunt(arguments, work, Postgres(databases.make("queries"), TABLES), DuckDb())
        say(f"seed {arguments.seed}")
        for number in arguments.numbers:
            differences += hunt.history(number)
        for group, reasons in hunt.reasons.items():
            for reason, places in sorted(reasons.items(), key=lambda item: -len(item[1])):
                where, example, sql = min(places, key=lambda place: len(place[2]))
                say(f"{group}, {len({p[0] for p in places})} times: {example}\n    {where}: {sql}")
        c = hunt.counts
        say(f"{differences} queries differ; {c['PostgreSQL']} comparisons with PostgreSQL ({c['rows']} rows), {c['DuckDB']} with DuckDB; the seed was {arguments.seed}")
    finally:
        databases.drop()
        if arguments.keep:
            say(f"kept: {work}")
        else:
            shutil.rmtree(work)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
