"""Makes random queries of which PostgreSQL gives exactly one answer.

      tables ──joins, derived tables──> Relation ──where, group, window, limit──> Query ──set operations──> Query
                                           └─ columns with their types: what expressions draw from

1. The same random numbers give the same query.
2. Where order decides (row_number, lag, ROWS frames, limit, distinct on, string_agg), it ends in all columns that tell rows apart.
3. No expression fails for any row: divisors are never zero, numbers stay small, text is never parsed.
4. Doubles are multiples of 1/8, so that their sums are exact in any order.
   A span of days or amounts joins rows that lie close; series come from a row's own number.
5. `Query.differs` says why DuckDB answers otherwise by design: it divides integers and numerics as doubles (so `avg`, variance, continuous
   percentiles of exact numbers), breaks the ties of `mode` by what came first, rounds the default of `lag` to its argument's scale, and
   both sides of a set operation to one scale, and keeps a clock of its own. Such queries have PostgreSQL alone as their judge.
6. One query in six looks at the clock, in its filters and anywhere else: `clock_at` puts a cut's clock in its place.

A table is written `@orders@`: whoever runs the query says how it is called.
"""

import dataclasses
import re

from reference import Table

TABLES = {
    t.name: t
    for t in [
        Table("customers", "shop", {"id": "integer", "name": "text", "city": "text", "born": "date", "vip": "boolean", "level": "integer"}, ("id",), "shop"),
        Table("orders", "shop", {"id": "integer", "customer_id": "integer", "placed_at": "timestamp", "day": "date", "amount": "numeric(10,2)", "status": "text", "weight": "double precision"}, ("id",), "shop"),
        Table("items", "shop", {"order_id": "integer", "line": "integer", "product": "text", "quantity": "integer", "price": "numeric(8,3)", "gift": "boolean"}, ("order_id", "line"), "shop"),
        Table("payments", "shop", {"id": "integer", "order_id": "integer", "method": "text", "paid": "numeric(10,2)", "paid_at": "timestamp", "settled": "boolean"}, ("id",), "shop"),
        Table("visits", "shop", {"customer_id": "integer", "page": "text", "ms": "bigint", "score": "double precision", "day": "date"}, (), "shop"),
    ]
}  # fmt: skip
# Columns that name the same things, so that joins find partners.
DOMAINS = {
    ("customers", "id"): "customer", ("orders", "customer_id"): "customer", ("visits", "customer_id"): "customer",
    ("orders", "id"): "order", ("items", "order_id"): "order", ("payments", "order_id"): "order",
    ("customers", "level"): "small", ("items", "line"): "small", ("items", "quantity"): "small",
    ("orders", "day"): "day", ("visits", "day"): "day",
}  # fmt: skip
WORDS = ["a", "b", "ab", "Ada", "new", "paid", "card", "cash", "Oslo", "Łódź", "", "tea"]
FRAMES_OF_GROUPS = ["", "", " groups between 1 preceding and current row", " groups between current row and 1 following"]
SCALARS = ["integer", "numeric", "text", "boolean", "date", "timestamp", "double", "bigint"]
ORDERED = ["integer", "numeric", "text", "date", "timestamp", "bigint", "double"]


CLOCK = re.compile(r"\b(now\(\)|current_timestamp|localtimestamp|current_date)")


@dataclasses.dataclass
class Column:
    sql: str
    kind: str
    domain: str = None
    declared: bool = False  # a column of a table: its numerics have one scale


@dataclasses.dataclass
class Relation:
    sql: str  # what stands after `from`
    columns: list
    key: list  # SQL that tells all rows apart, but for rows equal in every column
    unique: bool = True  # no two rows are equal in every column


@dataclasses.dataclass
class Query:
    columns: list  # of Column, named by `name_columns`
    head: str  # what stands before the columns
    tail: str  # what stands after them
    differs: set = dataclasses.field(default_factory=set)
    whole: str = None  # the text of a query that is not one `select`

    @property
    def sql(self):
        return self.whole or self.only(range(len(self.columns)))

    def only(self, numbers):
        return f"{self.head}{', '.join(f'{self.columns[n].sql} as c{n}' for n in numbers)}{self.tail}"

    def smaller(self):
        """The same query with fewer columns, the smallest first."""
        return [] if self.whole or len(self.columns) < 2 else [self.only([n]) for n in range(len(self.columns))]


class Generator:
    def __init__(self, rng):
        self.rng, self.aliases, self.differs, self.outer, self.moves = rng, 0, set(), None, False

    def query(self):
        self.moves = self.chance(0.16)
        found = self.any_query(3 if self.chance(0.2) else 2)
        if CLOCK.search(found.sql):
            self.differs.add("clock")
        found.differs = self.differs
        return found

    # Queries

    def any_query(self, depth, kinds=None):
        rng = self.rng
        if depth and rng.random() < 0.1:
            return self.set_operation(depth, kinds)
        if depth and kinds is None and rng.random() < 0.06:
            return self.with_query(depth)
        if depth >= 2 and kinds is None and rng.random() < 0.02:
            return self.recursive_query()
        make = rng.choices([self.plain, self.grouped, self.windowed, self.distinct, self.first_rows, self.total], [28, 30, 26, 5, 6, 5])[0]
        return make(self.relation(depth), depth, kinds)

    def plain(self, relation, depth, kinds):
        items = self.items(kinds, lambda kind: self.expression(kind, relation, 2), relation)
        if kinds is None and depth and self.chance(0.25):
            items.append(self.scalar_subquery(relation) if self.chance(0.7) else Column(f"({self.subquery_condition(relation)})", "boolean"))
        return Query(items, "select ", self.body(relation, depth))

    def distinct(self, relation, depth, kinds):
        return dataclasses.replace(self.plain(relation, depth, kinds), head="select distinct ")

    def grouped(self, relation, depth, kinds):
        keys = [self.group_key(relation) for _ in range(self.rng.choice([1, 1, 2]))]
        keys = list({k.sql: k for k in keys}.values())
        groups, grouping = ", ".join(k.sql for k in keys), []
        # A grouping set needs its keys to be columns: an expression would be taken apart.
        if len(keys) == 2 and kinds is None and all(k.domain is not None or k.declared for k in keys) and self.chance(0.15):
            groups = self.rng.choice([f"rollup({groups})", f"cube({groups})", f"grouping sets (({keys[0].sql}), ({keys[1].sql}), ())"])
            grouping = [Column(f"grouping({keys[0].sql})", "integer")]
        if kinds is None:
            items = keys + grouping + [self.aggregate(relation) for _ in range(self.rng.randrange(1, 5))]
            if not grouping and self.chance(0.2):
                items.append(self.window_over_groups(keys, relation))
        else:
            items = [self.aggregate(relation, kind) for kind in kinds]
        tail = f"{self.body(relation, depth)} group by {groups}"
        if self.chance(0.15):
            tail += f" having {self.rng.choice(['count(*) > 1', 'count(*) < 4', self.compare_aggregate(relation)])}"
        return Query(items, "select ", tail)

    def total(self, relation, depth, kinds):
        """One row, also over nothing."""
        items = [self.aggregate(relation, kind) for kind in kinds] if kinds else [self.aggregate(relation) for _ in range(self.rng.randrange(1, 5))]
        return Query(items, "select ", self.body(relation, depth))

    def windowed(self, relation, depth, kinds):
        if kinds is not None:
            return self.plain(relation, depth, kinds)
        items = [Column(k, self.kind_of(relation, k)) for k in relation.key[:3]]
        # Of equal rows it is open which is the first, and each window may answer in its own way.
        items += [self.window(relation) for _ in range(self.rng.randrange(1, 4) if relation.unique else 1)]
        inner = Query(items, "select ", self.body(relation, depth))
        if not self.chance(0.2):
            return inner
        derived = self.derived(inner)
        return Query(derived.columns, "select ", self.body(derived, 0))

    def first_rows(self, relation, depth, kinds):
        items = self.items(kinds, lambda kind: self.expression(kind, relation, 1), relation)
        if self.chance(0.4):
            key = self.group_key(relation).sql
            return Query(items, f"select distinct on ({key}) ", f"{self.body(relation, depth)} order by {key}, {self.total_order(relation)}")
        if self.chance(0.15):
            # As many ties as there are: the order need not be total.
            order, many = self.order_item(relation), self.rng.randrange(1, 5)
            self.differs.add("ties")
            return Query(items, "select ", f"{self.body(relation, depth)} order by {order} fetch first {many} rows with ties")
        limit = f"limit {self.rng.randrange(1, 6)}" + (f" offset {self.rng.randrange(1, 4)}" if self.chance(0.3) else "")
        return Query(items, "select ", f"{self.body(relation, depth)} order by {self.total_order(relation)} {limit}")

    def set_operation(self, depth, kinds):
        kinds = kinds or [self.rng.choice(SCALARS) for _ in range(self.rng.randrange(1, 4))]
        if "numeric" in kinds:
            self.differs.add("scale")
        left, right = self.any_query(depth - 1, kinds), self.any_query(depth - 1, kinds)
        word = self.rng.choice(["union", "union all", "intersect", "except", "union all", "intersect all", "except all"])
        return Query([Column(f"c{n}", k) for n, k in enumerate(kinds)], "", "", whole=f"({left.sql}) {word} ({right.sql})")

    def with_query(self, depth):
        """A common table expression that is read twice."""
        self.aliases += 1
        name, inner = f"w{self.aliases}", self.any_query(depth - 1)
        left = self.named(name, self.alias(), inner)
        right = self.named(name, self.alias(), inner)
        # Two sides read one list of rows, which has no key: they meet where all of a column is equal, so few partners are multiplied.
        joined = self.join(left, right)
        outer = self.rng.choice([self.plain, self.grouped])(joined, 0, None)
        return Query(outer.columns, f"with {name} as ({inner.sql}) {outer.head}", outer.tail)

    def recursive_query(self):
        """From customers along their orders' numbers, a few steps far."""
        self.aliases += 1
        name, table, word = f"w{self.aliases}", self.rng.choice(["orders", "payments"]), self.rng.choice(["union", "union all"])
        column = {"orders": "customer_id", "payments": "order_id"}[table]
        base = self.table()
        first = self.expression("integer", base, 0).sql
        step = f"select s.{column}, r.steps + 1 from {name} r join @{table}@ s on s.id = r.number where r.steps < {self.rng.randrange(1, 4)}"
        relation = Relation(f"{name} r", [Column("r.number", "integer", "customer"), Column("r.steps", "integer", "small")], ["r.number", "r.steps"], False)
        outer = self.rng.choice([self.plain, self.grouped, self.windowed])(relation, 0, None)
        return Query(outer.columns, f"with recursive {name}(number, steps) as (select {first}, 0 from {base.sql} {word} {step}) {outer.head}", outer.tail)

    # Relations

    def relation(self, depth):
        draw = self.rng.random()
        if depth and draw < 0.2:
            return self.derived(self.any_query(depth - 1))
        if draw < 0.55:
            return self.table()
        if draw < 0.61:
            return self.lateral(self.table())
        if draw < 0.65:
            return self.join(self.table(), self.values())
        found = self.join(self.table(), self.derived(self.any_query(depth - 1)) if depth and self.chance(0.3) else self.table())
        return self.join(found, self.table()) if self.chance(0.25) else found

    def alias(self):
        self.aliases += 1
        return f"t{self.aliases}"

    def table(self):
        table, alias = self.rng.choice(list(TABLES.values())), self.alias()
        columns = [Column(f"{alias}.{c}", plain(k), DOMAINS.get((table.name, c)), True) for c, k in table.columns.items()]
        return Relation(f"@{table.name}@ {alias}", columns, [f"{alias}.{c}" for c in table.key or table.columns], bool(table.key))

    def values(self):
        """A few rows that the query brings along, or a series of numbers."""
        alias, rng = self.alias(), self.rng
        if rng.random() < 0.4:
            return Relation(f"generate_series(0, {rng.randrange(1, 6)}) {alias}(c0)", [Column(f"{alias}.c0", "integer", "small")], [f"{alias}.c0"])
        rows = ", ".join(f"({n}, {rng.choice([self.literal('text'), 'null'])}, {self.literal('date')})" for n in rng.sample(range(8), 3))
        return Relation(f"(values {rows}) {alias}(c0, c1, c2)", [Column(f"{alias}.c0", "integer", rng.choice(["customer", "order", "small"])), Column(f"{alias}.c1", "text"), Column(f"{alias}.c2", "date")], [f"{alias}.c0"])

    def derived(self, query):
        return self.named(f"({query.sql})", self.alias(), query)

    def named(self, sql, alias, query):
        columns = [Column(f"{alias}.c{n}", c.kind, c.domain) for n, c in enumerate(query.columns)]
        return Relation(f"{sql} {alias}", columns, [c.sql for c in columns], False)

    def join(self, left, right):
        rng = self.rng
        pairs = [(a, b) for a in left.columns for b in right.columns if a.domain and a.domain == b.domain and a.kind == b.kind]
        close = [(a, b) for a, b in pairs if a.domain in ("customer", "order")]
        kind = rng.choices(["join", "left join", "right join", "full join"], [40, 32, 12, 16])[0]
        if close or pairs:
            a, b = rng.choice(close if close and rng.random() < 0.85 else pairs)
            on = f"{a.sql} = {b.sql}"
            if kind == "join" and len(pairs) > 1 and rng.random() < 0.15:
                c, d = rng.choice(pairs)
                on = f"({on} or {c.sql} = {d.sql})"
        else:  # nothing that they share: the few rows of one side that carry a word
            kind = rng.choice(["join", "left join"])
            both = Relation("", left.columns + right.columns, [])
            on = f"{self.expression('integer', left, 0).sql} = {self.expression('integer', right, 0).sql} and {self.condition(both, 1)}"
        if kind != "full join" and rng.random() < 0.3:
            on += f" and {self.condition(Relation('', left.columns + right.columns, []), 1)}"
        elif kind in ("join", "left join") and rng.random() < 0.1 and (span := self.span(left, right)):
            # Alone, or beside the equality.
            on = span if rng.random() < 0.4 else f"{on} and {span}"
        elif kind in ("join", "left join") and rng.random() < 0.1:
            days = [(a, b) for a in left.columns for b in right.columns if a.kind == b.kind == "date"]
            if days:
                a, b = rng.choice(days)
                on = f"{a.sql} between {b.sql} - {rng.randrange(0, 4)} and {b.sql} + {rng.randrange(0, 4)}"
        return Relation(f"{left.sql} {kind} {right.sql} on {on}", left.columns + right.columns, left.key + right.key, left.unique and right.unique)

    def span(self, left, right):
        """An order between two moments, two days or two amounts, whose values lie close together."""
        pairs = [(a, b) for a in left.columns for b in right.columns if a.kind == b.kind and a.kind in ("date", "timestamp", "numeric") and a.declared and b.declared]
        if not pairs:
            return None
        a, b = self.rng.choice(pairs)
        step = {"date": "2", "timestamp": "interval '30 hours'", "numeric": "5.5"}[a.kind]
        return self.rng.choice([f"{a.sql} >= {b.sql} and {a.sql} < {b.sql} + {step}", f"{b.sql} > {a.sql} and {b.sql} - {step} <= {a.sql}"])

    def lateral(self, left):
        """The first rows, or a total, of what belongs to each row, or rows made from it."""
        if self.chance(0.25):
            alias = self.alias()
            number = self.rng.choice([c.sql for c in left.columns if c.domain == "small"] or ["2"])
            series = self.rng.choice([f"generate_series(1, {number})", f"generate_series({number}, 4)"])
            how, on = self.rng.choice([("cross join lateral", ""), ("left join lateral", " on true")])
            return Relation(f"{left.sql} {how} {series} {alias}(c0){on}", left.columns + [Column(f"{alias}.c0", "integer", "small")], left.key + [f"{alias}.c0"], left.unique)
        right, alias = self.table(), self.alias()
        where = self.correlation(left, right)
        if self.chance(0.5):
            columns = [self.aggregate(right) for _ in range(2)]
            inner = Query(columns, "select ", f" from {right.sql} where {where}")
        else:
            columns = self.rng.sample(right.columns, 2)
            inner = Query(columns, "select ", f" from {right.sql} where {where} order by {self.total_order(right)} limit {self.rng.randrange(1, 3)}")
        columns = [Column(f"{alias}.c{n}", c.kind, c.domain) for n, c in enumerate(columns)]
        how = self.rng.choice(["left join lateral", "cross join lateral"])
        on = " on true" if how.startswith("left") else ""
        return Relation(f"{left.sql} {how} ({inner.sql}) {alias}{on}", left.columns + columns, left.key + [c.sql for c in columns], False)

    def correlation(self, outer, inner):
        pairs = [(a, b) for a in outer.columns for b in inner.columns if a.domain and a.domain == b.domain and a.kind == b.kind]
        if not pairs:
            return f"{self.expression('integer', inner, 0).sql} = {self.expression('integer', outer, 0).sql}"
        a, b = self.rng.choice(pairs)
        extra = f" and {self.condition(inner, 1)}" if self.chance(0.4) else ""
        return f"{b.sql} = {a.sql}{extra}"

    def body(self, relation, depth):
        """`from …`, often with a `where`."""
        conditions = []
        if self.chance(0.3):
            conditions.append(self.condition(relation, 2))
        if self.moves and self.chance(0.6):
            conditions.append(self.clock_condition(relation))
        if depth and self.chance(0.18):
            conditions.append(self.subquery_condition(relation))
        return f" from {relation.sql}" + (f" where {' and '.join(conditions)}" if conditions else "")

    def clock_condition(self, relation):
        """A moment or a day against the clock: rows come and go as time passes."""
        rng, negated = self.rng, "not " if self.chance(0.1) else ""
        days, moments = ([c.sql for c in relation.columns if c.kind == kind] for kind in ("date", "timestamp"))
        few, span = rng.randrange(0, 9), rng.choice(["1 day", "36 hours", "3 days", "1 week", "1 month", "2 months 3 days", "90 minutes", "-2 days"])
        op, turned = rng.choice([(">=", "<="), (">", "<"), ("<", ">"), ("<=", ">="), ("=", "=")])
        now = rng.choice(["now()", "current_timestamp", "localtimestamp"])
        forms = []
        if days:
            day, other = rng.choice(days), rng.choice(days)
            forms += [
                f"{day} {op} current_date - {few}", f"{day} + {few} {op} current_date", f"current_date - {day} {op} {few}", f"current_date {turned} {day}", f"{day} - current_date between -{few} and {few}",
                f"{day} between current_date - {few} and current_date", f"{day} {op} {now} - interval '{span}'", f"{day} + interval '{span}' {op} {now}", f"{day} {op} date_trunc('week', {now})", f"{day} {op} current_date - interval '{span}'",
                f"({day} <= current_date and coalesce({other}, current_date + 1) > current_date)", f"date_trunc('month', {day}) = date_trunc('month', current_date)", f"extract(dow from current_date) {op} extract(dow from {day})",
            ]  # fmt: skip
        if moments:
            moment = rng.choice(moments)
            forms += [
                f"{moment} {op} {now} - interval '{span}'", f"{moment} + interval '{span}' {op} {now}", f"{now} - {moment} {op} interval '{span}'", f"{moment}::date {op} current_date - {few}", f"date_trunc('day', {moment}) {op} current_date",
                f"{moment} between {now} - interval '{span}' and {now}", f"extract(epoch from ({now} - {moment})) / 3600 {op} {few * 12}", f"current_date - {moment}::date {op} {few}", f"date_trunc('day', {now}) - interval '{few} days' {op} {moment}",
                f"({moment} > {now} - interval '{span}' or {moment} is null)", f"{now} {op} {moment} + {rng.randrange(0, 5)} * interval '12 hours'", f"age({now}, {moment}) {op} interval '{span}'",
            ]  # fmt: skip
        return f"{negated}({rng.choice(forms)})" if forms else f"{self.literal('date')} {op} date '2025-01-06'"

    def clock_literal(self, kind):
        rng, few = self.rng, self.rng.randrange(0, 9)
        now = rng.choice(["now()", "current_timestamp", "localtimestamp"])
        if kind == "date":
            return rng.choice(["current_date", f"(current_date - {few})", f"(current_date + {few})", f"date_trunc('month', current_date)::date", f"({now} - interval '{few} days')::date"])
        return rng.choice([f"{now}::timestamp", "localtimestamp", f"({now} - interval '{few * 6} hours')::timestamp", f"date_trunc('hour', {now})::timestamp", f"(current_date + interval '{few} days')"])

    def subquery_condition(self, relation):
        inner = self.table()
        draw = self.rng.random()
        if draw < 0.45:
            return f"{self.rng.choice(['exists', 'not exists'])} (select 1 from {inner.sql} where {self.correlation(relation, inner)})"
        if draw < 0.53:
            return f"({self.condition(relation, 1)} or exists (select 1 from {inner.sql} where {self.correlation(relation, inner)}))"
        if draw < 0.58:
            return f"{self.expression('integer', relation, 0).sql} {self.rng.choice(['= any', '> all', '<> all', '<= any'])} (select {self.expression('integer', inner, 0).sql} from {inner.sql})"
        if draw < 0.77:
            kind = self.rng.choice(["integer", "text", "date"])
            where = f" where {self.condition(inner, 1)}" if self.chance(0.5) else ""
            return f"{self.expression(kind, relation, 0).sql} {self.rng.choice(['in', 'not in'])} (select {self.expression(kind, inner, 0).sql} from {inner.sql}{where})"
        found = self.scalar_subquery(relation)
        return f"{self.expression(found.kind, relation, 1).sql} {self.rng.choice(['<', '>=', '=', '<>', 'is distinct from'])} {found.sql}"

    def scalar_subquery(self, relation):
        inner, kind = self.table(), self.rng.choice(["integer", "numeric", "text", "bigint", "date"])
        where = f" where {self.correlation(relation, inner)}" if self.chance(0.7) else ""
        if kind == "bigint" or self.chance(0.7):
            item = self.aggregate(inner, kind)
            return Column(f"(select {item.sql} from {inner.sql}{where})", item.kind)
        item = self.expression(kind, inner, 0)
        return Column(f"(select {item.sql} from {inner.sql}{where} order by {self.total_order(inner)} limit 1)", kind)

    # Aggregates and windows

    def group_key(self, relation):
        draw = self.rng.random()
        if draw < 0.7:
            return self.rng.choice(relation.columns)
        return self.expression(self.some_kind(relation, ["integer", "text", "boolean", "date"]), relation, 1, constant=False)

    def aggregate(self, relation, kind=None):
        """An aggregate, of that type if one is given."""
        rng, of = self.rng, lambda k: self.expression(k, relation, 1).sql
        kind = kind or ("bigint" if self.chance(0.2) else self.some_kind(relation, SCALARS))
        filtered = f" filter (where {self.condition(relation, 1)})" if rng.random() < 0.25 else ""
        many = lambda k: self.group_of(relation, k)
        draw = rng.random()
        if kind == "bigint":
            text = rng.choice(["count(*)", f"count({of(rng.choice(SCALARS))})", f"count(distinct {of(rng.choice(['text', 'integer', 'date', 'numeric']))})", f"sum({of('integer')})", f"sum(distinct {of('integer')})"])
        elif kind == "numeric":
            text = rng.choice([f"sum({of('numeric')})", f"sum({of('bigint')})", f"min({of('numeric')})", f"max({of('numeric')})", f"sum(distinct {of('numeric')})"])
            if draw < 0.2:
                text = f"avg({'distinct ' if draw < 0.04 else ''}{self.declared(rng.choice(['numeric', 'integer']), relation)})"
                self.differs.add("avg")
            elif draw < 0.27:
                text = f"{rng.choice(['stddev_samp', 'var_pop', 'variance', 'stddev_pop'])}({self.declared(rng.choice(['numeric', 'integer']), relation)})"
                self.differs.add("variance")
            elif draw < 0.34:
                text = f"percentile_disc({rng.choice(['0.5', '0.9', '0', '1'])}) within group (order by {of('numeric')})"
                self.differs.add("percentile")
        elif kind == "double":
            text = rng.choice([f"sum({of('double')})", f"avg({of('double')})", f"max({of('double')})", f"min({of('double')})"])
            if draw < 0.4:
                text = f"percentile_cont({rng.choice(['0.5', '0.25', '0.9', '0', '1'])}) within group (order by {of(rng.choice(['double', 'integer', 'double']))}{rng.choice(['', ' desc'])})"
                self.differs.add("percentile")
        elif kind == "text":
            text = rng.choice([f"min({of('text')})", f"max({of('text')})", many("text"), many("text")])
            if draw < 0.1:
                text = f"mode() within group (order by {of('text')})"
                self.differs.add("mode")
        elif kind == "boolean":
            text = f"{rng.choice(['bool_and', 'bool_or'])}({of('boolean')})"
        elif kind == "integer" and draw < 0.2:
            text = f"percentile_disc({rng.choice(['0.5', '0.3', '1'])}) within group (order by {of('integer')})"
            self.differs.add("percentile")
        else:
            text = f"{rng.choice(['min', 'max'])}({of(kind)})"
        if text.startswith("array_to_string"):  # the aggregate is inside
            return Column(text, kind)
        return Column(f"{text}{filtered}", kind)

    def group_of(self, relation, kind):
        """string_agg in a total order: by all that tells rows apart, or by the text itself."""
        text = self.expression(kind, relation, 1).sql
        if self.chance(0.15):
            return f"array_to_string(array_agg({text} order by {self.total_order(relation)}), ',', '-')"
        if self.chance(0.3):
            return f"string_agg(distinct {text}, ',' order by {text})"
        return f"string_agg({text}, '|' order by {self.rng.choice([text, text + ' desc', self.total_order(relation)])})"

    def compare_aggregate(self, relation):
        found = self.aggregate(relation)
        return f"{found.sql} {self.rng.choice(['>', '<=', 'is distinct from'])} {self.literal(found.kind)}"

    def window_over_groups(self, keys, relation):
        order = ", ".join(k.sql for k in keys)
        return self.rng.choice([
            Column(f"row_number() over (order by count(*) desc, {order})", "bigint"),
            Column(f"sum(count(*)) over (order by {order})", "numeric"),
            Column(f"rank() over (order by count(*))", "bigint"),
            Column(f"lag(count(*)) over (order by {order})", "bigint"),
        ])  # fmt: skip

    def window(self, relation):
        rng = self.rng
        part = f"partition by {rng.choice([c.sql for c in relation.columns])} " if rng.random() < 0.75 else ""
        total, loose = self.total_order(relation), self.order_item(relation)
        kind = self.some_kind(relation, ["integer", "numeric", "text", "date", "double", "timestamp"])
        of = self.expression(kind, relation, 1).sql
        draw = rng.random()
        if draw < 0.22:
            name = rng.choice(["row_number()", "rank()", "dense_rank()", f"ntile({rng.randrange(1, 6)})", "percent_rank()", "cume_dist()"])
            order = total if name.startswith(("row", "ntile")) else loose
            return Column(f"{name} over ({part}order by {order})", {"nti": "integer", "per": "double", "cum": "double"}.get(name[:3], "bigint"))
        if draw < 0.42:
            rest = rng.choice(["", "", f", {rng.randrange(0, 4)}", f", 1, {self.literal(kind)}"])
            if kind == "numeric" and rest.startswith(", 1"):
                self.differs.add("default")
            return Column(f"{rng.choice(['lag', 'lead'])}({of}{rest}) over ({part}order by {total})", kind)
        if draw < 0.58:
            name = rng.choice([f"first_value({of})", f"last_value({of})", f"nth_value({of}, {rng.randrange(1, 4)})"])
            return Column(f"{name} over ({part}order by {total}{self.frame(relation, True)})", kind)
        found = self.window_aggregate(relation)
        if rng.random() < 0.2:
            order = ""
        elif rng.random() < 0.4:  # peers share one value: the order need not be total
            order = f"order by {loose}{rng.choice(['', '', '', ' range between unbounded preceding and unbounded following', ' range between current row and unbounded following', rng.choice(FRAMES_OF_GROUPS)])}"
        elif rng.random() < 0.25:
            order = self.range_frame(relation)
        else:
            order = f"order by {total}{self.frame(relation, False)}"
        return Column(f"{found.sql} over ({part}{order})", found.kind)

    def window_aggregate(self, relation):
        rng, of = self.rng, lambda k: self.expression(k, relation, 1).sql
        filtered = f" filter (where {self.condition(relation, 1)})" if rng.random() < 0.15 else ""
        found = rng.choice([
            lambda: ("count(*)", "bigint"), lambda: (f"count({of('text')})", "bigint"), lambda: (f"sum({of('integer')})", "bigint"),
            lambda: (f"sum({of('numeric')})", "numeric"), lambda: (f"min({of('text')})", "text"), lambda: (f"max({of('date')})", "date"),
            lambda: (f"max({of('numeric')})", "numeric"), lambda: (f"sum({of('double')})", "double"), lambda: (f"bool_or({of('boolean')})", "boolean"),
            lambda: (f"avg({self.declared('numeric', relation)})", "numeric"),
            lambda: (f"{rng.choice(['stddev', 'var_pop'])}({self.declared(rng.choice(['numeric', 'integer']), relation)})", "numeric"),
        ])()  # fmt: skip
        if found[0].startswith(("avg", "stddev", "var")):
            self.differs.add("avg")
        return Column(found[0] + filtered, found[1])

    def frame(self, relation, value):
        bounds = ["unbounded preceding", f"{self.rng.randrange(1, 4)} preceding", "current row", f"{self.rng.randrange(1, 4)} following", "unbounded following"]
        if self.chance(0.3):
            return ""
        low = self.rng.randrange(0, 4)
        high = self.rng.randrange(max(low, 1), 5)
        if low == high and low != 2:
            high = 4
        exclude = self.rng.choice([" exclude current row", " exclude ties", " exclude group"]) if self.chance(0.03) else ""
        return f" rows between {bounds[low]} and {bounds[high]}{exclude}"

    def range_frame(self, relation):
        column = self.rng.choice([c for c in relation.columns if c.kind in ("integer", "date", "timestamp")] or [Column("1", "integer")])
        if column.sql == "1":
            return f"order by {self.total_order(relation)}"
        step = {"integer": "2", "date": "interval '3 days'", "timestamp": "interval '2 days'"}[column.kind]
        return f"order by {column.sql}{self.rng.choice(['', ' desc'])} range between {step} preceding and {self.rng.choice(['current row', step + ' following'])}"

    def order_item(self, relation):
        item = self.rng.choice([c.sql for c in relation.columns])
        return item + self.rng.choice(["", "", " desc", " nulls first", " desc nulls last"])

    def total_order(self, relation):
        return ", ".join([self.order_item(relation)] + relation.key)

    # Expressions

    def some_kind(self, relation, kinds):
        """Mostly of a column's type, so that expressions are not made of literals alone."""
        there = [c.kind for c in relation.columns if c.kind in kinds]
        return self.rng.choice(there if there and self.chance(0.9) else kinds)

    def items(self, kinds, make, relation):
        kinds = kinds or [self.some_kind(relation, SCALARS) for _ in range(self.rng.randrange(1, 5))]
        return [make(kind) for kind in kinds]

    def chance(self, share):
        return self.rng.random() < share

    def kind_of(self, relation, sql):
        return next(c.kind for c in relation.columns if c.sql == sql)

    def declared(self, kind, relation):
        """A column as it is declared. Quotients show the scale of what is divided, and computed numerics that are equal may differ in it."""
        found = [c.sql for c in relation.columns if c.kind == kind and c.declared]
        return self.rng.choice(found) if found else self.literal(kind)

    def literal(self, kind):
        rng = self.rng
        if self.moves and kind in ("date", "timestamp") and self.chance(0.5):
            return self.clock_literal(kind)
        return {
            "integer": lambda: str(rng.randrange(0, 6)),
            "bigint": lambda: f"{rng.randrange(0, 2000)}::bigint",
            "numeric": lambda: rng.choice(["0.50", "10.25", "99.99", "1.5", "0.00", "20.00"]),
            "double": lambda: f"{rng.choice(['0.5', '1.25', '3', '0'])}::double precision",
            "text": lambda: f"'{rng.choice(WORDS)}'",
            "boolean": lambda: rng.choice(["true", "false"]),
            "date": lambda: f"date '2025-01-{rng.randrange(1, 29):02}'",
            "timestamp": lambda: f"timestamp '2025-01-{rng.randrange(1, 29):02} 12:00:00'",
        }[kind]()

    def expression(self, kind, relation, depth, constant=True):
        columns = [c for c in relation.columns if c.kind == kind]
        if columns and (depth == 0 or self.chance(0.5)):
            return self.rng.choice(columns)
        if depth == 0:
            return Column(self.literal(kind), kind) if constant or not relation.columns else Column(f"coalesce({self.rng.choice(relation.columns).sql} is null, false)::integer", kind)
        sub = lambda k: self.expression(k, relation, depth - 1).sql
        draw = self.rng.random()
        if draw < 0.12:
            return Column(f"coalesce({sub(kind)}, {self.literal(kind)})", kind)
        if draw < 0.26:
            other = "" if self.chance(0.3) else f" else {sub(kind)}"
            more = f" when {self.condition(relation, depth - 1)} then {sub(kind)}" if self.chance(0.3) else ""
            return Column(f"case when {self.condition(relation, depth - 1)} then {sub(kind)}{more}{other} end", kind)
        if draw < 0.32 and kind != "boolean":
            return Column(f"{self.rng.choice(['greatest', 'least'])}({sub(kind)}, {sub(kind)})", kind)
        if draw < 0.36:
            return Column(f"nullif({sub(kind)}, {self.literal(kind)})", kind)
        return Column(getattr(self, f"{kind}_expression")(sub, relation, depth), kind)

    def integer_expression(self, sub, relation, depth):
        text, number = sub("text"), sub("integer")
        if self.moves and self.chance(0.3):
            return self.rng.choice([f"(current_date - {sub('date')})", f"extract(day from now() - {sub('timestamp')})::integer", f"extract(month from age(current_date, {sub('date')}))::integer", f"floor(extract(epoch from localtimestamp - {sub('timestamp')}) / 3600)::integer"])
        return self.rng.choice([
            f"({number} + {sub('integer')})", f"({number} - {sub('integer')})", f"({number} * {self.rng.randrange(2, 4)})", f"abs({number})", f"({number} % 3)",
            f"({number} / {self.rng.randrange(2, 5)})", f"length({text})", f"extract(year from {sub('date')})::integer", f"extract(dow from {sub('timestamp')})::integer",
            f"({sub('date')} - {sub('date')})", f"extract(day from {sub('timestamp')} - {self.literal('timestamp')})::integer", f"position('a' in {text})", f"(- {number})",
        ])  # fmt: skip

    def bigint_expression(self, sub, relation, depth):
        return self.rng.choice([f"({sub('bigint')} + {sub('integer')})", f"{sub('integer')}::bigint", f"abs({sub('bigint')})", f"({sub('bigint')} - {sub('bigint')})"])

    def numeric_expression(self, sub, relation, depth):
        choice = self.rng.choice(["add", "subtract", "times", "round", "abs", "cast", "negate", "divide", "floor"])
        number = sub("numeric")
        if choice == "divide":
            self.differs.add("division")
            return f"({self.declared('numeric', relation)} / nullif({self.declared(self.rng.choice(['numeric', 'integer']), relation)}, 0))"
        return {
            "add": f"({number} + {sub('numeric')})", "subtract": f"({number} - {sub('numeric')})", "times": f"({number} * {self.rng.choice(['2', '0.5', '1.10'])})",
            "round": f"round({number}, {self.rng.randrange(0, 3)})", "abs": f"abs({number})", "cast": f"{sub('integer')}::numeric(12,2)", "negate": f"(- {number})", "floor": f"{self.rng.choice(['floor', 'ceil'])}({number})",
        }[choice]  # fmt: skip

    def double_expression(self, sub, relation, depth):
        number = sub("double")
        return self.rng.choice([f"({number} + {sub('double')})", f"({number} - {sub('double')})", f"abs({number})", f"({number} * 2)", f"{sub('integer')}::double precision"])

    def text_expression(self, sub, relation, depth):
        text = sub("text")
        return self.rng.choice([
            f"upper({text})", f"lower({text})", f"({text} || '-' || {sub('text')})", f"left({text}, 2)", f"replace({text}, 'a', 'o')", f"trim({text})",
            f"{sub('integer')}::text", f"{sub('date')}::text", f"concat({text}, {sub('text')})", f"split_part({text}, 'a', 1)", f"substring({text} from 2 for 2)", f"reverse({text})",
        ])  # fmt: skip

    def boolean_expression(self, sub, relation, depth):
        return f"({self.condition(relation, depth)})"

    def date_expression(self, sub, relation, depth):
        return self.rng.choice([f"({sub('date')} + {self.rng.randrange(1, 9)})", f"({sub('date')} - {self.rng.randrange(1, 9)})", f"{sub('timestamp')}::date", f"date_trunc('month', {sub('timestamp')})::date"])

    def timestamp_expression(self, sub, relation, depth):
        moment = sub("timestamp")
        return self.rng.choice([f"({moment} + interval '36 hours')", f"({moment} - interval '1 month')", f"date_trunc('{self.rng.choice(['hour', 'day', 'week', 'month'])}', {moment})", f"{sub('date')}::timestamp"])

    def condition(self, relation, depth):
        rng, draw = self.rng, self.rng.random()
        if depth > 1 and draw < 0.3:
            return f"({self.condition(relation, depth - 1)} {rng.choice(['and', 'or'])} {self.condition(relation, depth - 1)})"
        if depth and draw < 0.38:
            return f"not ({self.condition(relation, depth - 1)})"
        kind = self.some_kind(relation, ORDERED)
        left = self.expression(kind, relation, max(0, depth - 1)).sql
        if draw < 0.48:
            return f"{left} is {rng.choice(['', 'not '])}null"
        if draw < 0.56:
            return f"{left} {rng.choice(['in', 'not in'])} ({self.literal(kind)}, {self.literal(kind)})"
        if draw < 0.62:
            return f"{left} between {self.literal(kind)} and {self.literal(kind)}"
        if draw < 0.68 and kind == "text":
            return f"{left} {rng.choice(['like', 'not like'])} '{rng.choice(['%a%', 'A%', '_', '%o'])}'"
        flags = [c.sql for c in relation.columns if c.kind == "boolean"]
        if flags and draw < 0.76:
            return rng.choice(flags) + rng.choice(["", "", " is true", " is not false"])
        right = self.expression(kind, relation, max(0, depth - 1)).sql if rng.random() < 0.4 else self.literal(kind)
        return f"{left} {rng.choice(['=', '<>', '<', '<=', '>', '>=', 'is distinct from', 'is not distinct from'])} {right}"


def clock_at(sql, moment):
    """The SQL with a moment (UTC) where it looks at the clock."""
    types = {"now()": "timestamptz", "current_timestamp": "timestamptz", "localtimestamp": "timestamp", "current_date": "date"}
    return CLOCK.sub(lambda found: f"(timestamptz '{moment:%Y-%m-%d %H:%M:%S.%f}+00')::{types[found[1]]}", sql)


def plain(kind):
    """The kind of a declared type, as expressions name it."""
    return kind.split("(")[0].replace("double precision", "double")
