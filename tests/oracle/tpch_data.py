"""The eight tables of TPC-H, small, and a history that ends in them.

      kinds of parts, dates, names ──(seed)──> final rows ──(each row's story)──> inserts, updates, deletes in one order

1. The same seed gives the same lines; sizes grow with the scale as the standard's do.
2. The words, ranges and dependencies are those that the queries look for (a supplier's phone begins with its nation + 10, a line is
   shipped after its order). Parts that queries name are more frequent than in the standard, so that small tables answer every query.
3. Every row begins right or wrong, may be corrected, taken away and brought back; ghosts come and go; wrong values are NULL at times.
4. After the last line the tables are exactly the final rows.
"""

import datetime
import json
import random

from reference import Table

TABLES = {
    t.name: t
    for t in [
        Table("region", "tpch", {"r_regionkey": "integer", "r_name": "text", "r_comment": "text"}, ("r_regionkey",), "tpch"),
        Table("nation", "tpch", {"n_nationkey": "integer", "n_name": "text", "n_regionkey": "integer", "n_comment": "text"}, ("n_nationkey",), "tpch"),
        Table("supplier", "tpch", {"s_suppkey": "integer", "s_name": "text", "s_address": "text", "s_nationkey": "integer", "s_phone": "text", "s_acctbal": "numeric(15,2)", "s_comment": "text"}, ("s_suppkey",), "tpch"),
        Table("part", "tpch", {"p_partkey": "integer", "p_name": "text", "p_mfgr": "text", "p_brand": "text", "p_type": "text", "p_size": "integer", "p_container": "text", "p_retailprice": "numeric(15,2)", "p_comment": "text"}, ("p_partkey",), "tpch"),
        Table("partsupp", "tpch", {"ps_partkey": "integer", "ps_suppkey": "integer", "ps_availqty": "integer", "ps_supplycost": "numeric(15,2)", "ps_comment": "text"}, ("ps_partkey", "ps_suppkey"), "tpch"),
        Table("customer", "tpch", {"c_custkey": "integer", "c_name": "text", "c_address": "text", "c_nationkey": "integer", "c_phone": "text", "c_acctbal": "numeric(15,2)", "c_mktsegment": "text", "c_comment": "text"}, ("c_custkey",), "tpch"),
        Table("orders", "tpch", {"o_orderkey": "integer", "o_custkey": "integer", "o_orderstatus": "text", "o_totalprice": "numeric(15,2)", "o_orderdate": "date", "o_orderpriority": "text", "o_clerk": "text", "o_shippriority": "integer", "o_comment": "text"}, ("o_orderkey",), "tpch"),
        Table("lineitem", "tpch", {"l_orderkey": "integer", "l_partkey": "integer", "l_suppkey": "integer", "l_linenumber": "integer", "l_quantity": "numeric(15,2)", "l_extendedprice": "numeric(15,2)", "l_discount": "numeric(15,2)", "l_tax": "numeric(15,2)", "l_returnflag": "text", "l_linestatus": "text", "l_shipdate": "date", "l_commitdate": "date", "l_receiptdate": "date", "l_shipinstruct": "text", "l_shipmode": "text", "l_comment": "text"}, ("l_orderkey", "l_linenumber"), "tpch"),
    ]
}  # fmt: skip
REGIONS = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"]
NATIONS = [
    ("ALGERIA", 0), ("ARGENTINA", 1), ("BRAZIL", 1), ("CANADA", 1), ("EGYPT", 4), ("ETHIOPIA", 0), ("FRANCE", 3), ("GERMANY", 3), ("INDIA", 2), ("INDONESIA", 2),
    ("IRAN", 4), ("IRAQ", 4), ("JAPAN", 2), ("JORDAN", 4), ("KENYA", 0), ("MOROCCO", 0), ("MOZAMBIQUE", 0), ("PERU", 1), ("CHINA", 2), ("ROMANIA", 3),
    ("SAUDI ARABIA", 4), ("VIETNAM", 2), ("RUSSIA", 3), ("UNITED KINGDOM", 3), ("UNITED STATES", 1),
]  # fmt: skip
# Nations that queries name; suppliers come from there more often.
ASKED_NATIONS = [2, 3, 6, 7, 20]
COLORS = "almond azure beige blue brown chocolate coral cream cyan forest gold green ivory khaki lace lemon linen maroon navy olive orchid peach plum red rose salmon sienna sky snow tan thistle tomato violet wheat white".split()
SIZES, FINISHES, METALS = ["STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"], ["ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"], ["TIN", "NICKEL", "BRASS", "STEEL", "COPPER"]
BOXES = [f"{size} {kind}" for size in ("SM", "LG", "MED", "JUMBO", "WRAP") for kind in ("CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM")]
# Brand, container and size that the last queries ask for.
ASKED_PARTS = [("Brand#12", ["SM CASE", "SM BOX", "SM PACK", "SM PKG"], 5), ("Brand#23", ["MED BAG", "MED BOX", "MED PKG", "MED PACK", "MED BOX"], 10), ("Brand#34", ["LG CASE", "LG BOX", "LG PACK", "LG PKG"], 15)]
SEGMENTS = ["AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD"]
PRIORITIES = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"]
MODES, INSTRUCTIONS = ["REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB", "AIR REG"], ["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"]
WORDS = "furiously quick final deposits sleep carefully above the regular ideas express accounts nag blithely ironic packages haggle".split()
FIRST_DAY, LAST_DAY, TODAY = datetime.date(1992, 1, 1), datetime.date(1998, 8, 2), datetime.date(1995, 6, 17)
START_MS = 694_224_000_000  # 1992-01-01


class Tpch:
    def __init__(self, seed, scale):
        self.rng, self.scale = random.Random(f"tpch {seed}"), scale
        self.suppliers, self.parts, self.customers, self.orders = (round(n * scale) for n in (10_000, 200_000, 150_000, 1_500_000))

    def lines(self):
        """The history, one Debezium value per line."""
        rng, events = self.rng, []
        for name, row in self.final_rows():
            table = TABLES[name]
            key, others = {c: row[c] for c in table.key}, [c for c in row if c not in table.key]
            wrong = lambda: {**row, **{c: self.wrong(name, c, row[c]) for c in rng.sample(others, min(len(others), rng.choice([1, 1, 3])))}}
            story = rng.choices([[row], [wrong(), row], [row, None, row], [wrong(), wrong(), row], [wrong(), None, row]], [60, 18, 8, 7, 7])[0]
            late = 0.35 if rng.random() < 0.4 else 1.0
            moments = sorted(rng.random() * late for _ in story)
            events += [(at, name, key, before, after) for at, before, after in zip(moments, [None, *story], story)]
            if name in ("orders", "lineitem", "customer") and rng.random() < 0.08:
                ghost = {**wrong(), table.key[0]: row[table.key[0]] + 10_000_000}
                key = {c: ghost[c] for c in table.key}
                begin, end = sorted((rng.random(), rng.random()))
                events += [(begin, name, key, None, ghost), (end, name, key, ghost, None)]
        events.sort(key=lambda event: event[0])
        for number, (_, name, key, before, after) in enumerate(events):
            op = "d" if after is None else "c" if before is None else "u"
            ts_ms = START_MS + number
            yield json.dumps({"before": before and key, "after": after, "source": {"ts_ms": ts_ms, "table": name}, "op": op, "ts_ms": ts_ms})

    def wrong(self, name, column, value):
        rng = self.rng
        if rng.random() < 0.06:
            return None
        if column.endswith("key"):
            return max(0, value + rng.choice([-1, 1, 2]))
        if isinstance(value, int):
            return value + rng.randrange(1, 20)
        if TABLES[name].columns[column] == "date":
            return str(datetime.date.fromisoformat(value) + datetime.timedelta(days=rng.randrange(-60, 60)))
        if TABLES[name].columns[column] != "text":
            return f"{float(value) + rng.choice([0.01, 0.02, 1, 10]):.2f}"
        pools = {"c_mktsegment": SEGMENTS, "o_orderpriority": PRIORITIES, "o_orderstatus": ["F", "O"], "l_shipmode": MODES, "l_returnflag": ["R", "A", "N"], "n_name": [n for n, _ in NATIONS], "r_name": REGIONS}
        return rng.choice(pools[column]) if column in pools else value + " "

    def final_rows(self):
        for number, name in enumerate(REGIONS):
            yield "region", self.row("region", number, name, self.words())
        for number, (name, region) in enumerate(NATIONS):
            yield "nation", self.row("nation", number, name, region, self.words())
        rng = self.rng
        for n in range(1, self.suppliers + 1):
            nation = rng.choice(ASKED_NATIONS) if n % 2 else rng.randrange(25)
            comment = f"{self.words()} Customer {rng.choice(WORDS)} Complaints" if rng.random() < 0.05 else self.words()
            yield "supplier", self.row("supplier", n, f"Supplier#{n:09}", self.address(), nation, self.phone(nation), self.money(-999, 9999), comment)
        for n in range(1, self.parts + 1):
            yield "part", self.part(n)
            for k in range(4):
                yield "partsupp", self.row("partsupp", n, self.supplier_of(n, k), rng.randrange(1, 10_000), self.money(1, 1000), self.words())
        for n in range(1, self.customers + 1):
            nation = rng.randrange(25)
            yield "customer", self.row("customer", n, f"Customer#{n:09}", self.address(), nation, self.phone(nation), self.money(-999, 9999), rng.choice(SEGMENTS), self.words())
        for n in range(1, self.orders + 1):
            yield from self.order(n)

    def part(self, n):
        rng = self.rng
        brand, box, size = f"Brand#{rng.randrange(1, 6)}{rng.randrange(1, 6)}", rng.choice(BOXES), rng.randrange(1, 51)
        if rng.random() < 0.3:
            brand, boxes, size_max = rng.choice(ASKED_PARTS)
            box, size = rng.choice(boxes), rng.randrange(1, size_max + 1)
        kind = "ECONOMY ANODIZED STEEL" if rng.random() < 0.05 else f"{rng.choice(SIZES)} {rng.choice(FINISHES)} {rng.choice(METALS)}"
        if rng.random() < 0.04:
            kind, size = f"{rng.choice(SIZES)} {rng.choice(FINISHES)} BRASS", 15
        return self.row("part", n, " ".join(rng.sample(COLORS, 5)), f"Manufacturer#{brand[6]}", brand, kind, size, box, self.price(n), self.words())

    def order(self, n):
        rng = self.rng
        day = FIRST_DAY + datetime.timedelta(days=rng.randrange((LAST_DAY - FIRST_DAY).days))
        lines, total, states = [], 0.0, set()
        for number in range(1, rng.randrange(1, 8) + 1):
            part = rng.randrange(1, self.parts + 1)
            quantity, discount, tax = rng.randrange(1, 51), rng.randrange(11) / 100, rng.randrange(9) / 100
            shipped = day + datetime.timedelta(days=rng.randrange(1, 122))
            committed, received = day + datetime.timedelta(days=rng.randrange(30, 91)), shipped + datetime.timedelta(days=rng.randrange(1, 31))
            flag, state = rng.choice("RA") if received <= TODAY else "N", "O" if shipped > TODAY else "F"
            states.add(state)
            cost = quantity * float(self.price(part))
            total += cost * (1 + tax) * (1 - discount)
            lines.append(self.row("lineitem", n, part, self.supplier_of(part, rng.randrange(4)), number, f"{quantity}.00", f"{cost:.2f}", f"{discount:.2f}", f"{tax:.2f}", flag, state, str(shipped), str(committed), str(received), rng.choice(INSTRUCTIONS), rng.choice(MODES), self.words()))
        comment = f"{self.words()} special {rng.choice(WORDS)} requests" if rng.random() < 0.05 else self.words()
        # A third of the customers never order.
        customer = rng.randrange(1, self.customers + 1)
        customer -= customer % 3 == 0
        yield "orders", self.row("orders", n, customer, states.pop() if len(states) == 1 else "P", f"{total:.2f}", str(day), rng.choice(PRIORITIES), f"Clerk#{rng.randrange(1, 9):09}", 0, comment)
        yield from (("lineitem", line) for line in lines)

    def row(self, name, *values):
        return dict(zip(TABLES[name].columns, values, strict=True))

    def supplier_of(self, part, k):
        """Four different suppliers of each part."""
        return (part + k * (self.suppliers // 4 + 1)) % self.suppliers + 1

    def price(self, part):
        return f"{(90_000 + part // 10 % 20_001 + 100 * (part % 1_000)) / 100:.2f}"

    def money(self, low, high):
        return f"{self.rng.randrange(low * 100, high * 100) / 100:.2f}"

    def phone(self, nation):
        rng = self.rng
        return f"{nation + 10}-{rng.randrange(100, 1000)}-{rng.randrange(100, 1000)}-{rng.randrange(1000, 10_000)}"

    def address(self):
        return f"{self.rng.randrange(1, 999)} {self.rng.choice(COLORS)} street"

    def words(self):
        return " ".join(self.rng.choice(WORDS) for _ in range(self.rng.randrange(2, 6)))
