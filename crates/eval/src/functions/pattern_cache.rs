//! Patterns compiled once per thread: regular expressions and format pictures.

use std::collections::HashMap;
use std::rc::Rc;

/// Patterns that come from columns could be without number.
const PATTERNS_MAX: usize = 256;

/// Compiled forms by pattern. Emptied when it grows past a bound: a dataflow has few patterns.
pub(super) struct PatternCache<T> {
    compiled: HashMap<String, Rc<T>>,
    /// A buffer for the key, so that looking up allocates nothing.
    key: String,
}

impl<T> PatternCache<T> {
    pub(super) fn new() -> PatternCache<T> {
        PatternCache { compiled: HashMap::new(), key: String::new() }
    }

    /// The compiled form under the joined key; `compile` is called at the first look only.
    pub(super) fn get<E>(&mut self, key: &[&str], compile: impl FnOnce() -> Result<T, E>) -> Result<Rc<T>, E> {
        self.key.clear();
        key.iter().for_each(|part| self.key.push_str(part));
        if let Some(compiled) = self.compiled.get(self.key.as_str()) {
            return Ok(Rc::clone(compiled));
        }
        let compiled = Rc::new(compile()?);
        if self.compiled.len() >= PATTERNS_MAX {
            self.compiled.clear();
        }
        self.compiled.insert(self.key.clone(), Rc::clone(&compiled));
        Ok(compiled)
    }
}
