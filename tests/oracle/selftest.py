#!/usr/bin/env python3
"""Tests of the oracle itself: a referee that cannot find a difference would call everything equal.

    selftest.py            needs dbt and DuckDB, no livemart and no PostgreSQL

1. The reference applies every kind of record as its rules say.
2. The comparison reports each kind of wrong table, wrong position, wrong bookkeeping, and nothing else.
3. The history holds every kind of change, and the same seed gives the same history.
"""

import collections
import copy
import datetime
import decimal
import hashlib
import json
import math
import pathlib
import shutil
import sqlite3
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True  # nothing is written into the checkout

import compare
import sink
import versions
from history import History
from oracle import ROOT, Different, Oracle, parse_arguments
from reference import Inputs, Table

ORDERS = Table("orders", "raw", {"id": "bigint", "total": "numeric(12,2)", "note": "text", "at": "timestamp"}, ("id",), "raw")
CLICKS = Table("clicks", "raw", {"id": "bigint", "page": "text"}, (), "raw")


def record(table, op, before=None, after=None):
    return json.dumps({"op": op, "before": before, "after": after, "source": {"table": table}})


class ReferenceTest(unittest.TestCase):
    def check(self, lines, orders=(), clicks=(), aside=0):
        inputs = Inputs({"orders": ORDERS, "clicks": CLICKS}).apply_up_to({"raw": lines}, {"raw": len(lines)})
        self.assertEqual(collections.Counter(inputs.rows("orders")), collections.Counter(orders))
        self.assertEqual(collections.Counter(inputs.rows("clicks")), collections.Counter(clicks))
        self.assertEqual(len(inputs.aside), aside, inputs.aside)

    def test_an_update_needs_no_before(self):
        after = {"id": 1, "total": "2.5", "note": "", "at": "2025-01-02T03:04:05.6Z"}
        lines = [record("orders", "c", None, {**after, "total": None}), record("orders", "u", None, after)]
        self.check(lines, orders=[(1, decimal.Decimal("2.50"), "", datetime.datetime(2025, 1, 2, 3, 4, 5, 600_000))])

    def test_a_delete_believes_only_the_key_of_before(self):
        self.check([record("orders", "r", None, {"id": 1}), record("orders", "d", {"id": 1, "total": "x", "note": 7})])

    def test_a_deleted_key_comes_back(self):
        lines = [record("orders", "c", None, {"id": 1, "note": "a"}), record("orders", "d", {"id": 1}), record("orders", "c", None, {"id": 1, "note": "b"})]
        self.check(lines, orders=[(1, None, "b", None)])

    def test_a_keyless_row_counts_its_copies(self):
        click, other = {"id": 1, "page": "/"}, {"id": 2, "page": "/"}
        lines = [record("clicks", "c", None, click)] * 3 + [record("clicks", "d", click), record("clicks", "u", click, other)]
        self.check(lines, clicks=[(1, "/"), (2, "/")])

    def test_an_unreadable_value_leaves_the_last_good_version(self):
        lines = [record("orders", "c", None, {"id": 1, "note": "a"}), record("orders", "u", None, {"id": 1, "total": "1,5"})]
        self.check(lines, orders=[(1, None, "a", None)], aside=1)

    def test_a_good_version_takes_the_error_back(self):
        lines = [record("orders", "c", None, {"id": 1, "at": "2025-02-30T00:00:00Z"}), record("orders", "u", None, {"id": 1, "note": "a"})]
        self.check(lines, orders=[(1, None, "a", None)])

    def test_what_is_no_change_is_set_aside_and_what_nobody_declared_is_skipped(self):
        self.check(['{"op":', "[]", '"c"', record("unknown", "c", None, {"id": 1}), record("orders", "c", None, {"id": 2**63})], aside=4)


class HistoryTest(unittest.TestCase):
    TABLES = {"orders": Table("orders", "raw", {"id": "bigint", "user_id": "bigint", "status": "text"}, ("id",)), "website_activity": Table("website_activity", "raw", {"event_id": "bigint", "activity_at": "timestamp"}, ())}

    def test_the_same_seed_gives_the_same_lines(self):
        first, second, other = (list(History(self.TABLES, seed).lines(500)) for seed in (1, 1, 2))
        self.assertEqual(first, second)
        self.assertNotEqual(first, other)

    def test_every_kind_of_change_is_there(self):
        inputs, seen, dead, keys = Inputs(self.TABLES), collections.Counter(), set(), set()
        lines = [line for _, line in History(self.TABLES, 3, malformed_share=1 / 50).lines(6000)]
        for number, line in enumerate(lines):
            aside, before = len(inputs.aside), set(inputs.keyed["orders"])
            inputs.apply_up_to({"raw_data": lines}, {"raw_data": number + 1})
            keys = set(inputs.keyed["orders"])
            seen["set aside"] += len(inputs.aside) > aside
            seen["taken back"] += len(inputs.aside) < aside
            seen["delete"] += len(keys) < len(before)
            seen["comes back"] += bool((keys - before) & dead)
            seen["twice"] += number > 0 and line == lines[number - 1]
            dead |= before - keys
        self.assertEqual([kind for kind in ("set aside", "taken back", "delete", "comes back", "twice") if not seen[kind]], [])
        self.assertTrue(all(count >= 0 for count in inputs.counted["website_activity"].values()))


class RefereeTest(unittest.TestCase):
    """A right table passes; each single fault is reported."""

    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="livemart-oracle-selftest-"))
        arguments = parse_arguments(["--binary", "none", "--pg-cuts", "0", "--duckdb-cuts", "1", "--seed", "11", "--events", "2000"])
        cls.oracle = Oracle(arguments, cls.work, databases=None)
        cls.judge = cls.oracle.duckdb
        inputs = Inputs(cls.oracle.tables).apply_up_to(cls.oracle.lines, cls.oracle.prefixes[2000])
        day = datetime.date(2025, 1, 20)
        relations, failures = cls.judge.cut(inputs, day)
        tables = {t: (list(r.columns), [tuple(r_) for r_ in r.rows]) for t, r in relations.items()}
        tables |= {s["alias"]: cls.first_versions(s, cls.judge.queries[s["alias"]], day) for s in cls.judge.snapshots}
        cls.right = sink.Published(
            positions=cls.oracle.prefixes[2000],
            seq=1,
            clock=day,
            tables=tables,
            models={m["unique_id"] for m in [*cls.judge.published, *cls.judge.snapshots]},
            tests=dict(failures),
            decode_errors=len(inputs.aside),
        )

    @staticmethod
    def first_versions(snapshot, query, day):
        """What a snapshot holds that was taken for the first time."""
        at = datetime.datetime.combine(day, datetime.time(9))
        key = query.columns.index(snapshot["config"]["unique_key"])
        own = [(hashlib.md5(f"{row[key]}|{at}".encode()).hexdigest(), at, at, None) for row in query.rows]
        return [*query.columns, *versions.OWN], [(*row, *version) for row, version in zip(query.rows, own)]

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.work)

    def check(self, published):
        self.oracle.check(published, self.judge, Inputs(self.oracle.tables), "selftest")

    def check_reported(self, fault, *words):
        published = copy.deepcopy(self.right)
        fault(published)
        with self.assertRaises(Different) as caught:
            self.check(published)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def change(self, published, table, column, to):
        """Changes the first row whose value is not already `to(value)`."""
        columns, rows = published.tables[table]
        at = columns.index(column)
        number = next(n for n, row in enumerate(rows) if row[at] is not None and to(row[at]) != row[at])
        rows[number] = rows[number][:at] + (to(rows[number][at]),) + rows[number][at + 1 :]

    def test_the_right_tables_pass(self):
        self.check(self.right)

    def test_row_order_does_not_matter(self):
        published = copy.deepcopy(self.right)
        for _, rows in published.tables.values():
            rows.reverse()
        self.check(published)

    def test_a_cent_too_many_is_reported(self):
        fault = lambda p: self.change(p, "mart_customer_360", "total_spent", lambda v: v + decimal.Decimal("0.01"))
        self.check_reported(fault, "mart_customer_360 [customer_id=", "total_spent expected")

    def test_a_double_in_place_of_a_numeric_passes_only_when_its_value_is_exact(self):
        published = copy.deepcopy(self.right)
        self.change(published, "mart_customer_360", "total_spent", lambda v: float(v) if v % 1 else v)
        self.check(published)

    def test_null_in_place_of_a_number_is_reported(self):
        self.check_reported(lambda p: self.change(p, "mart_customer_360", "total_payments", lambda v: None), "got None")

    def test_a_number_that_became_text_is_reported(self):
        self.check_reported(lambda p: self.change(p, "mart_page_views_daily", "page_views", str), "not integer")

    def test_a_letter_in_another_case_is_reported(self):
        self.check_reported(lambda p: self.change(p, "int_customer_orders", "email", str.upper), "email expected")

    def test_a_missing_row_is_reported(self):
        self.check_reported(lambda p: p.tables["int_customer_orders"][1].pop(), "1 rows missing, 0 rows too many", "got no such row")

    def test_a_doubled_row_is_reported(self):
        self.check_reported(lambda p: p.tables["mart_page_views_daily"][1].append(p.tables["mart_page_views_daily"][1][0]), "0 rows missing, 1 rows too many")

    def test_a_missing_table_is_reported(self):
        self.check_reported(lambda p: p.tables.pop("mart_customer_360"), "mart_customer_360: is not published")

    def test_columns_in_another_order_are_reported(self):
        self.check_reported(lambda p: p.tables["mart_customer_360"][0].reverse(), "columns differ")

    def test_tables_of_another_position_are_reported(self):
        self.check_reported(lambda p: p.positions.update(raw_data=p.positions["raw_data"] - 10), "_customer")

    def test_a_model_that_is_not_deployed_is_reported(self):
        self.check_reported(lambda p: p.models.pop(), "models: expected")

    def test_a_wrong_test_count_and_a_missing_test_are_reported(self):
        name = "not_null_mart_customer_360_total_orders"
        unique_id = next(i for i, t in self.judge.tests.items() if t["name"] == name)
        self.check_reported(lambda p: p.tests.update({unique_id: p.tests[unique_id] + 1}), f"test {name}")
        self.check_reported(lambda p: p.tests.pop(unique_id), f"test {name}", "not listed")

    def test_a_lost_and_a_rewritten_version_are_reported(self):
        columns, rows = self.right.tables["entity_customers_history"]
        self.assertGreater(len(rows), 3)
        later = datetime.datetime.combine(self.right.clock, datetime.time(10))
        closed = [(*rows[0][:-1], later), *rows[1:]]

        def put(changed):
            return lambda p: p.tables.update(entity_customers_history=(columns, changed))

        self.check_reported(put(rows[1:]), "entity_customers_history, open versions")
        self.check_reported(put(closed), "entity_customers_history, open versions")
        self.check_reported(put([(*rows[0][:-4], "x", *rows[0][-3:]), *rows[1:]]), "dbt_scd_id")
        query = compare.Relation(columns[:-4], self.judge.queries["entity_customers_history"].kinds, [row[:-4] for row in rows[1:]])
        before = versions.versions(columns, closed)
        snapshot = self.judge.snapshots[0]
        self.assertEqual(versions.differences(snapshot, query, columns, closed, before), [])
        self.assertTrue(versions.differences(snapshot, query, columns, rows[1:], before))
        moved = [(*rows[0][:-1], later + datetime.timedelta(hours=1)), *rows[1:]]
        self.assertTrue(versions.differences(snapshot, query, columns, moved, before))

    def test_an_error_too_few_is_reported(self):
        self.check_reported(lambda p: setattr(p, "decode_errors", p.decode_errors + 1), "errors: expected")


class SqliteTest(unittest.TestCase):
    def test_values_of_sqlite_are_compared_by_the_references_types(self):
        connection = sqlite3.connect(":memory:")
        connection.execute("create table t (n numeric, d text, at text, b integer, x real)")
        connection.execute("insert into t values (12.50, '2025-01-31', '2025-01-31 12:00:00.5', 1, 0.1)")
        rows = connection.execute("select * from t").fetchall()
        kinds = ["numeric", "date", "timestamp", "boolean", "double"]
        right = (decimal.Decimal("12.50"), datetime.date(2025, 1, 31), datetime.datetime(2025, 1, 31, 12, 0, 0, 500_000), True, 0.1)
        expected = compare.Relation(["n", "d", "at", "b", "x"], kinds, [right])
        self.assertEqual(compare.differences("t", expected, expected.columns, rows), [])
        expected.rows = [right[:4] + (math.nextafter(0.1, 1),)]
        self.assertNotEqual(compare.differences("t", expected, expected.columns, rows), [])


if __name__ == "__main__":
    unittest.main()
