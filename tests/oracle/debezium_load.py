"""A random transactional load for a database that Debezium follows.

      sessions ──transactions of every shape──> accounts, transfers · customers, orders, order_items · clicks · carts

1. Every committed state keeps the sums: balances add up to what the accounts were opened with, an account's balance is its opening and
   its transfers, an order's total is that of its items. Between the statements of a transaction they do not hold.
2. Transactions overlap: sessions wait with what they have changed. Some are rolled back, in whole or to a savepoint.
3. What is hard to follow is among it: changed keys, values too large for a row that stay as they were, deletes, tables without a key,
   TRUNCATE, statements over many rows, a column that comes later.
"""

import json
import random
import threading
import time
import uuid

import psycopg2
import psycopg2.errors

ACCOUNTS, CUSTOMERS = 60, 80
OPENING = 1000

TABLES = ["accounts", "transfers", "customers", "orders", "order_items", "clicks", "carts", "markers"]
SCHEMA = """
create table accounts (id int primary key, branch smallint not null, opening numeric(12,2) not null, balance numeric(12,2) not null, opened timestamptz not null);
create table transfers (id bigserial primary key, from_id int not null, to_id int not null, amount numeric(12,2) not null, made timestamp not null);
create table customers (id int primary key, name text not null, vip boolean, born date, rating double precision, code uuid);
create table orders (id bigint primary key, customer_id int not null, status text not null, total numeric(14,2) not null, placed timestamptz, note text, details jsonb);
alter table orders alter note set storage external;
create table order_items (order_id bigint, line int, product text, price numeric(10,2) not null, quantity int not null, primary key (order_id, line));
create table clicks (customer_id int, page text, clicked timestamp);
alter table clicks replica identity full;
create table carts (id int primary key, customer_id int, amount numeric);
create table markers (id int primary key);
create table debezium_signal (id varchar(42) primary key, type varchar(32) not null, data varchar(2048));
"""


def prepare(connection, rng):
    """Tables, and the rows that the connector meets when it starts."""
    run = connection.cursor().execute
    run(SCHEMA)
    for number in range(ACCOUNTS):
        run("insert into accounts values (%s, %s, %s, %s, now())", (number, number % 7, OPENING, OPENING))
    for number in range(CUSTOMERS):
        born = f"{rng.randrange(1930, 2010)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}" if rng.random() < 0.9 else None
        row = (number, f"Ćelia {number} \"q\" 漢字", rng.choice([True, False, None]), born, rng.choice([0.1, -2.5e10, 3.0, None]), str(uuid.UUID(int=rng.getrandbits(128))))
        run("insert into customers values (%s, %s, %s, %s, %s, %s)", row)


class Session(threading.Thread):
    """One client of the database; every call of `one` is a transaction."""

    def __init__(self, load, number, seed):
        super().__init__(daemon=True)
        self.load, self.number, self.rng = load, number, random.Random(seed)
        self.committed, self.failed, self.error = 0, 0, None
        self.next = number * 10_000_000
        self.orders = []

    def run(self):
        try:
            connection = psycopg2.connect(**self.load.source)
            while not self.load.is_over.is_set():
                cursor = connection.cursor()
                try:
                    self.one(cursor.execute, cursor)
                    if self.rng.random() < 0.05:
                        connection.rollback()
                        continue
                    connection.commit()
                    self.committed += 1
                except (psycopg2.errors.DeadlockDetected, psycopg2.errors.LockNotAvailable):
                    connection.rollback()
                    self.failed += 1
                time.sleep(self.rng.expovariate(1) * self.load.pause)
            connection.close()
        except Exception as error:  # told by Load.end
            self.error = error

    def one(self, run, cursor):
        run("set local lock_timeout = '2s'")
        for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
            work = self.rng.choices([self.transfer, self.many_transfers, self.order, self.change_order, self.move_order, self.drop_order, self.customer, self.click, self.cart], [8, 1, 4, 5, 1, 1, 2, 3, 2])[0]
            if self.rng.random() < 0.1:
                run("savepoint here")
                kept = list(self.orders)
                work(run, cursor)
                run("rollback to savepoint here")
                self.orders = kept
            else:
                work(run, cursor)
            if self.rng.random() < 0.1:
                time.sleep(self.rng.random() * 0.3)

    def transfer(self, run, cursor):
        """The two sides and their record are three statements, in either order."""
        one, other = self.rng.sample(range(ACCOUNTS), 2)
        amount = self.rng.randrange(1, 20_000) / 100
        steps = [
            ("update accounts set balance = balance - %s where id = %s", (amount, one)),
            ("update accounts set balance = balance + %s where id = %s", (amount, other)),
            ("insert into transfers (from_id, to_id, amount, made) values (%s, %s, %s, localtimestamp)", (one, other, amount)),
        ]
        self.rng.shuffle(steps)
        for step in steps:
            run(*step)
            if self.rng.random() < 0.03:
                time.sleep(self.rng.random() * 0.2)

    def many_transfers(self, run, cursor):
        """A fee of one statement: everybody pays into account 0."""
        fee = self.rng.randrange(1, 50) / 100
        run("lock table accounts in share row exclusive mode")
        run("update accounts set balance = balance - %s where id <> 0", (fee,))
        run("insert into transfers (from_id, to_id, amount, made) select id, 0, %s, localtimestamp from accounts where id <> 0", (fee,))
        run("update accounts set balance = balance + %s * (select count(*) from accounts where id <> 0) where id = 0", (fee,))

    def order(self, run, cursor):
        self.next += 1
        note = self.rng.choice([None, "short", self.text(4000), self.text(12_000)])
        details = json.dumps({"visits": self.rng.randrange(9), "tags": ["ä", self.text(self.rng.choice([3, 3000]))]})
        run("insert into orders values (%s, %s, 'open', 0, now(), %s, %s)", (self.next, self.rng.randrange(CUSTOMERS), note, details))
        for line in range(self.rng.choice([1, 2, 3, 40])):
            run("insert into order_items values (%s, %s, %s, %s, %s)", (self.next, line, f"p{self.rng.randrange(20)}", self.rng.randrange(1, 9999) / 100, self.rng.randrange(1, 5)))
        self.add_up(run, self.next)
        self.orders.append(self.next)

    def change_order(self, run, cursor):
        """A large note stays as it is in most of these, and is not sent again."""
        if not self.orders:
            return
        order = self.rng.choice(self.orders)
        kind = self.rng.randrange(5)
        if kind == 0:
            run("update orders set status = %s where id = %s", (self.rng.choice(["open", "shipped", "cancelled"]), order))
        elif kind == 1:
            run("update orders set note = %s where id = %s", (self.text(self.rng.choice([20, 5000])), order))
        elif kind == 2:
            run("update order_items set quantity = quantity + 1 where order_id = %s", (order,))
            self.add_up(run, order)
        elif kind == 3:
            run("delete from order_items where order_id = %s and line = (select max(line) from order_items where order_id = %s and line > 0)", (order, order))
            self.add_up(run, order)
        else:
            run("update orders set details = jsonb_set(details, '{visits}', to_jsonb((details ->> 'visits')::int + 1)) where id = %s", (order,))

    def move_order(self, run, cursor):
        """Its key changes, and so do its items' keys."""
        if not self.orders:
            return
        at = self.rng.randrange(len(self.orders))
        self.next += 1
        run("update orders set id = %s where id = %s", (self.next, self.orders[at]))
        run("update order_items set order_id = %s where order_id = %s", (self.next, self.orders[at]))
        self.orders[at] = self.next

    def drop_order(self, run, cursor):
        if len(self.orders) < 3:
            return
        order = self.orders.pop(self.rng.randrange(len(self.orders)))
        run("delete from order_items where order_id = %s", (order,))
        run("delete from orders where id = %s", (order,))

    def customer(self, run, cursor):
        customer = self.rng.randrange(CUSTOMERS)
        run("update customers set vip = not vip, rating = coalesce(rating, 0) + 0.1, name = name || '.' where id = %s", (customer,))
        if self.load.has_nicknames and self.rng.random() < 0.5:
            run("update customers set nickname = %s where id = %s", (self.rng.choice([None, self.text(5)]), customer))

    def click(self, run, cursor):
        """Rows without a key, some of them equal."""
        customer = self.rng.randrange(8)
        if self.rng.random() < 0.8:
            run("insert into clicks select %s, %s, '2026-03-01 10:00:00.123456'::timestamp + %s * interval '1 hour' from generate_series(1, %s)", (customer, f"/p{self.rng.randrange(4)}", self.rng.randrange(3), self.rng.choice([1, 1, 2, 30])))
        elif self.rng.random() < 0.5:
            run("delete from clicks where ctid in (select ctid from clicks where customer_id = %s limit %s)", (customer, self.rng.randrange(1, 20)))
        else:
            run("update clicks set page = '/moved' where customer_id = %s and page = '/p0'", (customer,))

    def cart(self, run, cursor):
        if self.rng.random() < 0.06:
            run("truncate carts")
        run("insert into carts values (%s, %s, %s) on conflict (id) do update set amount = carts.amount + 1", (self.rng.randrange(300), self.rng.randrange(CUSTOMERS), self.rng.choice([0, 1.5, 1e15, 0.000000001])))

    def add_up(self, run, order):
        run("update orders set total = (select sum(price * quantity) from order_items where order_id = %s) where id = %s", (order, order))

    def text(self, length):
        return "".join(self.rng.choices("abcdefghijklmnopqrstuvwxyz é漢", k=length))


class Load:
    def __init__(self, source, seed, sessions, pause):
        self.source, self.pause = source, pause
        self.is_over, self.has_nicknames = threading.Event(), False
        self.sessions = [Session(self, number, f"{seed} {number}") for number in range(1, sessions + 1)]
        for session in self.sessions:
            session.start()

    def add_nicknames(self):
        """The column comes while everything runs."""
        connection = psycopg2.connect(**self.source)
        connection.autocommit = True
        connection.cursor().execute("alter table customers add column if not exists nickname text")
        connection.close()
        self.has_nicknames = True

    def end(self):
        """How many transactions were committed."""
        self.is_over.set()
        for session in self.sessions:
            session.join(60)
            assert not session.is_alive(), "a session does not end"
            if session.error:
                raise session.error
        return sum(session.committed for session in self.sessions)
