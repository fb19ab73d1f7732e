"""A small random change history of the five tables that random queries read, as Debezium values.

      rows alive ──(make, change, delete, bring back, deliver twice)──> one line of one file

1. The same random numbers give the same lines.
2. The first third mostly makes rows, the last sixth mostly deletes them: groups appear, change and vanish.
3. Event times go on by twelve days or so, some run late. Every value is NULL at times, and equal rows stand beside each other in the table without a key.
4. Doubles are multiples of 1/8: their sums do not depend on order.
"""

import datetime
import json

from query_generator import DOMAINS, TABLES

START_MS = 1_735_689_600_000  # 2025-01-01
TEXTS = {
    "name": ["Ada", "ada", "Bob", "Zoë", "", "Ann Lee", "b"],
    "city": ["Oslo", "Łódź", "Paris", " Rome "],
    "status": ["new", "paid", "lost"],
    "product": ["tea", "mate", "a", "ab", "cocoa"],
    "method": ["card", "cash", "bank"],
    "page": ["/", "/cart", "a"],
}
DAY = datetime.date(2025, 1, 1)
IDS = {"customer": 16, "order": 40, "small": 4}
KEYS = {"payments": 60, "customers": 15, "orders": 38}


class QueryHistory:
    def __init__(self, rng):
        self.rng, self.ts_ms = rng, START_MS
        self.alive = {name: {} for name in TABLES}

    def lines(self, count):
        made = []
        for step in range(count):
            self.ts_ms += self.rng.choice([0, 1, 40, 60_000, 3_600_000, 7_200_000])
            again = made and json.loads(made[-1])["source"]["table"] != "visits" and self.rng.random() < 0.04
            made.append(made[-1] if again else self.line(step, count))
        return made

    def line(self, step, count):
        rng = self.rng
        name = rng.choices(list(TABLES), [2, 5, 6, 5, 5])[0]
        table, alive = TABLES[name], self.alive[name]
        deletes = 0.05 if step < count / 2 else 0.12 if step < count * 7 / 8 else 0.8
        draw = rng.random()
        if alive and draw < deletes:
            key = rng.choice(list(alive))
            return self.encode(table, "d", alive.pop(key), None)
        if alive and draw < deletes + 0.25:
            key = rng.choice(list(alive))
            before, row = alive[key], dict(alive[key])
            for column in rng.sample([c for c in row if c not in table.key], rng.choice([1, 1, 2])):
                row[column] = self.value(table, column)
            alive[key] = row
            return self.encode(table, "u", before, row)
        row = {c: self.value(table, c) for c in table.columns}
        if table.key:
            row.update({c: rng.randrange(1, KEYS.get(name) if len(table.key) == 1 else IDS[DOMAINS[name, c]]) for c in table.key})
        elif alive and rng.random() < 0.1:
            row = dict(rng.choice(list(alive.values())))
        key = tuple(row[c] for c in table.key) or step
        op = "u" if key in alive else rng.choice(["c", "c", "r"])
        alive[key] = row
        return self.encode(table, op, None, row)

    def value(self, table, column):
        rng, kind = self.rng, table.columns[column]
        if rng.random() < 0.12:
            return None
        if column in TEXTS:
            return rng.choice(TEXTS[column])
        if (table.name, column) in DOMAINS and kind == "integer":
            return rng.randrange(0, IDS[DOMAINS[table.name, column]])
        if kind.startswith("numeric"):
            scale = int(kind[-2])
            units = rng.choice([0, 1, -250, rng.randrange(-500, 20_000), rng.randrange(20_000)]) * 10 ** (scale - 2)
            return f"{'-' if units < 0 else ''}{abs(units) // 10**scale}.{abs(units) % 10**scale:0{scale}}"
        if kind == "boolean":
            return rng.random() < 0.5
        if kind == "date":
            return str(DAY + datetime.timedelta(days=rng.randrange(0, 12)))
        if kind == "timestamp":
            return f"{DAY + datetime.timedelta(days=rng.randrange(0, 40))}T{rng.choice([0, 12, 23]):02}:{rng.choice([0, 30, 59]):02}:{rng.choice(['00', '59', '00.5', '00.123456'])}Z"
        if kind == "double precision":
            return rng.randrange(-16, 200) / 8
        return rng.choice([0, 1, -5, rng.randrange(2000)])

    def encode(self, table, op, before, after):
        if before is not None and table.key:
            before = {c: before[c] for c in table.key}
        ts_ms = self.ts_ms - (86_400_000 if self.rng.random() < 0.1 else 0)
        return json.dumps({"before": before, "after": after, "source": {"ts_ms": ts_ms, "table": table.name}, "op": op, "ts_ms": ts_ms})
