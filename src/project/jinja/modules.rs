//! `modules`: the parts of Python's `datetime`, `pytz`, `re` and `itertools` that templates use.
//!
//! 1. `now()` and `utcnow()` are the moment the command started, so that a project compiles to one text.
//! 2. Regular expressions are Rust's: look-around and back-references are refused, naming the pattern.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::moment::{Moment, Zone};
use super::regexp;
use super::value::{Arguments, list};

/// Python's `+` and `-` where a date or a duration takes part; nothing for other values.
pub fn time_arithmetic(op: &str, left: &Value, right: &Value) -> Option<Result<Value, Error>> {
    let (left, right) = (left.downcast_object_ref::<Moment>()?, right.downcast_object_ref::<Moment>());
    let result = right.and_then(|right| if op == "+" { left.plus(right) } else { left.minus(right) });
    Some(result.map(Value::from_object).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("unsupported operand type(s) for {op}: '{}' and another", left.type_name()),
        )
    }))
}

/// A module, a class or a function of Python's, by its dotted name.
#[derive(Debug)]
struct Name {
    path: String,
    /// The moment that `now()` gives.
    now: Moment,
}

/// `modules`, with `now` as its present moment.
pub fn root(now: Moment) -> Value {
    Value::from_object(Name { path: String::new(), now })
}

const KNOWN: &[&str] = &[
    "datetime",
    "datetime.datetime",
    "datetime.date",
    "datetime.timedelta",
    "datetime.timezone",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.datetime.strptime",
    "datetime.datetime.fromisoformat",
    "datetime.datetime.fromtimestamp",
    "datetime.datetime.combine",
    "datetime.date.today",
    "datetime.date.fromisoformat",
    "pytz",
    "pytz.timezone",
    "re",
    "re.match",
    "re.search",
    "re.fullmatch",
    "re.sub",
    "re.findall",
    "re.split",
    "re.compile",
    "re.escape",
    "itertools",
    "itertools.chain",
    "itertools.product",
    "itertools.combinations",
    "itertools.permutations",
    "itertools.islice",
    "itertools.zip_longest",
    "itertools.repeat",
];

impl Object for Name {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let path = if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) };
        match path.as_str() {
            "pytz.utc" | "pytz.UTC" | "datetime.timezone.utc" => Some(Value::from_object(Zone::utc())),
            "re.IGNORECASE" | "re.I" => Some(Value::from(2)),
            "re.MULTILINE" | "re.M" => Some(Value::from(8)),
            "re.DOTALL" | "re.S" => Some(Value::from(16)),
            path if KNOWN.contains(&path) => {
                Some(Value::from_object(Name { path: path.to_string(), now: self.now.clone() }))
            }
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        call(&self.path, &self.now, &Arguments::of(args))
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let path = if self.path.is_empty() { method.to_string() } else { format!("{}.{method}", self.path) };
        call(&path, &self.now, &Arguments::of(args))
    }
}

fn call(path: &str, now: &Moment, args: &Arguments) -> Result<Value, Error> {
    let moment = match path {
        "datetime.datetime" => Moment::datetime_of(args),
        "datetime.date" => Moment::date_of(args),
        "datetime.timedelta" => Ok(Moment::duration_of(args)),
        "datetime.datetime.now" => match args.get(0, "tz").as_ref().and_then(Value::downcast_object_ref::<Zone>) {
            Some(zone) => Ok(now.in_zone(zone)),
            None => Ok(now.naive()),
        },
        "datetime.datetime.utcnow" | "datetime.datetime.today" => Ok(now.naive()),
        "datetime.date.today" => Ok(now.date()),
        "datetime.datetime.strptime" => Moment::strptime(&args.text(0, "date_string")?, &args.text(1, "format")?),
        "datetime.datetime.fromisoformat" | "datetime.date.fromisoformat" => {
            let parsed = Moment::from_iso(&args.text(0, "date_string")?)?;
            Ok(if path.starts_with("datetime.date.") { parsed.date() } else { parsed })
        }
        "datetime.datetime.fromtimestamp" => {
            let seconds = f64::try_from(args.require(0, "timestamp")?)?;
            Moment::from_timestamp(seconds)
        }
        "datetime.datetime.combine" => {
            let date = args.require(0, "date")?;
            date.downcast_object_ref::<Moment>().map(Moment::midnight).ok_or_else(|| not_known(path))
        }
        "pytz.timezone" => return Zone::named(&args.text(0, "zone")?).map(Value::from_object),
        path if path.starts_with("re.") => return regexp::call(&path[3..], args),
        path if path.starts_with("itertools.") => return itertools(&path[10..], args),
        _ => Err(not_known(path)),
    };
    moment.map(Value::from_object)
}

fn not_known(path: &str) -> Error {
    Error::new(ErrorKind::UnknownMethod, format!("modules.{path} is not available in livemart's templates"))
}

fn items_of(value: &Value) -> Result<Vec<Value>, Error> {
    value.try_iter()?.checked().collect()
}

fn itertools(name: &str, args: &Arguments) -> Result<Value, Error> {
    let pools = || args.positional.iter().map(items_of).collect::<Result<Vec<_>, _>>();
    let size = || args.get(1, "r").and_then(|size| size.as_usize());
    let tuples =
        |rows: Vec<Vec<Value>>| list(rows.into_iter().map(|row| Value::from(minijinja::value::Tuple::from(row))));
    Ok(match name {
        "chain" => list(pools()?.into_iter().flatten()),
        "product" => {
            let once = pools()?;
            let repeat = args.named("repeat").and_then(Value::as_usize).unwrap_or(1);
            let pools: Vec<&Vec<Value>> = (0..repeat).flat_map(|_| once.iter()).collect();
            tuples(pools.into_iter().fold(vec![Vec::new()], |rows, pool| {
                rows.iter()
                    .flat_map(|row| pool.iter().map(|item| [row.as_slice(), std::slice::from_ref(item)].concat()))
                    .collect()
            }))
        }
        "combinations" | "permutations" => {
            let pool = items_of(&args.require(0, "iterable")?)?;
            let size = size().unwrap_or(pool.len());
            let rows = choices(pool.len(), size, name == "combinations");
            tuples(rows.into_iter().map(|row| row.into_iter().map(|at| pool[at].clone()).collect()).collect())
        }
        "islice" => {
            let pool = items_of(&args.require(0, "iterable")?)?;
            let at = |index: usize| args.positional.get(index).and_then(Value::as_usize);
            let (start, stop) = if args.positional.len() == 2 { (0, at(1)) } else { (at(1).unwrap_or(0), at(2)) };
            let stop = stop.unwrap_or(pool.len()).min(pool.len());
            list(pool.into_iter().take(stop).skip(start).step_by(at(3).unwrap_or(1).max(1)))
        }
        "zip_longest" => {
            let pools = pools()?;
            let fill = args.named("fillvalue").cloned().unwrap_or_else(|| Value::from(()));
            let longest = pools.iter().map(Vec::len).max().unwrap_or(0);
            tuples(
                (0..longest)
                    .map(|at| pools.iter().map(|pool| pool.get(at).unwrap_or(&fill).clone()).collect())
                    .collect(),
            )
        }
        "repeat" => {
            let times = args.get(1, "times").and_then(|times| times.as_usize()).unwrap_or(0);
            list(std::iter::repeat_n(args.require(0, "object")?, times))
        }
        _ => return Err(not_known(&format!("itertools.{name}"))),
    })
}

/// Index rows of Python's order: growing ones for combinations, all arrangements otherwise.
fn choices(count: usize, size: usize, growing: bool) -> Vec<Vec<usize>> {
    (0..size).fold(vec![Vec::new()], |rows: Vec<Vec<usize>>, _| {
        rows.iter()
            .flat_map(|row| {
                let fits =
                    move |at: &usize| if growing { row.last().is_none_or(|last| at > last) } else { !row.contains(at) };
                (0..count).filter(fits).map(move |at| [row.as_slice(), &[at]].concat())
            })
            .collect()
    })
}
