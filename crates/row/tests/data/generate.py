#!/usr/bin/env python3
"""Makes the *.tsv files beside it: random and chosen cases with the answers of a running PostgreSQL.

    PGHOST=127.0.0.1 PGPORT=5432 PGUSER=postgres python3 generate.py [cases per operation] [seed]

Each line is an operation, its arguments and PostgreSQL's answer as text, separated by tabs; an answer that starts with
"ERROR: " is an error message, "NULL" is NULL. `tests/postgres.rs` replays the files. Needs psql; creates one temporary function.
"""
import os, random, subprocess, sys

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 6
RANDOM = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 20250301)
HERE = os.path.dirname(os.path.abspath(__file__))

SQL = {
    # numeric
    "add": "{0}::numeric + {1}::numeric", "sub": "{0}::numeric - {1}::numeric", "mul": "{0}::numeric * {1}::numeric",
    "div": "{0}::numeric / {1}::numeric", "rem": "{0}::numeric % {1}::numeric", "round": "round({0}::numeric, {1})",
    "trunc": "trunc({0}::numeric, {1})", "ceil": "ceil({0}::numeric)", "floor": "floor({0}::numeric)",
    "sqrt": "sqrt({0}::numeric)", "exp": "exp({0}::numeric)", "ln": "ln({0}::numeric)",
    "log": "log({0}::numeric, {1}::numeric)", "power": "power({0}::numeric, {1}::numeric)",
    "neg": "-({0}::numeric)", "abs": "abs({0}::numeric)", "sign": "sign({0}::numeric)",
    "compare": "case when {0}::numeric < {1}::numeric then -1 when {0}::numeric = {1}::numeric then 0 else 1 end",
    "typmod": "{0}::numeric::numeric({1},{2})", "numeric": "{0}::numeric", "to_i64": "{0}::numeric::bigint",
    "from_f64": "{0}::float8::numeric", "from_f32": "{0}::float4::numeric", "to_f64": "{0}::numeric::float8",
    # floats
    "float8": "{0}::float8", "float4": "{0}::float4",
    # calendar
    "date": "{0}::date", "time": "{0}::time", "timestamp": "{0}::timestamp", "timestamptz": "{0}::timestamptz",
    "interval": "{0}::interval",
    "timestamp_plus": "{0}::timestamp + {1}::interval", "timestamp_minus": "{0}::timestamp - {1}::interval",
    "timestamptz_plus": "{0}::timestamptz + {1}::interval", "timestamps_minus": "{0}::timestamp - {1}::timestamp",
    "age": "age({0}::timestamp, {1}::timestamp)",
    "interval_add": "{0}::interval + {1}::interval", "interval_sub": "{0}::interval - {1}::interval",
    "interval_neg": "-({0}::interval)", "interval_mul": "{0}::interval * {1}::float8",
    "interval_div": "{0}::interval / {1}::float8",
    "interval_compare": "case when {0}::interval < {1}::interval then -1 when {0}::interval = {1}::interval then 0 else 1 end",
    "justify": "justify_interval({0}::interval)", "justify_days": "justify_days({0}::interval)",
    "justify_hours": "justify_hours({0}::interval)",
    "trunc_timestamp": "date_trunc({0}, {1}::timestamp)", "trunc_timestamptz": "date_trunc({0}, {1}::timestamptz)",
    "trunc_interval": "date_trunc({0}, {1}::interval)",
    "extract_date": "extract({0!r} from {1}::date)", "extract_time": "extract({0!r} from {1}::time)",
    "extract_timestamp": "extract({0!r} from {1}::timestamp)", "extract_timestamptz": "extract({0!r} from {1}::timestamptz)",
    "extract_interval": "extract({0!r} from {1}::interval)",
    "in_zone": "{0}::timestamptz at time zone current_setting('timezone')",
    "to_utc": "({0}::timestamp at time zone current_setting('timezone'))",
    # arrays and bytes
    "text_array": "array[{0}, {1}]", "bytes": "{0}::bytea",
}
# Operations that look at the session's time zone take it as their last argument.
ZONED = {"timestamptz", "timestamptz_plus", "trunc_timestamptz", "extract_timestamptz", "in_zone", "to_utc"}
RAW = {"round": {1}, "trunc": {1}, "typmod": {1, 2}}
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia"]
UNITS = ["microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade",
         "century", "millennium"]
FIELDS = UNITS + ["dow", "isodow", "doy", "isoyear", "julian", "epoch", "timezone", "timezone_hour", "timezone_minute"]


def number(whole=12, fraction=6):
    whole, fraction = RANDOM.randint(0, whole), RANDOM.randint(0, fraction)
    text = "".join(RANDOM.choice("0000123456789") for _ in range(whole)) or "0"
    if fraction:
        text += "." + "".join(RANDOM.choice("0001234569") for _ in range(fraction))
    return RANDOM.choice(["", "", "-"]) + text


def any_number():
    kind = RANDOM.random()
    if kind < 0.5:
        return number()
    if kind < 0.7:
        return number(3, 3)
    if kind < 0.85:
        return number(45, 30)
    if kind < 0.95:
        return number(2, 25)
    return RANDOM.choice(["0", "0.00", "1", "-1", "NaN", "Infinity", "-Infinity", "1e30", "1e-30",
                          "170141183460469231731687303715884105727", "-170141183460469231731687303715884105728"])


def positive(whole=12, fraction=6):
    return number(whole, fraction).lstrip("-")


def day():
    year = RANDOM.choice([RANDOM.randint(1970, 2037), RANDOM.randint(1, 9999), RANDOM.randint(1900, 2100)])
    return "%04d-%02d-%02d" % (year, RANDOM.randint(1, 12), RANDOM.choice([1, 28, RANDOM.randint(1, 28)]))


def clock():
    text = "%02d:%02d:%02d" % (RANDOM.randint(0, 23), RANDOM.randint(0, 59), RANDOM.randint(0, 59))
    return text + RANDOM.choice(["", "", ".5", ".123456", ".000001", ".120"])


def timestamp():
    if RANDOM.random() < 0.05:
        return RANDOM.choice(["infinity", "-infinity", "0044-03-15 12:00:00 BC", "0001-01-01 00:00:00", "epoch"])
    return day() + " " + clock()


def recent():
    return "%04d-%02d-%02d %s" % (RANDOM.randint(1975, 2036), RANDOM.randint(1, 12), RANDOM.randint(1, 28), clock())


def interval():
    parts = []
    for unit, top in (("year", 30), ("mon", 30), ("day", 100)):
        if RANDOM.random() < 0.5:
            parts.append("%d %s" % (RANDOM.randint(-top, top), unit))
    if RANDOM.random() < 0.6 or not parts:
        parts.append(RANDOM.choice(["", "-"]) + clock())
    return " ".join(parts)


def factor():
    return RANDOM.choice(["2", "0.5", "1.5", "-1", "0.1", "3", "7", "1e3", "%.4f" % RANDOM.uniform(-5, 5), "%.10f" % RANDOM.random()])


def float_text(single):
    import struct
    if RANDOM.random() < 0.5:
        return repr(RANDOM.choice([RANDOM.uniform(-1e6, 1e6), RANDOM.random(), float(RANDOM.randint(-10**17, 10**17)),
                                   round(RANDOM.uniform(0, 1000), 2), 2.0 ** RANDOM.randint(-120, 120)]))
    while True:
        raw = struct.unpack("<f", RANDOM.randbytes(4))[0] if single else struct.unpack("<d", RANDOM.randbytes(8))[0]
        if raw == raw and abs(raw) != float("inf"):
            return repr(raw)


CASES = []


def case(op, *arguments):
    CASES.append((op, arguments))


def numeric_cases():
    for _ in range(COUNT):
        for op in ("add", "sub", "mul", "div", "rem", "compare"):
            case(op, any_number(), any_number())
        for op in ("round", "trunc"):
            case(op, any_number(), str(RANDOM.randint(-6, 8)))
        for op in ("ceil", "floor", "neg", "abs", "sign", "numeric", "to_i64", "to_f64"):
            case(op, any_number())
        case("sqrt", RANDOM.choice([positive(), positive(40, 20), positive(0, 30)]))
        case("exp", RANDOM.choice([number(2, 6), number(3, 3), number(0, 20)]))
        case("ln", RANDOM.choice([positive(), positive(30, 20), "1." + "0" * RANDOM.randint(0, 10) + "7", "0.9" + positive(0, 9)[2:]]))
        case("log", RANDOM.choice(["2", "10", "10.0", positive(3, 3)]), positive())
        case("power", number(3, 3), str(RANDOM.randint(-20, 20)))
        case("power", positive(4, 5), number(1, 3))
        case("typmod", any_number(), str(RANDOM.randint(1, 20)), str(RANDOM.randint(-3, 12)))
        for op, single in (("from_f64", False), ("from_f32", True), ("float8", False), ("float4", True)):
            case(op, float_text(single))
    for a, b in (("10.00", "3"), ("100.0", "3"), ("1.0", "3"), ("2", "3.0"), ("1.00", "9999999.00"), ("1", "0"), ("NaN", "0"),
                 ("Infinity", "0"), ("1000.0", "7"), ("9999", "10000"), ("10000", "9999"), ("1e-20", "3e10"), ("1e100", "7"),
                 ("1", "1e500"), ("0", "5.00"), ("0.0001", "10000"), ("-7", "2"), ("0.5", "17"), ("Infinity", "Infinity"),
                 ("-Infinity", "3"), ("3", "-Infinity")):
        for op in ("div", "rem", "mul", "power", "add", "sub", "compare"):
            case(op, a, b)
    for text in (" 42 ", "+1.50", ".5", "5.", "1e5", "1.5e-3", "1E+3", "-.5e1", "", " ", "abc", "1.2.3", "1e", "--1", "1_000", "nan",
                 "-nan", "inf", "+Infinity", "-inf", "1e131071", "1e131072", "1e-16383", "1e-16384", "1e1000000", "0e1000000", "0x1f",
                 "1e99999999999", "00012.3400", "-0.00", "e5", ".", "1 2", "infinit"):
        case("numeric", text)
    for x in ("0", "0.0", "4", "2", "100", "0.0001", "1e40", "1e-40", "-1", "Infinity", "NaN"):
        for op in ("sqrt", "exp", "ln", "ceil", "floor", "to_i64", "sign"):
            if op != "exp" or x != "1e40":
                case(op, x)
    for x in ("5999", "6000", "-5000", "-6001", "710.5", "0.000000000000000001"):
        case("exp", x)
    for b, x in (("1", "5"), ("10", "1000"), ("2", "1e300"), ("0", "1"), ("-1", "1"), ("Infinity", "2"), ("2", "Infinity"),
                 ("Infinity", "Infinity"), ("0.5", "8")):
        case("log", b, x)
    for x, y in (("0", "0"), ("0", "0.5"), ("0", "-1"), ("-8", "0.5"), ("-2", "3"), ("1.5", "2.5"), ("10", "2.5"), ("100", "0.5"),
                 ("1.0000001", "2000000000"), ("2", "400000"), ("2", "500000"), ("0.5", "100"), ("1e10", "-3"), ("-1", "1e20"),
                 ("-1.5", "10000000000"), ("1.1", "10000000000"), ("0.9", "10000000000"), ("NaN", "0"), ("1", "NaN"),
                 ("-Infinity", "3"), ("-Infinity", "2"), ("Infinity", "-1"), ("0.5", "Infinity"), ("2", "-Infinity"),
                 ("7.2", "1"), ("7.25", "-1"), ("1.23456789", "2"), ("3", "0.333333333333333333333"), ("123456789.123", "2.1")):
        case("power", x, y)
    for x, p, s in (("99.995", "4", "2"), ("99.994", "4", "2"), ("0.05", "1", "2"), ("0.005", "1", "2"), ("0.994", "2", "2"),
                    ("12345", "3", "-2"), ("149999", "3", "-3"), ("999500", "3", "-3"), ("Infinity", "5", "2"), ("NaN", "5", "2"),
                    ("1e50", "60", "2"), ("123.456", "1000", "500")):
        case("typmod", x, p, s)


def float_cases():
    for exponent in list(range(-60, 70, 3 if COUNT < 100 else 1)) + list(range(-1074, 1024, 97 if COUNT < 100 else 1)):
        case("float8", repr(2.0 ** exponent))
        if -120 < exponent < 120:
            case("float4", repr(2.0 ** exponent))
    for text in ("1e23", "9007199254740993", "5e-324", "1e20", "1e15", "1e14", "123456789012345678", "1e-4", "1e-5", "0.3", "100000",
                 "1e6", "999999", "0.1", "-0", "nan", "inf", "-Infinity", "1e400", "1e-400", "x", "", "1e40", " 1.5 ", "1.7976931348623157e308",
                 "16777216", "33554434", "3.4e38", "8.5e22", "1.5e22", "9e15", "9223372036854775808", "1e22", "4.35", "1.", ".5", "1e", "+5"):
        case("float8", text)
        case("float4", text)
        case("from_f64", text)
        case("from_f32", text)
    for _ in range(COUNT):
        case("float8", repr(float(RANDOM.randint(2**53, 2**64))))
        case("float8", "%de%d" % (RANDOM.randint(1, 99999), RANDOM.randint(15, 25)))


def calendar_cases():
    for _ in range(COUNT):
        case("timestamp_plus", timestamp(), interval())
        case("timestamp_minus", timestamp(), interval())
        case("timestamps_minus", timestamp(), timestamp())
        # PostgreSQL 15 takes an infinity's bits for a date here; we refuse it.
        case("age", day() + " " + clock(), timestamp().replace("-infinity", "epoch").replace("infinity", "epoch"))
        case("interval", interval())
        case("interval_add", interval(), interval())
        case("interval_sub", interval(), interval())
        case("interval_mul", interval(), factor())
        case("interval_div", interval(), factor())
        case("interval_compare", interval(), interval())
        for op in ("interval_neg", "justify", "justify_days", "justify_hours"):
            case(op, interval())
        case("timestamptz_plus", recent(), interval().replace("-", ""), RANDOM.choice(ZONES))
        case("in_zone", recent() + "+00", RANDOM.choice(ZONES))
        case("to_utc", recent(), RANDOM.choice(ZONES))
        case("timestamptz", recent() + RANDOM.choice(["", "Z", "+02", "-03:30", " UTC", " America/New_York", " EST", "+0545"]), RANDOM.choice(ZONES))
        case("timestamptz", "%d-%02d-15 12:00" % (RANDOM.randint(2096, 9999), RANDOM.randint(1, 12)), "Europe/Berlin")
    for unit in FIELDS + ["foo", "mons", "Hours"]:
        for _ in range(max(1, COUNT // 8)):
            case("trunc_timestamp", unit, recent() if unit == "foo" else timestamp())
            case("trunc_interval", unit, interval())
            case("trunc_timestamptz", unit, recent(), RANDOM.choice(ZONES))
            case("extract_timestamp", unit, timestamp())
            case("extract_timestamptz", unit, recent(), RANDOM.choice(ZONES))
            # A refusal says the unit's main name, where PostgreSQL repeats the abbreviation.
            if unit != "Hours":
                case("extract_date", unit, day())
            if unit != "mons":
                case("extract_time", unit, clock())
            case("extract_interval", unit, interval())
        case("extract_timestamp", unit, "infinity")
        if unit != "Hours":
            case("extract_date", unit, "-infinity")
        case("extract_timestamptz", unit, "infinity", "UTC")
        for text in ("0044-03-15 12:34:56.7 BC", "0001-12-31 23:59:59 BC", "2000-12-31 23:59:59", "2001-01-01 00:00:00", "2021-01-03 00:00:00"):
            case("trunc_timestamp", unit, text)
            case("extract_timestamp", unit, text)
    for local in ("2024-03-10 02:30:00", "2024-11-03 01:30:00", "2024-03-31 02:30", "2024-10-27 02:30", "2011-12-30 12:00", "2024-04-07 01:45",
                  "1900-01-01 00:00", "2024-07-01 00:00", "0300-01-01 00:00", "9999-12-31 23:59:59.999999"):
        for zone in ZONES:
            case("to_utc", local, zone)
            case("timestamptz", local, zone)
            case("timestamptz_plus", local, "1 day", zone)
            case("timestamptz_plus", local, "24 hours", zone)
            case("trunc_timestamptz", "hour", local, zone)
            case("trunc_timestamptz", "day", local, zone)
    dates = ["2024-03-01", "20240301", "240301", "Mar 1 2024", "1 March 2024", "March 1, 2024", "3/1/2024", "3/1/24", "1-Mar-2024", "2024-Mar-01",
             "Mar-1-2024", "2024.060", "2024-060", "2024/03/01", "2024-3-1", "0001-01-01", "9999-12-31", "44-03-15 BC", "0044-03-15 BC", "March 15, 44 BC",
             "4713-01-01 BC", "4715-01-01 BC", "5874897-12-31", "5874898-01-01", "infinity", "-infinity", "epoch", "", " ", "abc", "2024-13-01", "2024-02-30",
             "2023-02-29", "2024-00-10", "2024-01-00", "0000-01-01", "13/13/2024", "2024-03-01 10:00", "2024-03-01T10:00:00Z", "Fri Mar 1 2024", "J2460371",
             "2024-03", "2024", "01 03 2024", "99-01-08", "1/8/1999", "January 8, 1999 BC", "08-Jan-99", "Jan-08-99", "99-Jan-08", "2024-03-01 foo", " 2024-03-01 ",
             "2024-03-01 BC", "1 mar", "mar 2024", "Fri 2024-03-01", "BC 2024-03-01", "UTC 2024-03-01", "2024-03-01 Fri", "10:00 Mar 1 2024", "10:00 20240301", "1.1.2024", "31.12.2024", "2024-1-", "2024--1-1", "20241301", "1e5", "12345678901234567890", "24", "2024 060"]
    for text in dates:
        case("date", text)
        case("timestamp", text)
    times = ["12:34", "12:34:56", "12:34:56.789", "24:00", "24:00:01", "25:00", "23:59:60", "12:60", "123456", "1234", "12:34 PM", "12:34 AM", "1:02:03 pm",
             "13:00 pm", "12:34:56+02", "12:34Z", "T12:34", "allballs", "", "foo", "12", "12:34:56.1234567", "23:59:59.9999999", "-1:00", "12:34:5", "1:2:3",
             "12:34:56 UTC", "040506.789", "34:56.789", "12:34:56.9999995"]
    for text in times:
        case("time", text)
        case("timestamp", "2024-03-01 " + text)
        if text[:1].isdigit():
            case("timestamp", "2024-03-01T" + text)
        case("timestamptz", "2024-03-01 " + text, "America/New_York")
    for text in ("2024-03-01 12:00:00 Europe/Berlin", "2024-07-01 12:00:00 europe/berlin", "2024-03-01 12:00 CET", "2024-07-01 12:00 CEST", "2024-03-01 12:00+14:30",
                 "2024-03-01 12:00+16", "2024-03-01 12:00-08:00:30", "2024-03-01 12:00 Foo/Bar", "2024-03-01 12:00 foo", "20240301T120000Z", "20240301T120000-08",
                 "20240301 120000", "2024-03-01 12:00:00.5 +05:30", "2024-03-01 12:00:00 GMT", "12:00 2024-03-01", "2024-03-01 24:00", "Fri Mar 01 12:00:00 2024 PST",
                 "2024-03-01 12:00:00+0530", "2024-03-01 12:00:00 +5", "Mar 1 12:00:00 2024 UTC", "2024-03-01 12:00:00.123456789", "294276-12-31 00:00:00", "294277-01-01"):
        case("timestamptz", text, "UTC")
        if not text.startswith("29427"):
            case("timestamp", text)
    intervals = ["1 day", "1 month", "1 mon 2 days 03:04:05", "1 year 2 months 3 weeks", "1-2", "-1-2", "1-2 3 04:05:06", "1.5 days", "1.5 months", "1.5 years",
                 "0.1 month", "1.25 weeks", "90 days", "2 hours ago", "1 day -02:03:04", "-1 day +02:03:04", "P1Y2M3DT4H5M6S", "P1M", "P1W", "PT1H30M", "P0001-02-03T04:05:06",
                 "P1.5D", "PT0.5S", "P-1Y", "P", "PT", "", "abc", "1", "1.5", "12:34", "12:34:56.789", "1 02:03:04", "1d2h3m4s", "1 decade", "1 century", "1 millennium",
                 "2 mils", "3 c", "100 ms", "1500 milliseconds", "5 us", "1 day 2 days", "1 foo", "day", "@ 1 hour", "1 quarter", "1y 1mon", "-1.5 hours", "1.5 days ago",
                 "0.5 seconds 3 milliseconds", "1 second 3 milliseconds", "99999999999 years", "178956971 years", "2147483647 days", "2147483648 days", "100000000:00:00",
                 "2562047789:00:00", "0.0000005 s", "1 hour 1 minute 1.5 second", "1 week 1 day", "1:60", "1:02:60", "34:56.789", "+1 day", "- 1 day", "1 day 24:00:00",
                 "infinity", "1 month ago -1 day", "1.1 decades", "7 weeks 3 d", "P1Y2M3W4D", "P1DT", "p1d", "1e3 days", ".5 days", "1. day", "1 day,2 hours", "1 day-2 hours",
                 "-00:00:01", "1 mon -1 day", "-1 mon +1 day 00:00:01", "0 days", "1 microsecond", "3 years -2 mons", "1 hr 2 mins 3 secs"]
    for text in intervals:
        case("interval", text)
    for a, b in (("2024-01-31", "1 month"), ("2024-03-31", "-1 month"), ("2024-02-29", "1 year"), ("2024-02-29", "-4 years"), ("294246-12-31", "-1 year"),
                 ("4713-11-24 BC", "-1 day"), ("4713-12-24 BC", "-1 month"), ("2024-01-31 12:00", "1 month 1 day 13 hours")):
        case("timestamp_plus", a, b)
    for a, b in (("2025-03-01", "2024-01-31"), ("2024-01-31", "2025-03-01"), ("2024-03-31", "2024-02-29"), ("2024-02-29 01:00", "2024-02-28 02:00"),
                 ("2020-02-29", "2021-02-28"), ("2025-01-01 12:00", "2024-11-01 10:30")):
        case("age", a, b)
        case("timestamps_minus", a, b)
    for a, b in (("1 month", "30 days"), ("1 year", "360 days"), ("1 day", "24:00:00"), ("1 mon -1 day", "29 days"), ("-1 mon", "-31 days")):
        case("interval_compare", a, b)
    for a, b in (("1 day", "0"), ("1 day", "NaN"), ("1 month", "1e300"), ("1 mon", "0.3333"), ("1 year 2 mons", "7"), ("-1 day", "3")):
        case("interval_mul", a, b)
        case("interval_div", a, b)


def text_cases():
    for a in ("a", "b c", "", "null", "NULL", 'q"uote', "back\\slash", "{brace}", "comma,", "ümlaut"):
        case("text_array", a, "x")
    for a in ("", "hi", "\\x00ff10"):
        case("bytes", a)


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def answers(cases):
    script = ["create function pg_temp.try(zone text, q text) returns text language plpgsql as $$ declare r text; begin",
              "perform set_config('timezone', zone, true); execute 'select (' || q || ')::text' into r; return coalesce(r, 'NULL');",
              "exception when others then return 'ERROR: ' || sqlerrm; end $$;"]
    for op, arguments in cases:
        zone = arguments[-1] if op in ZONED else "UTC"
        plain = arguments[:-1] if op in ZONED else arguments
        quoted = [text if index in RAW.get(op, ()) else literal(text) for index, text in enumerate(plain)]
        sql = SQL[op].replace("{0!r}", plain[0] if plain[0] in FIELDS else '"' + plain[0].lower() + '"').format(*quoted)
        script.append("select pg_temp.try(%s, %s);" % (literal(zone), literal(sql)))
    run = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "postgres"], input="\n".join(script),
                         capture_output=True, text=True, check=True)
    lines = run.stdout.split("\n")[:-1]
    assert len(lines) == len(cases), (len(lines), len(cases), run.stderr)
    return lines


for name, make in (("numeric", numeric_cases), ("float", float_cases), ("calendar", calendar_cases), ("text", text_cases)):
    CASES.clear()
    make()
    unique = list(dict.fromkeys(CASES))
    with open(os.path.join(HERE, name + ".tsv"), "w") as out:
        for (op, arguments), answer in zip(unique, answers(unique)):
            if len(answer) > 3000:  # the limits have unit tests
                continue
            out.write("\t".join([op, *arguments, answer]) + "\n")
