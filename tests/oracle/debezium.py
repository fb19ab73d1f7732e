#!/usr/bin/env python3
"""Debezium's own connector between a PostgreSQL under load and marts in another one; the connector and livemart are killed on the way.

      source PostgreSQL ──logical replication──> Debezium in Kafka Connect ──> broker ──> livemart serve ──> marts in another PostgreSQL
        ▲  └── random transactions (debezium_load.py)     (killed, restarted)             (killed)                  │
        └── dbt builds the same project there: the tables that must be equal at the end      reader: every cut adds up ┘

    debezium.py --binary PATH [--seconds 60] [--seed N] [--partitions 2] [--schemas] [--keep]

1. `transactions: debezium`: in every cut that a reader sees money is where its transfers say, and each order has all its items.
2. Cuts and positions never go back.
3. At the end every table equals what dbt makes of the source database, row by row, and `livemart verify` finds all tables equal.
4. Each kind of fault comes before any comes again.
The broker is LIVEMART_TEST_KAFKA, the marts are in LIVEMART_TEST_POSTGRES, the source is LIVEMART_TEST_SOURCE_POSTGRES (wal_level=logical);
databases are made there and dropped. KAFKA_HOME has the jars of Kafka Connect, DEBEZIUM_HOME the connector. Exit code 1: a difference.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True

import psycopg2
import requests

import compare
import debezium_load
from warehouse import KINDS

ROOT = pathlib.Path(__file__).resolve().parent
WAIT_SECONDS = 120
MODELS = sorted(path.stem for path in (ROOT / "debezium_project/models").glob("*.sql"))
# What each cut must give: a query over the marts, and its only answer.
INVARIANTS = {
    "the sum of all balances": ("select count(*), sum(balance) from {marts}.all_accounts", (debezium_load.ACCOUNTS, debezium_load.ACCOUNTS * debezium_load.OPENING)),
    "the sum over branches": ("select sum(accounts), sum(balance) from {marts}.branches", (debezium_load.ACCOUNTS, debezium_load.ACCOUNTS * debezium_load.OPENING)),
    "accounts that differ from their transfers": ("select count(*) from {marts}.account_checks where difference <> 0", (0,)),
    "orders that differ from their items": ("select count(*) from {marts}.order_checks where total <> items_total or lines = 0", (0,)),
    "items without an order": ("select count(*) from {marts}.all_order_items i left join {marts}.all_orders o on o.id = i.order_id where o.id is null", (0,)),
    "marts that differ from each other": (
        "select (select coalesce(sum(amount), 0) from {marts}.customer_totals) - (select coalesce(sum(items_total), 0) from {marts}.order_checks where status <> 'cancelled')",
        (0,),
    ),
}


def say(text):
    print(text, flush=True)


def wait_until(what, met, seconds=WAIT_SECONDS):
    deadline = time.monotonic() + seconds
    while True:
        found = met()
        if found:
            return found
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {seconds} s in vain: {what}")
        time.sleep(0.1)


def database_of(url, name):
    parts = urllib.parse.urlparse(url)
    return {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password or "", "dbname": name}


def run(connection, statement):
    cursor = connection.cursor()
    cursor.execute(statement)
    return cursor.fetchall() if cursor.description else None


class Connect:
    """Kafka Connect, one process, with the connector in it."""

    def __init__(self, work, source, schemas, partitions):
        self.work, self.source, self.process = work, source, None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        converter = "org.apache.kafka.connect.json.JsonConverter"
        (work / "connect.properties").write_text(
            f"bootstrap.servers={os.environ['LIVEMART_TEST_KAFKA']}\n"
            f"listeners={self.url}\n"
            f"key.converter={converter}\nvalue.converter={converter}\n"
            f"offset.storage.file.filename={work / 'connect.offsets'}\n"
            "offset.flush.interval.ms=1000\n"
            f"plugin.path={os.environ['DEBEZIUM_HOME']}/plugins\n"
            "plugin.discovery=service_load\n"
            "topic.creation.enable=true\n"
        )
        # Rows without a key and TRUNCATE have no key that could say their partition; marks have one order.
        single = "|".join([r"bank\.transaction", *(rf"bank\.public\.{table}" for table in ("clicks", "carts", "markers"))])
        self.config = {
            "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
            "tasks.max": "1",
            "database.hostname": source["host"], "database.port": str(source["port"]), "database.user": source["user"],
            "database.password": source["password"] or "none", "database.dbname": source["dbname"],
            "topic.prefix": "bank",
            "plugin.name": "pgoutput",
            "slot.name": "livemart",
            "publication.autocreate.mode": "filtered",
            "table.include.list": ",".join(f"public.{table}" for table in [*debezium_load.TABLES, "debezium_signal"]),
            "signal.data.collection": "public.debezium_signal",
            "provide.transaction.metadata": "true",
            "skipped.operations": "none",
            "decimal.handling.mode": "precise" if schemas else "string",
            "heartbeat.interval.ms": "1000",
            "poll.interval.ms": "50",
            "retriable.restart.connector.wait.ms": "500",
            "key.converter": converter, "key.converter.schemas.enable": str(schemas).lower(),
            "value.converter": converter, "value.converter.schemas.enable": str(schemas).lower(),
            "topic.creation.default.replication.factor": "1",
            "topic.creation.default.partitions": str(partitions),
            "topic.creation.groups": "single",
            "topic.creation.single.include": single,
            "topic.creation.single.replication.factor": "1",
            "topic.creation.single.partitions": "1",
        }

    def start(self):
        home = os.environ["KAFKA_HOME"]
        words = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", f"-Dlog4j2.configurationFile={home}/log4j2.properties"]
        words += ["-cp", f"{home}/jars/*", "org.apache.kafka.connect.cli.ConnectStandalone", str(self.work / "connect.properties")]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=open(self.work / "connect.log", "ab"), stderr=subprocess.STDOUT)
        wait_until("Kafka Connect answers", self.answers)
        answer = requests.put(f"{self.url}/connectors/bank/config", json=self.config, timeout=60)
        if answer.status_code >= 300:
            raise SystemExit(f"the connector is refused: {answer.text}")

    def answers(self):
        if self.process.poll() is not None:
            raise SystemExit(f"Kafka Connect ended: {(self.work / 'connect.log').read_text()[-2000:]}")
        try:
            return requests.get(f"{self.url}/connectors", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def streams(self):
        """Whether changes are followed: PostgreSQL itself says so. A task that gave up is begun again, as its operator would."""
        try:
            status = requests.get(f"{self.url}/connectors/bank/status", timeout=5).json()
            for task in status.get("tasks", []):
                if task["state"] == "FAILED":
                    requests.post(f"{self.url}/connectors/bank/tasks/{task['id']}/restart", timeout=30)
        except requests.RequestException:
            return False
        connection = psycopg2.connect(**self.source)
        try:
            return run(connection, "select 1 from pg_replication_slots s join pg_stat_replication r on r.pid = s.active_pid where s.slot_name = 'livemart' and r.state = 'streaming'")
        finally:
            connection.close()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, verb, path):
        getattr(requests, verb)(f"{self.url}/connectors/bank/{path}", timeout=60)

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()


class Livemart:
    def __init__(self, binary, project, log):
        self.binary, self.project, self.log, self.process = binary, project, log, None
        # dbt's words in the surroundings are not this project's
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("DBT_")}

    def start(self):
        self.process = subprocess.Popen([self.binary, "serve", "--listen", "127.0.0.1:0"], cwd=self.project, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.log, "ab"))

    def must_run(self):
        if self.process.poll() is not None:
            raise SystemExit(f"livemart ended with {self.process.returncode}: {self.log.read_text()[-3000:]}")

    def kill(self):
        self.must_run()
        self.process.kill()
        self.process.wait()

    def terminate(self):
        self.must_run()
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(WAIT_SECONDS) != 0:
            raise SystemExit(f"livemart ended with {self.process.returncode}: {self.log.read_text()[-3000:]}")

    def verify(self):
        done = subprocess.run([self.binary, "verify"], cwd=self.project, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise SystemExit(f"livemart verify:\n{done.stdout}")
        return next(line for line in done.stdout.splitlines() if "Compared" in line)

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Reader(threading.Thread):
    """Looks at all marts in one transaction, again and again."""

    def __init__(self, sink):
        super().__init__(daemon=True)
        self.sink, self.cuts, self.looks, self.wrong, self.is_over = sink, 0, 0, None, threading.Event()

    def run(self):
        try:
            connection = psycopg2.connect(**self.sink)
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            last, positions = -1, {}
            while not self.is_over.is_set():
                if run(connection, "select to_regclass('livemart.cut') is not null")[0][0]:
                    for seq, in run(connection, "select seq from livemart.cut"):
                        now = {(source, partition): position for source, partition, position in run(connection, 'select source, "partition", position from livemart.progress')}
                        self.check(connection, seq, last, positions, now)
                        self.cuts += seq > last
                        last, positions = seq, now
                        self.looks += 1
                connection.rollback()
                time.sleep(0.005)
            connection.close()
        except Exception as error:
            self.wrong = self.wrong or error

    def check(self, connection, seq, last, before, now):
        assert seq >= last, f"cut {seq} came after {last}"
        back = {place: (position, now.get(place)) for place, position in before.items() if now.get(place, -1) < position}
        assert not back, f"positions went back in cut {seq}: {back}"
        if run(connection, "select count(*) from marts.all_accounts")[0][0] == 0:
            return  # the snapshot has not come
        aside = run(connection, 'select source, "partition", position, "key", column_name, reason, record from livemart.errors limit 1')
        assert not aside, f"cut {seq}: a record was set aside: {aside[0]}"
        for name, (statement, expected) in INVARIANTS.items():
            got = run(connection, statement.format(marts="marts"))[0]
            # While the first snapshot comes in, an order may be there before its items: no transaction has brought it.
            assert got == expected, f"cut {seq}: {name} should be {expected} and is {got}"

    def must_be_right(self):
        if self.wrong:
            raise SystemExit(f"a reader saw: {self.wrong}")

    def end(self):
        self.is_over.set()
        self.join(30)
        self.must_be_right()


def project(work, source, sink):
    """dbt's project as it is; who builds it where is said beside it."""
    folder = work / "project"
    shutil.copytree(ROOT / "debezium_project", folder)
    output = {"type": "postgres", **{k: source[k] for k in ("host", "port", "user")}, "pass": source["password"], "dbname": source["dbname"], "schema": "by_dbt", "threads": 4}
    (folder / "profiles.yml").write_text(json.dumps({"bank": {"target": "prod", "outputs": {"prod": output}}}))
    raw = {"connector": "kafka", "brokers": os.environ["LIVEMART_TEST_KAFKA"], "topic": "bank.public.{table}", "format": "json", "envelope": "debezium", "transactions": "debezium", "key": ["id"]}
    target = {
        "sources": {"raw": raw, "raw.order_items": {"key": ["order_id", "line"]}, "raw.clicks": {"key": []}},
        "sink": {"type": "postgres", "url": "postgres://{user}@{host}:{port}/{dbname}".format(**sink), "schema": "marts"},
        "clock": {"mode": "wall"},
        "commit_interval": "50ms",
    }
    (folder / "livemart.yml").write_text(json.dumps({"targets": {"prod": target}}))
    return folder


def by_dbt(work, folder):
    program = pathlib.Path(sys.executable).parent / "dbt"
    words = [program, "--no-use-colors", "run", "--project-dir", folder, "--profiles-dir", folder, "--target-path", work / "dbt_target", "--log-path", work / "dbt_log"]
    environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "TZ": "UTC", "PGTZ": "UTC"}
    done = subprocess.run([str(word) for word in words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(f"dbt failed:\n{done.stdout}")


def relation(database, schema, table):
    """Values of types that `compare` does not know are taken as PostgreSQL prints them."""
    connection = psycopg2.connect(**database, options="-c timezone=UTC")
    try:
        columns = run(connection, f"select column_name, data_type from information_schema.columns where table_schema = '{schema}' and table_name = '{table}' order by ordinal_position")
        kinds = [KINDS.get(kind, "text") for _, kind in columns]
        taken = [f'"{name}"' if kind in KINDS else f'"{name}"::text' for name, kind in columns]
        return [kind for _, kind in columns], compare.Relation([name for name, _ in columns], kinds, run(connection, f"select {', '.join(taken)} from {schema}.{table}"))
    finally:
        connection.close()


def differences(source, sink):
    found, rows = [], 0
    for table in MODELS:
        types, expected = relation(source, "by_dbt", table)
        our_types, ours = relation(sink, "marts", table)
        rows += len(expected.rows)
        if types != our_types:
            found.append(f"{table}: types differ: expected {types}, got {our_types}")
        found += compare.differences(table, expected, ours.columns, ours.rows)
    return found, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--partitions", type=int, default=2)
    parser.add_argument("--schemas", action="store_true", help="records carry Kafka Connect's schemas, and numerics are bytes; else a seed decides")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    schemas = rng.random() < 0.5 or arguments.schemas
    work = pathlib.Path(tempfile.mkdtemp(prefix="livemart-debezium-"))
    name = f"livemart_bank_{os.getpid()}"
    urls = [os.environ["LIVEMART_TEST_SOURCE_POSTGRES"], os.environ["LIVEMART_TEST_POSTGRES"]]
    source, sink = (database_of(url, name) for url in urls)
    admins = [psycopg2.connect(**database_of(url, "postgres")) for url in urls]
    for admin in admins:
        admin.autocommit = True
        run(admin, f"create database {name}")
    folder = project(work, source, sink)
    connect = Connect(work, source, schemas, arguments.partitions)
    livemart = Livemart(arguments.binary.resolve(), folder, work / "livemart.log")
    reader = load = None
    say(f"seed {arguments.seed}, {'with' if schemas else 'without'} schemas, {arguments.partitions} partitions, in {work}")
    try:
        with psycopg2.connect(**source) as connection:
            debezium_load.prepare(connection, rng)
        connect.start()
        wait_until("the connector streams", connect.streams)
        # Debezium makes topics with their tables' first rows, and that of transactions with the first one: livemart waits for them.
        livemart.start()
        time.sleep(rng.choice([0, 4]))
        load = debezium_load.Load(source, arguments.seed, sessions=4, pause=0.02)
        reader = Reader(sink)
        reader.start()
        began = time.monotonic()
        wait_until("the first cut with rows", lambda: livemart.must_run() or reader.must_be_right() or reader.looks > 0)
        faults = chaos(arguments, rng, began, connect, livemart, reader, load, source)
        committed = load.end()
        wait_until("the connector streams at the end", connect.streams)
        with psycopg2.connect(**source) as connection:
            run(connection, "insert into markers values (1)")
        by_dbt(work, folder)
        last = []

        def is_equal():
            livemart.must_run()
            reader.must_be_right()
            last[:] = differences(source, sink)
            return not last[0] or time.monotonic() > deadline

        deadline = time.monotonic() + WAIT_SECONDS / 2
        wait_until("all tables are equal", is_equal)
        if last[0]:
            raise SystemExit("tables differ when everything has come:\n  " + "\n  ".join(last[0]) + "\n" + livemart.log.read_text()[-1500:])
        reader.end()
        if reader.cuts < 10:
            raise SystemExit(f"the reader saw {reader.cuts} cuts only")
        verified = livemart.verify()
        livemart.terminate()
        say(f"seed {arguments.seed}: {committed} transactions, {sum(faults.values())} faults {faults}, {reader.cuts} cuts seen, all whole;")
        say(f"{len(MODELS)} tables with {last[1]} rows equal dbt's over the source; verify: {verified.strip()}")
    except BaseException:
        arguments.keep = True
        say(f"the folder is kept: {work}")
        raise
    finally:
        if load:
            load.is_over.set()
        if reader:
            reader.is_over.set()
        livemart.end()
        connect.end()
        for admin in admins:
            time.sleep(0.5)  # the slot is let go
            run(admin, f"select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '{name}' and not active")
            run(admin, f"drop database {name} with (force)")
        if not arguments.keep:
            shutil.rmtree(work)


def chaos(arguments, rng, began, connect, livemart, reader, load, source):
    """Faults, until the time is over; how many of each kind there were."""

    def statement(text):
        connection = psycopg2.connect(**source)
        connection.autocommit = True
        run(connection, text)
        connection.close()

    def kill_connect():
        connect.kill()
        time.sleep(rng.random() * 2)
        connect.start()

    def kill_livemart():
        livemart.kill()
        time.sleep(rng.random())
        livemart.start()

    def stop_livemart():
        livemart.terminate()
        livemart.start()

    def pause_connector():
        connect.ask("put", "pause")
        time.sleep(rng.random() * 2)
        connect.ask("put", "resume")

    kinds = {
        "connect killed": kill_connect,
        "connector restarted": lambda: connect.ask("post", "restart?includeTasks=true"),
        "connector paused": pause_connector,
        "replication ended by the server": lambda: statement("select pg_terminate_backend(active_pid) from pg_replication_slots where active"),
        "livemart killed": kill_livemart,
        "livemart stopped": stop_livemart,
        "incremental snapshot": lambda: statement("""insert into debezium_signal values (gen_random_uuid(), 'execute-snapshot', '{"data-collections": ["public.orders", "public.accounts"], "type": "incremental"}')"""),
        "a new column": load.add_nicknames,
    }
    counts, next_kinds = {}, []
    while time.monotonic() - began < arguments.seconds:
        if not next_kinds:
            next_kinds = list(kinds)
            rng.shuffle(next_kinds)
        time.sleep(0.5 + rng.random() * 4)
        kind = next_kinds.pop()
        say(f"{time.monotonic() - began:6.1f} s: {kind}; {reader.cuts} cuts seen")
        kinds[kind]()
        counts[kind] = counts.get(kind, 0) + 1
        wait_until("the connector streams again", connect.streams)
        seen = reader.cuts
        wait_until(f"two cuts after: {kind}", lambda: livemart.must_run() or reader.must_be_right() or reader.cuts >= seen + 2)
        dead = [session.error for session in load.sessions if session.error]
        if dead:
            raise dead[0]
    return counts


main()
