#!/usr/bin/env python3
"""Writes fixtures/shop/raw_data.jsonl: half a year of a small shop, as change data capture would deliver it.

    scripts/make_fixtures.py            writes the file (the same bytes on every machine)
    scripts/make_fixtures.py --check    exits 1 when the file in the tree is not what this script makes

      stories (a customer, an order, a session)  ──>  one queue by time  ──>  Debezium values, one per line

1. Every line is a Debezium value (`op`, `before`, `after`, `source.table`, `ts_ms`); the file is in delivery order and `ts_ms` never falls.
2. An update carries `before: null`, a delete's `before` is true in its key columns only: that is what a connector sends under
   PostgreSQL's default replica identity. `website_activity` has no key and only grows.
3. Every kind of change is there on purpose; `SITUATIONS` below says which and how often, and the script fails when one is missing.
"""

import argparse
import collections
import datetime
import heapq
import json
import pathlib
import random
import sys

TARGET = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "shop" / "raw_data.jsonl"
BYTES_MAX = 3_000_000

SNAPSHOT_AT = datetime.datetime(2025, 1, 1)
DAYS = 181
CUSTOMERS, ORDERS, PAYMENTS, PAGE_VIEWS, INTERACTIONS = 300, 1000, 900, 3000, 420

# situation -> least number of times that it must occur
SITUATIONS = {
    "snapshot read": 100,
    "order before its customer": 5,
    "order without items": 10,
    "customer without orders": 10,
    "status goes back": 10,
    "order returned": 30,
    "order deleted with its items": 20,
    "deleted order comes back": 3,
    "item corrected": 40,
    "item without a price": 5,
    "late payment": 30,
    "payment refunded": 10,
    "e-mail corrected": 20,
    "e-mail unknown at first": 5,
    "customer deleted": 4,
    "deleted customer comes back": 2,
    "anonymous click": 100,
    "repeated click": 40,
    "undeclared table": 2,
    "malformed, never corrected": 3,
    "malformed, corrected later": 2,
}

FIRST_NAMES = ["Ada", "Ben", "Chloé", "Dora", "Emil", "Fatima", "Gus", "Hana", "Ivo", "José", "Kim", "Lena", "Mo", "Nina", "Omar", "Zoë"]
LAST_NAMES = ["Ames", "Brandt", "Costa", "D'Arcy", "Evans", "Fischer", "Gomez", "Huang", "Iyer", "Jones", "Kowalski", "O'Neil", "Şahin"]
CITIES = [("Austin", "TX"), ("Boston", "MA"), ("Chicago", "IL"), ("Denver", "CO"), ("Miami", "FL"), ("Portland", "OR"), ("Seattle", "WA")]
PRODUCT_LINES = ["Starter Kit", "Refill", "Deluxe Box", "Gift Card", "Seasonal", "Subscription"]
PAGES = ["/", "/products", "/products/refill", "/products/deluxe", "/cart", "/checkout", "/help", "/account"]
EMPLOYMENT = ["employed", "self-employed", "student", "retired", "unknown"]


class Shop:
    """Collects changes under their time of delivery and turns them into lines."""

    KEYS = {
        "customers": ["customer_id"],
        "orders": ["id"],
        "order_items": ["order_id", "line_no"],
        "payments": ["id"],
        "customer_interactions": ["interaction_id"],
    }

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.queue = []
        self.count = 0
        self.situations = collections.Counter()

    def saw(self, situation):
        assert situation in SITUATIONS, situation
        self.situations[situation] += 1

    def at(self, when, table, op, row, raw=None):
        """Puts one change into the queue. `row` is the row after the change, or the last row before a delete."""
        heapq.heappush(self.queue, (max(when, SNAPSHOT_AT), self.count, table, op, dict(row), raw))
        self.count += 1

    def lines(self):
        while self.queue:
            when, _, table, op, row, raw = heapq.heappop(self.queue)
            yield raw if raw is not None else encode(when, table, op, row, self.KEYS.get(table))


def encode(when, table, op, row, key):
    ts_ms = int((when - datetime.datetime(1970, 1, 1)).total_seconds() * 1000)
    before, after = None, row
    if op == "d":
        before, after = {c: v if c in key else "" if isinstance(v, str) and c.endswith("status") else None for c, v in row.items()}, None
    value = {
        "before": before,
        "after": after,
        "source": {"name": "shop", "ts_ms": ts_ms, "table": table},
        "op": op,
        "ts_ms": ts_ms + 120,
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def stamp(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def later(rng, when, low_hours, high_hours):
    return when + datetime.timedelta(seconds=rng.randrange(int(low_hours * 3600), int(high_hours * 3600)))


def customer_stories(shop):
    """Customers and when each one's row first arrives."""
    rng, joined = shop.rng, {}
    for customer_id in range(1, CUSTOMERS + 1):
        in_snapshot = customer_id <= 120
        created = SNAPSHOT_AT + datetime.timedelta(days=rng.uniform(-400, -1) if in_snapshot else rng.uniform(0, DAYS - 10))
        created = created.replace(microsecond=0)
        joined[customer_id] = arrived = max(created, SNAPSHOT_AT)
        first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
        city, state = rng.choice(CITIES)
        born = datetime.date(1945, 1, 1) + datetime.timedelta(days=rng.randrange(21000))
        row = {
            "customer_id": customer_id,
            "email": f"{first}.{last}{customer_id}@Example.com".replace("'", ""),
            "first_name": first,
            "last_name": last,
            "phone": None if rng.random() < 0.3 else f"+1-555-{rng.randrange(10000):04}",
            "date_of_birth": None if rng.random() < 0.1 else born.isoformat(),
            "city": city,
            "state": state,
            "employment_status": rng.choice(EMPLOYMENT),
            "created_at": stamp(created),
        }
        right, mail = row["email"], rng.random()
        if mail < 0.04:
            shop.saw("e-mail unknown at first")
            row["email"] = None
        elif mail < 0.16:
            shop.saw("e-mail corrected")
            row["email"] = right.replace("@Example.com", "@exmaple.com")
        if in_snapshot:
            shop.saw("snapshot read")
        shop.at(arrived, "customers", "r" if in_snapshot else "c", row)
        if row["email"] != right:
            row = {**row, "email": right}
            shop.at(later(rng, arrived, 1, 400), "customers", "u", row)
        if rng.random() < 0.1:
            row = {**row, "city": "Boston", "state": "MA", "phone": None}
            shop.at(later(rng, arrived, 500, 900), "customers", "u", row)
        if customer_id % 55 == 0:
            shop.saw("customer deleted")
            gone = later(rng, arrived, 1000, 1500)
            shop.at(gone, "customers", "d", row)
            if customer_id % 110 == 0:
                shop.saw("deleted customer comes back")
                shop.at(later(rng, gone, 24, 200), "customers", "c", {**row, "phone": "+1-555-0100"})
    return joined


def order_stories(shop, joined):
    """Orders with their lines; gives (order id, customer, time, total in cents) for the payments."""
    rng, placed = shop.rng, []
    buyers = [c for c in joined if c % 9 != 0]  # every ninth customer never orders
    weights = [1 / (rank + 8) for rank in range(len(buyers))]
    for _ in set(joined) - set(buyers):
        shop.saw("customer without orders")
    for order_id in range(1, ORDERS + 1):
        customer_id = rng.choices(buyers, weights)[0]
        in_snapshot = order_id <= 150 and joined[customer_id] == SNAPSHOT_AT
        if in_snapshot:
            when = SNAPSHOT_AT
            ordered = SNAPSHOT_AT - datetime.timedelta(seconds=rng.randrange(86400, 86400 * 90))
        else:
            earliest = joined[customer_id]
            span = SNAPSHOT_AT + datetime.timedelta(days=DAYS - 5) - earliest
            when = ordered = earliest + datetime.timedelta(seconds=rng.randrange(60, int(span.total_seconds())))
        if not in_snapshot and joined[customer_id] > SNAPSHOT_AT and order_id % 40 == 0:
            shop.saw("order before its customer")  # the connector read the orders' table first
            when = joined[customer_id] - datetime.timedelta(minutes=30)
            ordered = when
        op = "r" if in_snapshot else "c"
        status = "completed" if in_snapshot else "placed"
        row = {
            "id": order_id,
            "user_id": customer_id,
            "cycle_name": rng.choice(PRODUCT_LINES),
            "status": status,
            "order_date": stamp(ordered),
            "channel": rng.choice(["web", "web", "app", "store", None]),
        }
        shop.at(when, "orders", op, row)
        items, total_cents = order_lines(shop, order_id, when, op)
        placed.append((order_id, customer_id, when, total_cents))
        if in_snapshot:
            continue
        shipped = later(rng, when, 4, 72)
        shop.at(shipped, "orders", "u", row := {**row, "status": "shipped"})
        if order_id % 37 == 0:
            shop.saw("status goes back")
            shop.at(shipped := later(rng, shipped, 1, 5), "orders", "u", row := {**row, "status": "placed"})
            shop.at(shipped := later(rng, shipped, 5, 30), "orders", "u", row := {**row, "status": "shipped"})
        done = later(rng, shipped, 24, 120)
        if order_id % 29 == 0:
            shop.saw("order deleted with its items")
            for item in items:
                shop.at(done, "order_items", "d", item)
            shop.at(done, "orders", "d", row)
            if order_id % 174 == 0:
                shop.saw("deleted order comes back")
                back = later(rng, done, 2, 60)
                shop.at(back, "orders", "c", {**row, "status": "placed"})
                for item in items[:1]:
                    shop.at(back, "order_items", "c", {**item, "quantity": 1})
        elif rng.random() < 0.06:
            shop.saw("order returned")
            shop.at(done, "orders", "u", {**row, "status": "return_pending"})
            shop.at(later(rng, done, 48, 200), "orders", "u", {**row, "status": "returned"})
        else:
            shop.at(done, "orders", "u", {**row, "status": "completed"})
    return placed


def order_lines(shop, order_id, when, op):
    rng, items, total_cents = shop.rng, [], 0
    if order_id % 50 == 0:
        shop.saw("order without items")
        return items, 0
    for line_no in range(1, rng.choice([1, 2, 2, 3, 3, 4]) + 1):
        cents, quantity = rng.randrange(199, 25000), rng.choice([1, 1, 1, 2, 3, 12])
        total_cents += cents * quantity
        right = {
            "order_id": order_id,
            "line_no": line_no,
            "product_id": rng.randrange(1, 81),
            "price": f"{cents // 100}.{cents % 100:02}",
            "quantity": quantity,
        }
        wrong, draw = right, rng.random()
        if draw < 0.03:
            shop.saw("item corrected")
            wrong = {**right, "quantity": quantity * 10}
        elif draw < 0.04:
            shop.saw("item without a price")
            wrong = {**right, "price": None}
        shop.at(when, "order_items", op, wrong)
        if wrong is not right:
            shop.at(later(rng, when, 1, 3), "order_items", "u", right)
        items.append(right)
    return items, total_cents


def payment_stories(shop, placed):
    rng = shop.rng
    payers = sorted(rng.sample(placed, PAYMENTS))
    for payment_id, (order_id, customer_id, when, cents) in enumerate(payers, start=1):
        paid = later(rng, when, 0.02, 48)
        arrived = paid
        if payment_id % 20 == 0:
            shop.saw("late payment")
            arrived = later(rng, paid, 24 * 60, 24 * 100)  # months after the order, dated when it was made
        row = {
            "id": payment_id,
            "order_id": order_id,
            "customer_id": customer_id,
            "amount": cents,
            "payment_method": rng.choice(["credit_card", "credit_card", "debit_card", "paypal", "apple_pay", "bank_transfer", "gift_card"]),
            "payment_status": "pending",
            "payment_date": stamp(paid),
        }
        shop.at(arrived, "payments", "c", row)
        status = "failed" if rng.random() < 0.04 else "completed"
        shop.at(settled := later(rng, arrived, 0.1, 30), "payments", "u", row := {**row, "payment_status": status})
        if status == "completed" and payment_id % 45 == 0:
            shop.saw("payment refunded")
            shop.at(later(rng, settled, 100, 300), "payments", "u", {**row, "payment_status": "refunded"})


def interaction_stories(shop, joined):
    rng = shop.rng
    for interaction_id in range(1, INTERACTIONS + 1):
        customer_id = rng.randrange(1, CUSTOMERS + 1)
        when = later(rng, joined[customer_id], 1, 24 * 40)
        row = {"interaction_id": interaction_id, "customer_id": customer_id, "channel": rng.choice(["email", "phone", "chat", "store"]), "interaction_at": stamp(when)}
        shop.at(when, "customer_interactions", "c", row)


def click_stories(shop, joined):
    rng, event_id, session = shop.rng, 0, 0
    while event_id < PAGE_VIEWS:
        session += 1
        customer_id = rng.randrange(1, CUSTOMERS + 1)
        when = later(rng, joined[customer_id], 0.1, 24 * 170)
        anonymous = rng.random() < 0.1
        referrer = rng.choice(["google", "newsletter", None, None])
        campaign = rng.choice(["spring", None, None]) if referrer else None
        for _ in range(rng.choice([1, 2, 3, 5, 8])):
            event_id += 1
            row = {
                "event_id": event_id,
                "customer_id": None if anonymous else customer_id,
                "session_id": f"s{session:05}",
                "page": rng.choice(PAGES),
                "referrer": referrer,
                "campaign": campaign,
                "activity_at": stamp(when),
            }
            if anonymous:
                shop.saw("anonymous click")
            shop.at(when, "website_activity", "c", row)
            if event_id % 60 == 0:
                shop.saw("repeated click")
                shop.at(later(rng, when, 0.01, 30), "website_activity", "c", row)
            when += datetime.timedelta(seconds=rng.randrange(5, 900))


def spoil(shop):
    """Records that no decoder can read, and records of a table that nobody declared."""

    def day(number):
        return SNAPSHOT_AT + datetime.timedelta(days=number, hours=12)

    shop.saw("malformed, never corrected")
    shop.at(day(20), "website_activity", "c", {}, '{"before":null,"after":{"event_id":90001,"customer_id":7,"session_id":"s9')
    shop.saw("malformed, never corrected")
    bad_date = {"event_id": 90002, "customer_id": 8, "session_id": "s90002", "page": "/", "referrer": None, "campaign": None}
    shop.at(day(40), "website_activity", "c", {**bad_date, "activity_at": "2025-02-30T10:00:00Z"})
    shop.saw("malformed, never corrected")
    shop.at(day(60), "payments", "u", {}, '"just a text, not a change"')

    shop.saw("malformed, corrected later")
    item = {"order_id": 4, "line_no": 9, "product_id": 12, "price": "12,50", "quantity": 2}
    shop.at(day(70), "order_items", "c", item)
    shop.at(day(90), "order_items", "u", {**item, "price": "12.50"})
    shop.saw("malformed, corrected later")
    payment = {"id": 5001, "order_id": 6, "customer_id": 5, "amount": "a lot", "payment_method": "paypal", "payment_status": "completed", "payment_date": stamp(day(80))}
    shop.at(day(80), "payments", "c", payment)
    shop.at(day(81), "payments", "u", {**payment, "amount": 4200})

    for number in (30, 110):
        shop.saw("undeclared table")
        shop.at(day(number), "audit_log", "c", {"id": number, "note": "nobody declared this table"})


def make():
    shop = Shop(seed=20250101)
    joined = customer_stories(shop)
    placed = order_stories(shop, joined)
    payment_stories(shop, placed)
    interaction_stories(shop, joined)
    click_stories(shop, joined)
    spoil(shop)
    text = "".join(line + "\n" for line in shop.lines())
    rare = {s: (n, shop.situations[s]) for s, n in SITUATIONS.items() if shop.situations[s] < n}
    assert not rare, f"situations that are too rare (wanted, found): {rare}"
    assert len(text.encode()) < BYTES_MAX, f"{len(text.encode())} bytes are more than {BYTES_MAX}"
    return text, shop.situations


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the file in the tree, write nothing")
    arguments = parser.parse_args()
    text, situations = make()
    if arguments.check:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            sys.exit(f"{TARGET} is not what this script makes. Run scripts/make_fixtures.py and commit the file")
        return
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET}: {text.count(chr(10))} records, {len(text.encode())} bytes")
    for situation, times in sorted(situations.items()):
        print(f"  {times:5}  {situation}")


if __name__ == "__main__":
    main()
