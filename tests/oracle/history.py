"""Makes random change histories: rows that come wrong, are corrected, die, come back, arrive twice, late, or unreadable.

      per table: the rows alive now  ──(a random step)──>  one Debezium value  ──>  one line of its source's file

1. The same seed gives the same lines.
2. Keys come from small ranges, so joins find partners, totals rise and fall, and a key that died comes back.
3. Unreadable values stand only in columns that published tables depend on (`SPOILED`): livemart need not decode a column that
   nobody reads, and then there is nothing to set aside.
4. A key with an unreadable version outstanding is next touched by a good version of the row, or never again.
5. A longer history is a larger shop, not an older one: with `spread` there are so many times more keys, and events come so many times faster.
"""

import collections

import datetime
import json
import random

# What a column draws from, so that joins and groups are met. Other columns draw by their type.
RANGES = {
    "customer_id": 150,
    "user_id": 155,  # some orders are of customers that never exist
    "order_id": 400,
    "product_id": 60,
    "line_no": 4,
    "customer_key": 125,
    "account_id": 42,
    "location_id": 82,
    "device_id": 122,
    "subscription_id": 62,
    "invoice_id": 205,
    "campaign_id": 8,
    "contact_id": 50,
    "interval_count": 4,
}
KEY_RANGES = {
    ("customers", "customer_id"): 150,
    ("orders", "id"): 400,
    ("payments", "id"): 500,
    ("customer_interactions", "interaction_id"): 300,
    ("card_accounts", "customer_key"): 120,
    ("accounts", "account_id"): 40,
    ("locations", "location_id"): 80,
    ("devices", "device_id"): 120,
    ("users", "user_id"): 100,
    ("subscriptions", "subscription_id"): 60,
    ("invoices", "invoice_id"): 200,
    ("charges", "charge_id"): 200,
    ("products", "product_id"): 60,
}
# Ranges that a larger shop does not widen.
FIXED = {"line_no", "interval_count", "campaign_id", "product_id"}
# What a column of one table draws from; it goes before CHOICES.
CHOICES_OF = {
    ("card_accounts", "card_type"): ["standard", "gold", "platinum", "wooden"],
    ("transactions", "status"): ["approved", "approved", "approved", "declined", "pending", "reversed"],
    ("transactions", "category"): ["Travel", "Hotels", "Groceries", "Gas", "Dining", "Electronics", ""],
    ("transactions", "transaction_amount"): ["10.00", "25.50", "99.99", "1250.00", "0.00", "17.35", "480.10", "3.33"],
    ("subscriptions", "status"): ["trialing", "active", "active", "past_due", "canceled", "incomplete"],
    ("subscriptions", "billing_interval"): ["day", "week", "month", "month", "year", "fortnight"],
    ("invoices", "status"): ["draft", "open", "open", "paid", "void", "uncollectible"],
    ("charges", "status"): ["pending", "succeeded", "failed"],
    ("devices", "status"): ["online", "online", "offline", "retired"],
    ("device_events", "event_type"): ["heartbeat", "reading", "error", "restart"],
    ("website_activity", "referrer"): ["google", "facebook", "newsletter", "bing", "partner.example"],
    ("website_activity", "campaign"): ["spring_sale", "winter_sale"],
    ("products", "category"): ["Coffee", "Tea", "Equipment"],
    ("iterable_email_events", "event_type"): ["send", "open", "click", "conversion"],
}
CHOICES = {
    "campaign_name": ["spring_sale", "winter_sale", "brand"],
    "status": ["placed", "shipped", "completed", "return_pending", "returned", "cancelled", "lost"],
    "payment_status": ["pending", "completed", "completed", "completed", "failed", "refunded"],
    "payment_method": ["credit_card", "debit_card", "paypal", "apple_pay", "bank_transfer", "gift_card", ""],
    "channel": ["web", "app", "store", "phone"],
    "cycle_name": ["Starter Kit", "Refill", "Deluxe Box"],
    "session_id": [f"s{n}" for n in range(40)],
    "page": ["/", "/cart", "/checkout", "/products/déluxe"],
}
TEXTS = ["", " ", "Ada", "ADA", "José", "ÉCOLE@X.IO", "Zoë.O'Neil@Example.com", "Şahin", '"quoted", text', "back\\slash", "new\nline", "漢字", "NULL", "\u00a0", "🦊 Fox"]
# (table, column, unreadable value)
SPOILED = [
    ("order_items", "price", "12,50"),
    ("order_items", "quantity", "two"),
    ("payments", "amount", "a lot"),
    ("orders", "user_id", "nobody"),
    ("website_activity", "activity_at", "2025-02-30T10:00:00Z"),
    ("transactions", "transaction_amount", "1.000,00"),
    ("subscriptions", "amount_cents", "free"),
]
WEIGHTS = {"transactions": 9, "device_events": 6, "page_views": 4, "feature_usage": 3, "card_accounts": 4, "customers": 3, "orders": 6, "order_items": 12, "payments": 6, "customer_interactions": 3, "website_activity": 9}
START_MS = 1_735_689_600_000  # 2025-01-01


class History:
    """(source, line) of one history, made one by one. `tables` are reference.Table by name."""

    def __init__(self, tables, seed, malformed_share=1 / 2000, spread=1):
        self.tables = tables
        self.spread = spread
        self.rng = random.Random(seed)
        self.malformed_share = malformed_share
        self.alive = {name: {} for name in tables}  # table -> key -> row; a table without a key: number -> row
        self.spoiled = set()  # (table, key): an unreadable version is outstanding
        self.corrections = []  # (due at this step, table, key, right row)
        self.step = 0
        self.ts_ms = START_MS
        self.last = None
        self.changed_rows = collections.Counter({name: 0 for name in tables})  # table -> updates and deletes
        self.unreadable_records = 0
        customers = [f"CUST{n:08}" for n in range(1, 140 * spread)] + ["CUST", "nobody"]
        self.choices_of = {**CHOICES_OF, ("card_accounts", "customer_id"): customers}

    def lines(self, count):
        while self.step < count:
            self.step += 1
            self.ts_ms += self.rng.choice([0, 0, 1, 40, 3000, 60_000, 900_000, 7_200_000]) // self.spread
            yield self.line()

    def line(self):
        rng = self.rng
        if self.corrections and self.corrections[0][0] <= self.step:
            _, table, key, row = self.corrections.pop(0)
            return self.put(table, key, row)
        if rng.random() < self.malformed_share:
            return self.unreadable()
        if rng.random() < 0.001:
            return self.any_source(), json.dumps({"before": None, "after": {"id": self.step}, "source": {"table": "nobody_declared", "ts_ms": self.ts_ms}, "op": "c", "ts_ms": self.ts_ms})
        if self.last and rng.random() < 0.01:
            return self.last  # delivered twice
        table = rng.choices(list(self.tables), [WEIGHTS.get(name, 3) for name in self.tables])[0]
        return self.change(table)

    def change(self, table):
        rng, spec, alive = self.rng, self.tables[table], self.alive[table]
        if not spec.key:
            if alive and rng.random() < 0.04:  # a keyless row goes, or turns into another
                number = rng.choice(list(alive))
                before = alive.pop(number)
                after = None
                if rng.random() < 0.5:
                    alive[self.step] = after = self.changed(spec, before)
                line = self.encode(table, "u" if after else "d", before, after)
                self.last = None  # a second delivery would take away a copy that is not there
                return line
            alive[self.step] = row = rng.choice(list(alive.values())) if alive and rng.random() < 0.05 else self.fresh(spec, None)
            return self.encode(table, "c", None, row)
        draw = rng.random()
        spoiled = {key for of, key in self.spoiled if of == table}
        touchable = [key for key in alive if key not in spoiled] if spoiled else list(alive)
        if touchable and draw < 0.07:
            key = rng.choice(touchable)
            return self.encode(table, "d", alive.pop(key), None)
        if touchable and draw < 0.45:
            key = rng.choice(touchable)
            return self.put(table, key, self.changed(spec, alive[key]))
        key = self.fresh_key(spec)
        if (table, key) in self.spoiled:
            return self.put(table, key, self.fresh(spec, key))
        row = self.fresh(spec, key)
        if rng.random() < 0.15:  # comes wrong and is corrected later
            self.corrections.append((self.step + rng.randrange(1, 400), table, key, row))
            self.corrections.sort(key=lambda c: c[0])
            row = self.changed(spec, row)
        return self.put(table, key, row)

    def put(self, table, key, row):
        self.spoiled.discard((table, key))
        op = "u" if key in self.alive[table] else self.rng.choice(["c", "c", "c", "r"])
        self.alive[table][key] = row
        return self.encode(table, op, None, row)

    def unreadable(self):
        """A record that no decoder can read. Nothing of it becomes part of the rows alive."""
        rng = self.rng
        draw = rng.random()
        self.unreadable_records += 1
        if draw < 0.2:
            self.last = None
            return self.any_source(), '{"before":null,"after":{"event_id":' + str(self.step)
        if draw < 0.3:
            self.last = None
            return self.any_source(), '["not", "a", "change"]'
        table, column, value = rng.choice([s for s in SPOILED if s[0] in self.tables])
        spec = self.tables[table]
        key = self.fresh_key(spec) if spec.key else None
        if key is not None:
            if (table, key) in self.spoiled:
                self.unreadable_records -= 1
                return self.put(table, key, self.fresh(spec, key))
            self.corrections = [c for c in self.corrections if (c[1], c[2]) != (table, key)]
            self.spoiled.add((table, key))
            if rng.random() < 0.6:
                self.corrections.append((self.step + rng.randrange(1, 300), table, key, self.fresh(spec, key)))
                self.corrections.sort(key=lambda c: c[0])
        line = self.encode(table, "c", None, {**self.fresh(spec, key), column: value})
        self.last = None  # one unreadable version of a key at a time
        return line

    def any_source(self):
        return self.rng.choice(sorted({t.source for t in self.tables.values()}))

    def fresh_key(self, spec):
        rng = self.rng
        numbers = {c: rng.randrange(1, self.widened(c, KEY_RANGES.get((spec.name, c)) or RANGES.get(c, 1000))) for c in spec.key}
        return tuple(self.value(spec, c, "date") if spec.columns[c] == "date" else numbers[c] for c in spec.key)

    def widened(self, column, keys):
        return keys if column in FIXED else keys * self.spread

    def fresh(self, spec, key):
        row = {column: self.value(spec, column, kind) for column, kind in spec.columns.items()}
        for column in row:
            if self.rng.random() < (0.1 if column in ("customer_id", "price", "email") else 0.05):
                row[column] = None
        row.update(zip(spec.key or [], key or []))
        return row

    def changed(self, spec, row):
        row = dict(row)
        free = [c for c in spec.columns if c not in (spec.key or [])]
        for column in self.rng.sample(free, min(len(free), self.rng.choice([1, 1, 2, 3]))):
            row[column] = None if self.rng.random() < 0.1 else self.value(spec, column, spec.columns[column])
        return row

    def value(self, spec, column, kind):
        rng = self.rng
        if (spec.name, column) in self.choices_of:
            return rng.choice(self.choices_of[spec.name, column])
        if column in CHOICES:
            return rng.choice(CHOICES[column])
        if column in RANGES:  # low numbers are drawn more often: some customers are busy
            keys = self.widened(column, RANGES[column])
            return min(rng.randrange(1, keys), rng.randrange(1, keys))
        if column == "quantity":
            return rng.choice([0, 1, 1, 2, 3, 12, -1])
        if column == "event_id":
            return rng.randrange(1, 3000 * self.spread)
        if kind.startswith("numeric"):
            cents = rng.choice([0, 1, 10, 199, rng.randrange(100_000), rng.randrange(100_000), -rng.randrange(1000), 12_345_678])
            sign = "-" if cents < 0 else ""
            return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02}"
        if kind in ("bigint", "integer"):
            return rng.choice([0, 1, -7, rng.randrange(100_000), rng.randrange(100_000), 99_999_999])
        if kind == "date":
            return f"{rng.randrange(1930, 2010)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
        if kind == "timestamp":
            now = datetime.datetime.fromtimestamp(self.ts_ms // 1000, datetime.timezone.utc)
            days = [f"{now - datetime.timedelta(days=rng.randrange(120)):%Y-%m-%d}"] * 4 + ["2024-02-29", "2024-12-31", "2025-01-01", f"2025-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"]
            fraction = rng.choice(["", "", "", ".5", ".123456"])
            return f"{rng.choice(days)}T{rng.choice([0, 12, 23, 23]):02}:{rng.choice([0, 59]):02}:{rng.randrange(60):02}{fraction}Z"
        if kind == "boolean":
            return rng.random() < 0.6
        if kind == "text":
            return rng.choice(TEXTS)
        raise ValueError(f'column "{column}": no values are known for type {kind}')

    def encode(self, table, op, before, after):
        spec = self.tables[table]
        self.changed_rows[table] += op in "ud"
        if before is not None and spec.key:  # only the key of a `before` is true; the rest is what a connector makes up
            before = {c: v if c in spec.key else "" if spec.columns[c] == "text" else None for c, v in before.items()}
        source = {"connector": "postgresql", "name": "shop", "ts_ms": self.ts_ms, "table": table}
        self.last = spec.source, json.dumps({"before": before, "after": after, "source": source, "op": op, "ts_ms": self.ts_ms + 100}, ensure_ascii=self.rng.random() < 0.5)
        return self.last
