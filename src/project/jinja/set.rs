//! Python's sets: equal when they hold the same items, in whatever order.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::value::Arguments;

/// A set; it prints and is walked in the order of insertion.
#[derive(Default)]
pub struct Set(Mutex<Vec<Value>>);

pub fn set(items: impl IntoIterator<Item = Value>) -> Value {
    let set = Set::default();
    items.into_iter().for_each(|item| set.add(item));
    Value::from_object(set)
}

impl Set {
    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, item: Value) {
        let mut items = self.lock();
        if !items.contains(&item) {
            items.push(item);
        }
    }

    pub fn items(&self) -> Vec<Value> {
        self.lock().clone()
    }

    fn sorted(&self) -> Vec<Value> {
        let mut items = self.items();
        items.sort();
        items
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.items();
        if items.is_empty() {
            return f.write_str("set()");
        }
        f.write_str("{")?;
        for (at, item) in items.iter().enumerate() {
            write!(f, "{}{item:?}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str("}")
    }
}

impl Object for Set {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items())
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.sorted().cmp(&other.downcast_ref::<Set>()?.sorted()))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::of(args);
        let others = || -> Result<Vec<Value>, Error> {
            let mut items = Vec::new();
            for other in &args.positional {
                items.extend(other.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?);
            }
            Ok(items)
        };
        let mine = self.items();
        Ok(match method {
            "union" => set(mine.into_iter().chain(others()?)),
            "intersection" => {
                let others = others()?;
                set(mine.into_iter().filter(|item| others.contains(item)))
            }
            "difference" => {
                let others = others()?;
                set(mine.into_iter().filter(|item| !others.contains(item)))
            }
            "symmetric_difference" => {
                let others = others()?;
                let only_mine = mine.iter().filter(|item| !others.contains(item)).cloned();
                set(only_mine.chain(others.iter().filter(|item| !mine.contains(item)).cloned()))
            }
            "issubset" => {
                let others = others()?;
                Value::from(mine.iter().all(|item| others.contains(item)))
            }
            "issuperset" => Value::from(others()?.iter().all(|item| mine.contains(item))),
            "isdisjoint" => Value::from(!others()?.iter().any(|item| mine.contains(item))),
            "copy" => set(mine),
            "add" => {
                self.add(args.require(0, "elem")?);
                Value::from(())
            }
            "update" => {
                others()?.into_iter().for_each(|item| self.add(item));
                Value::from(())
            }
            "discard" | "remove" => {
                let item = args.require(0, "elem")?;
                self.lock().retain(|known| *known != item);
                Value::from(())
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }
}
