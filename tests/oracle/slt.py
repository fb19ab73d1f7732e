#!/usr/bin/env python3
"""Runs other engines' tests of views over changing tables: their statements give the changes, PostgreSQL the answers.

      *.slt, *.sql ──statements──> PostgreSQL ──rows of each table before and after──> changes ──livemart run──> tables ─┐
                                      └── every view's rows wherever the file looks at one ──────────────────────────────┴─> equal

    slt.py --binary PATH [--case NAME] [--every] [--cuts 3] [--verbose] DIR

1. CREATE TABLE, INSERT, UPDATE, DELETE and TRUNCATE are run as they are; a materialized view (or pg_ivm's create_immv) becomes a plain view
   in PostgreSQL and a model here. What the file itself expects is not looked at: PostgreSQL is asked anew.
2. A case ends when objects are dropped and new ones begin. Of a file `a/b.slt` it is called `a_b.N`; a case runs if the SHA-256 of its name
   is even (`--every` runs the others, too).
3. What PostgreSQL does not run, and views that read the clock, are no test. A view that livemart refuses is counted with its reason.
4. Nothing of the files is kept. Exit code 1: a difference.
"""

import argparse
import collections
import decimal
import hashlib
import itertools
import json
import pathlib
import re
import shutil
import sys
import tempfile

sys.dont_write_bytecode = True  # nothing is written into the checkout

import psycopg2

from many_models import Crashed, Models
from oracle import Databases, say
from reference import Table

SCHEMA = "slt"
VIEW = re.compile(r"(?is)create\s+(?:or\s+replace\s+)?(?:materialized\s+)?view\s+(?:if\s+not\s+exists\s+)?\"?(\w+)\"?\s*(\([^()]*\))?\s*(?:with\s*\([^)]*\)\s*)?as\s+(.*)$")
IMMV = re.compile(r"(?is)select\s+(?:pgivm\.)?create_immv\s*\(\s*'\s*(\w+)\s*(\([^()]*\))?\s*'\s*,\s*(?:'(.*)'|\$\$(.*)\$\$)\s*\)$")
CHANGE = re.compile(r"(?is)(insert\s+into|update|delete\s+from|truncate(?:\s+table)?)\s+(?:only\s+)?\"?(\w+)\"?")
CLOCK = re.compile(r"(?i)\b(now|current_date|current_timestamp|current_time|localtime|localtimestamp|proctime|random|clock_timestamp)\b")
IGNORED = re.compile(r"(?i)(set|flush|wait|show|explain|describe|alter system|create index|create unique index|drop index|analyze|recover|grant|revoke|create extension|\\)")
# Of a query with LIMIT and no order every answer is right.
OPEN = re.compile(r"(?is)^(?!.*\border\s+by\b).*\blimit\s+\d")
KINDS = {700: "double", 701: "double", 1700: "numeric", 1186: "interval"}


class Case:
    def __init__(self, name):
        self.name, self.tables, self.views, self.lines, self.looks = name, {}, {}, [], []  # looks: (lines so far, view -> rows)


class Player:
    """Plays one file on PostgreSQL and gives its cases."""

    def __init__(self, connection, name):
        self.cursor, self.name, self.cases, self.dropped = connection.cursor(), name, [], False
        self.begin()

    def begin(self):
        self.cursor.execute(f"rollback; drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}; set search_path to {SCHEMA}; set statement_timeout = '5s'; set timezone = 'UTC'")
        self.case, self.dropped, self.known, self.newest = Case(f"{self.name}.{len(self.cases)}"), False, {}, {}  # known: table -> its rows as the lines say

    def end(self):
        self.look()
        self.cases.append(self.case)

    def statement(self, sql):
        bare = re.sub(r"--[^\n]*", "", sql).strip().rstrip(";").strip()
        if not bare or IGNORED.match(bare):
            return
        if re.match(r"(?i)create", bare) and self.dropped and (self.case.tables or self.case.views):
            self.next_case()
        self.dropped |= bool(re.match(r"(?i)drop\b", bare))
        inside = self.inside()
        try:
            if inside:
                self.cursor.execute("savepoint before")
            self.play(bare)
        except psycopg2.Error:  # not a test of ours
            if inside:
                self.cursor.execute("rollback to before")

    def next_case(self):
        """What the case before has left is the beginning of the next."""
        left, views = set(self.tables()), self.alive()
        self.cases.append(self.case)
        before, self.case, self.dropped, self.known = self.case, Case(f"{self.name}.{len(self.cases)}"), False, {}
        for name in sorted(left & set(before.tables)):
            self.declare(name)
        for name in views:
            self.case.views[name] = before.views[name]

    def alive(self):
        self.cursor.execute("select viewname from pg_views where schemaname = %s", (SCHEMA,))
        there = {name for (name,) in self.cursor.fetchall()}
        return [model for model, (_, _, name) in self.case.views.items() if name in there and self.newest.get(name) == model]

    def play(self, sql):
        if found := VIEW.match(sql) or IMMV.match(sql):
            body = found[3] or (found[4].replace("''", "'") if found.re is IMMV and found[4] else None) or found[4]
            body = body.replace("''", "'") if found.re is IMMV and found[3] else body
            name = found[1].lower()
            self.cursor.execute("select count(*) from pg_views where schemaname = %s and viewname = %s", (SCHEMA, name))
            if found.re is IMMV and self.cursor.fetchone()[0]:  # what pg_ivm refuses leaves its name free
                name += f"_{len(self.case.views)}"
            body = self.create_view(name, found[2] or "", body.strip().rstrip(";"))
            model = name if name not in self.case.views else f"{name}__{len(self.case.views)}"
            self.case.views[model], self.newest[name] = (body, found[2], name), model
        elif re.match(r"(?i)alter\s+table", sql) and not self.case.lines:
            self.cursor.execute(sql)
            for name in list(self.case.tables):
                self.declare(name)
        elif re.match(r"(?i)create\s+table", sql):
            text = re.sub(r"(?is),?\s*watermark\s+for\s+.*?(?=\)\s*(append|with|$))", "", sql)
            text = re.sub(r"(?is)\)\s*(append\s+only|with\s*\(|on\s+conflict).*$", ")", text)
            before = self.tables()
            self.cursor.execute(text)
            for name in set(self.tables()) - set(before):
                self.declare(name)
        elif CHANGE.match(sql):
            self.change(sql)
        elif re.match(r"(?i)drop\b", sql):
            self.look()
            self.cursor.execute(re.sub(r"(?i)materialized\s+view", "view", sql) + ("" if re.search(r"(?i)cascade", sql) else " cascade"))
        elif re.match(r"(?i)(select|with)\b", sql):
            self.look()
        elif re.match(r"(?i)(begin|start transaction|commit|rollback|end|savepoint|alter\s+table)\b", sql):
            self.change(sql)

    def create_view(self, name, columns, body):
        """Gives the body back, with names for the subqueries to which the file gives none."""
        head = f'create view "{name}" {columns} as '
        while True:
            try:
                self.cursor.execute("savepoint naming" if self.inside() else "select 1")
                self.cursor.execute(head + body)
                return body
            except psycopg2.Error as error:
                if "must have an alias" not in str(error):
                    raise
                if self.inside():
                    self.cursor.execute("rollback to naming")
                begin = int(error.diag.statement_position) - 1 - len(head)
                depths = list(itertools.accumulate((c == "(") - (c == ")") for c in body[begin:]))
                end = begin + depths.index(0) + 1
                body = f"{body[:end]} as anonymous{end}{body[end:]}"

    def inside(self):
        return self.cursor.connection.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE

    def tables(self):
        self.cursor.execute(f"select tablename from pg_tables where schemaname = '{SCHEMA}'")
        return [name for (name,) in self.cursor.fetchall()]

    def declare(self, name):
        self.cursor.execute("select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum", (f'"{name}"',))
        columns = {column: {"name": "text"}.get(kind, kind) for column, kind in self.cursor.fetchall()}
        self.cursor.execute("select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey) where i.indrelid = %s::regclass and i.indisprimary", (f'"{name}"',))
        table = Table(name, SCHEMA, columns, tuple(c for (c,) in self.cursor.fetchall()), SCHEMA)
        known = self.case.tables.setdefault(name, table)
        if (known.columns, known.key) != (table.columns, table.key):
            if self.case.lines:
                return self.next_case()
            self.case.tables[name] = table
        self.known.setdefault(name, collections.Counter())
        self.note_changes()

    def as_declared(self, table):
        self.cursor.execute("select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum", (f'"{table.name}"',))
        return [c for (c,) in self.cursor.fetchall()] == list(table.columns)

    def rows(self, name):
        self.cursor.execute(f'select to_json(t)::text from "{name}" t')
        return collections.Counter(text for (text,) in self.cursor.fetchall())

    def change(self, sql):
        """Runs a statement, and notes what it did to every table: foreign keys and rollbacks change others, too."""
        self.cursor.execute(re.sub(r"(?is)\s+returning\s.*$", "", sql))
        self.note_changes()

    def note_changes(self):
        there = set(self.tables())
        for name, table in self.case.tables.items():
            # While a table's columns have other names, what happens to it is not told.
            if name in there and not self.as_declared(table):
                continue
            old, rows = self.known[name], self.rows(name) if name in there else collections.Counter()
            self.known[name] = rows
            gone, new = list((old - rows).elements()), list((rows - old).elements())
            if not table.key:
                for text in gone:
                    self.line(name, "d", text, "null")
                for text in new:
                    self.line(name, "c", "null", text)
                continue
            key = lambda text: json.dumps([json.loads(text, parse_float=str)[c] for c in table.key])
            new = {key(text): text for text in new}
            for text in gone:
                if key(text) not in new:
                    self.line(name, "d", text, "null")
            gone = {key(text): text for text in gone}
            for k, text in new.items():
                self.line(name, "u" if k in gone else "c", gone.get(k, "null"), text)

    def line(self, table, op, before, after):
        ts_ms = 1_700_000_000_000 + len(self.case.lines)
        self.case.lines.append(f'{{"before":{before},"after":{after},"source":{{"ts_ms":{ts_ms},"table":"{table}"}},"op":"{op}","ts_ms":{ts_ms}}}')

    def look(self):
        if not all(self.as_declared(t) for t in self.case.tables.values() if t.name in self.tables()):
            return
        if not self.case.lines or (self.case.looks and self.case.looks[-1][0] == len(self.case.lines)):
            return
        seen = {}
        inside = self.inside()
        for model in self.alive():
            try:
                if inside:
                    self.cursor.execute("savepoint looking")
                seen[model] = relation(self.cursor, f'"{self.case.views[model][2]}"')
            except psycopg2.Error:
                if inside:
                    self.cursor.execute("rollback to looking")
        self.case.looks.append((len(self.case.lines), seen))


def relation(cursor, name):
    """Columns and rows: numbers as such, all else as PostgreSQL prints it."""
    cursor.execute(f"select * from {name} limit 0")
    columns = [(d.name, KINDS.get(d.type_code, "text")) for d in cursor.description]
    if not columns:
        return [], []
    # Of intervals that are equal (24 hours, a day) a group shows any.
    shown = {"text": '"{}"::text', "interval": 'justify_interval("{}")::text'}
    cursor.execute("select " + ", ".join(shown.get(k, '"{}"').format(c) for c, k in columns) + f" from {name}")
    return columns, cursor.fetchall()


def same(expected, got):
    if [c for c, _ in expected[0]] != [c for c, _ in got[0]]:
        return f"columns {[c for c, _ in expected[0]]}, got {[c for c, _ in got[0]]}"
    canonical = lambda row: tuple(float(f"{v:.9g}") if isinstance(v, float) else v.normalize() if isinstance(v, decimal.Decimal) and v.is_finite() else str(v) if isinstance(v, decimal.Decimal) else v for v in row)
    want, have = collections.Counter(map(canonical, expected[1])), collections.Counter(map(canonical, got[1]))
    if want == have:
        return None
    return f"missing {list((want - have).elements())[:3]}, too many {list((have - want).elements())[:3]}"


def model(case, name):
    """A view's text behind WITH queries that give its tables the names they have there."""
    body, names, _ = case.views[name]
    used = set(re.findall(r"\w+", body.lower()))
    heads = [f"\"{t}\" as (select * from @{t}@)" for t in case.tables if t in used]
    heads += [f"\"{pg}\" as (select * from {{{{ ref('{v}') }}}})" for v, (_, _, pg) in case.views.items() if pg in used and v != name]
    body = "{% raw %}" + body + "{% endraw %}"
    heads.append(f"result{names or ''} as (select * from (\n{body}\n) as body)")
    return f"with {', '.join(heads)} select * from result"


def records(path):
    """The statements of a file."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".sql":
        yield from statements(text)
        return
    lines, at, skipped = text.split("\n"), 0, False
    while at < len(lines):
        words = lines[at].split()
        if not words or words[0].startswith("#") or words[0] not in ("skipif", "onlyif", "include", "statement", "query"):
            at += 1
            continue
        if words[0] in ("skipif", "onlyif"):
            skipped |= (words[0] == "onlyif") == (words[1] not in ("risingwave", "postgres"))
            at += 1
            continue
        if words[0] == "include":
            for found in sorted(path.parent.glob(words[1])):
                yield from records(found)
            at += 1
            continue
        at += 1
        sql = []
        while at < len(lines) and lines[at].strip() and lines[at].strip() != "----":
            sql.append(lines[at])
            at += 1
        while at < len(lines) and lines[at].strip():
            at += 1
        if not skipped and words[:2] != ["statement", "error"]:
            yield "\n".join(sql)
        skipped = False


def statements(text):
    """A script's statements; a semicolon inside quotes ends nothing."""
    pieces, begin = re.finditer(r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"|\$(\w*)\$.*?\$\1\$|;", text, re.S), 0
    for piece in pieces:
        if piece[0] == ";":
            yield text[begin : piece.start()]
            begin = piece.end()


class Runner:
    def __init__(self, arguments, work, databases):
        self.arguments, self.work = arguments, work
        self.where = databases.make("slt")
        self.connection = psycopg2.connect(**self.where)
        self.connection.autocommit = True
        self.counts, self.reasons, self.number = collections.Counter(), collections.defaultdict(list), 0

    def file(self, root, path):
        player = Player(self.connection, re.sub(r"\W+", "_", str(path.relative_to(root)).rsplit(".slt", 1)[0].removesuffix(".sql")))
        for sql in records(path):
            player.statement(sql)
        player.end()
        for case in player.cases:
            even = int(hashlib.sha256(case.name.encode()).hexdigest(), 16) % 2 == 0
            if (even or self.arguments.every or self.arguments.case) and self.arguments.case in (None, case.name) and case.views and case.lines and case.looks:
                self.case(case)

    def case(self, case):
        self.number += 1
        wanted = {v: model(case, v) for v, (body, *_) in case.views.items() if not CLOCK.search(body) and not OPEN.search(body) and any(v in seen for _, seen in case.looks)}
        refs = lambda text: set(re.findall(r"ref\('(\w+)'\)", text))
        while gone := [v for v, text in wanted.items() if not refs(text) <= set(wanted)]:
            for v in gone:
                del wanted[v]
        if not wanted:
            self.counts["cases without a test"] += 1
            return
        looks = case.looks if len(case.looks) <= self.arguments.cuts else [case.looks[len(case.looks) * n // self.arguments.cuts] for n in range(self.arguments.cuts - 1)] + [case.looks[-1]]
        self.counts["cases"] += 1
        models, failed = Models(self.arguments.binary, self.work / f"case{self.number}", self.where, case.tables, wanted), {}
        try:
            for lines, seen in looks:
                models.run(case.lines[:lines])
                for v in models.queries:
                    if v in seen and v not in failed:
                        with psycopg2.connect(**self.where) as connection:
                            cursor = connection.cursor()
                            cursor.execute("set timezone = 'UTC'")
                            got = relation(cursor, f'"{models.instance}"."{v}"')
                        if wrong := same(seen[v], got):
                            failed[v] = f"after {lines} changes: {wrong}"
        except Crashed as crash:
            self.counts["cases that did not run"] += 1
            said = [line for line in str(crash).split("\n") if re.search(r"(?i)error|refus|not supported", line)]
            self.reasons["did not run"].append((" ".join(said[:6])[:800], case.name, ""))
            return
        finally:
            models.drop()
        for v in wanted:
            verdict = "refused" if v in models.refused else "failed" if v in failed else "equal"
            self.counts[verdict] += 1
            if verdict == "refused":
                self.reasons[re.sub(r'"[^"]*"|\(line.*?\)', "…", models.refused[v])].append((models.refused[v], case.name, case.views[v][0]))
            if verdict == "failed":
                say(f"FAILED {case.name} {v}: {failed[v]}\n    {' '.join(case.views[v][0].split())[:600]}")

    def report(self):
        for reason, places in sorted(self.reasons.items(), key=lambda item: -len(item[1])):
            say(f"{len(places)} times: {reason}")
            for text, where, sql in places if self.arguments.verbose else places[:1]:
                say(f"    {where}: {text}: {' '.join(sql.split())[:300]}")
        say(", ".join(f"{count} {what}" for what, count in self.counts.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=lambda path: str(pathlib.Path(path).resolve()), help="the livemart to test")
    parser.add_argument("--case", help="one case")
    parser.add_argument("--every", action="store_true", help="all cases, not half of them")
    parser.add_argument("--cuts", type=int, default=3, help="looks at each case's views")
    parser.add_argument("--verbose", action="store_true", help="every refusal, not one per reason")
    parser.add_argument("directory", type=pathlib.Path)
    arguments = parser.parse_args()
    work, databases = pathlib.Path(tempfile.mkdtemp(prefix="livemart-slt-")), Databases()
    try:
        runner = Runner(arguments, work, databases)
        for path in sorted(p for pattern in ("*.slt", "*.slt.part", "*.sql") for p in arguments.directory.rglob(pattern)):
            if arguments.case is None or arguments.case.startswith(re.sub(r"\W+", "_", str(path.relative_to(arguments.directory)).rsplit(".slt", 1)[0].removesuffix(".sql"))):
                runner.file(arguments.directory, path)
        runner.report()
    finally:
        databases.drop()
        shutil.rmtree(work)
    return 1 if runner.counts["failed"] or runner.counts["cases that did not run"] else 0


if __name__ == "__main__":
    sys.exit(main())
