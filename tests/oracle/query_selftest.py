#!/usr/bin/env python3
"""Tests of what random_queries.py rests on; needs DuckDB, no livemart and no PostgreSQL.

1. The same seed gives the same queries and the same history, and every kind of query and change occurs.
2. The comparison reports a wrong value, a missing and a doubled row, and lets pass only what the order of a sum does to a double.
3. DuckDB gives the same answer however the rows are stored: no query has more than one.
"""

import collections
import decimal
import json
import random
import sys
import unittest

sys.dont_write_bytecode = True  # nothing is written into the checkout

import compare
from query_generator import TABLES, Generator
from query_history import QueryHistory
from random_queries import DuckDb, Refused, different
from reference import Inputs

KINDS_OF_QUERY = ["left join", "right join", "full join", "lateral", "over (", "row_number", "lag(", "ntile", "rows between", "group by", "having", "filter (where", "distinct on", "count(distinct", "string_agg", "percentile_cont", "union", "intersect", "except", "not exists", "not in (select", "case when", "limit", "with w", "with recursive", "values", "generate_series", "now()", "current_date", "localtimestamp"]


def queries(seed, count):
    return [Generator(random.Random(f"{seed} {n}")).query() for n in range(count)]


class Shuffled:
    """Inputs in another order of rows."""

    def __init__(self, inputs, rng):
        self.inputs, self.rng = inputs, rng

    def rows(self, table):
        rows = self.inputs.rows(table)
        self.rng.shuffle(rows)
        return rows


class GeneratorTest(unittest.TestCase):
    def test_the_same_seed_gives_the_same_queries(self):
        first, second, other = ([q.sql for q in queries(seed, 50)] for seed in (1, 1, 2))
        self.assertEqual(first, second)
        self.assertNotEqual(first, other)

    def test_every_kind_of_query_occurs(self):
        text = "\n".join(q.sql for q in queries(3, 600))
        self.assertEqual([kind for kind in KINDS_OF_QUERY if kind not in text], [])

    def test_no_answer_depends_on_the_order_of_rows(self):
        rng, duck = random.Random(4), DuckDb()
        lines = QueryHistory(rng).lines(300)
        inputs, answers = Inputs(TABLES).apply_up_to({"shop": lines}, {"shop": 260}), []
        several = [q for q in queries(4, 200) if not q.differs]
        for _ in range(2):
            duck.load(Shuffled(inputs, rng))
            answers.append([self.answer(duck, q.sql) for q in several])
        for query, one, other in zip(several, *answers):
            self.assertEqual(one, other, query.sql)

    def answer(self, duck, sql):
        try:
            return collections.Counter(duck.rows(sql))
        except Refused:
            return None


class HistoryTest(unittest.TestCase):
    def test_every_kind_of_change_occurs(self):
        lines = QueryHistory(random.Random(5)).lines(2000)
        self.assertEqual(lines, QueryHistory(random.Random(5)).lines(2000))
        values, seen = [json.loads(line) for line in lines], collections.Counter()
        for before, value in zip([None] + values, values):
            seen[f"{value['op']} of {value['source']['table']}"] += 1
            seen["twice"] += value == before
            seen["late"] += before is not None and value["ts_ms"] < before["ts_ms"]
            seen["null"] += value["after"] is not None and None in value["after"].values()
        wanted = ["twice", "late", "null"] + [f"{op} of {table}" for op in "cud" for table in TABLES]
        self.assertEqual([kind for kind in wanted if not seen[kind]], [])
        inputs = Inputs(TABLES).apply_up_to({"shop": lines}, {"shop": 2000})
        self.assertEqual(inputs.aside, {})
        self.assertTrue(all(count >= 0 for count in inputs.counted["visits"].values()))


class RefereeTest(unittest.TestCase):
    COLUMNS, KINDS = ["c0", "c1", "c2"], ["integer", "double", "numeric"]
    ROWS = [(1, 0.1, decimal.Decimal("66.2033333333333333")), (1, 2e9, None), (2, None, decimal.Decimal("1.50"))]

    def check(self, rows):
        return different("q", compare.Relation(self.COLUMNS, self.KINDS, self.ROWS), self.COLUMNS, rows)

    def test_equal_rows_pass_in_any_order_and_numerics_by_value(self):
        self.assertEqual(self.check([(2, None, decimal.Decimal("1.5")), *self.ROWS[:2]]), [])

    def test_a_double_may_differ_by_what_the_order_of_a_sum_does(self):
        self.assertEqual(self.check([(1, 0.1 + 1e-16, self.ROWS[0][2]), *self.ROWS[1:]]), [])
        self.assertNotEqual(self.check([(1, 0.1 + 1e-11, self.ROWS[0][2]), *self.ROWS[1:]]), [])

    def test_a_numeric_may_not_differ_in_its_last_digit(self):
        self.assertNotEqual(self.check([(1, 0.1, decimal.Decimal("66.2033333333333334")), *self.ROWS[1:]]), [])

    def test_a_missing_and_a_doubled_row_are_reported(self):
        self.assertNotEqual(self.check(self.ROWS[1:]), [])
        self.assertNotEqual(self.check(self.ROWS + self.ROWS[:1]), [])

    def test_null_is_not_zero(self):
        self.assertNotEqual(self.check([self.ROWS[0], (1, 2e9, decimal.Decimal(0)), self.ROWS[2]]), [])


if __name__ == "__main__":
    unittest.main()
