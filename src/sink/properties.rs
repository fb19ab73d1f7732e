//! What a table has besides its rows, and what is run around its first cut.
//!
//! ```text
//!   begin ─> on-run-start ─> per model { pre-hooks ─> create or alter ─> delta ─> key, indexes, comments, grants ─> post-hooks }
//!         ─> … ─> on-run-end ─> commit ─> post-hooks with `transaction: false`
//! ```
//!
//! 1. Hooks run once per deploy of a model: when its fingerprint is not the one that the sink has.
//! 2. A hook cannot end the cut's transaction: one that would is refused before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use super::{Deploy, SinkError, TableSpec};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableProperties {
    /// None leaves whatever comment is there.
    pub comment: Option<String>,
    /// (column, comment); other columns keep theirs.
    pub column_comments: Vec<(usize, String)>,
    pub indexes: Vec<IndexSpec>,
    /// Privilege to grantees. None: grants are other people's business. Else nobody but the owner has any other.
    pub grants: Option<BTreeMap<String, BTreeSet<String>>>,
    pub pre_hooks: Vec<Hook>,
    pub post_hooks: Vec<Hook>,
}

/// An index as dbt-postgres describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSpec {
    /// Names or expressions, as SQL.
    pub columns: Vec<String>,
    pub unique: bool,
    /// `btree`, `hash`, …
    pub method: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// `post-hook 1 of model.shop.orders`.
    pub name: String,
    /// Rendered.
    pub sql: String,
    /// Inside the transaction of the cut; else before or after it.
    pub transaction: bool,
}

/// The hooks of the whole project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunHooks {
    pub start: Vec<Hook>,
    pub end: Vec<Hook>,
}

impl Hook {
    pub(super) fn failed(&self, cause: impl Into<super::error::Cause>) -> SinkError {
        let first = self.sql.trim().lines().next().unwrap_or_default();
        SinkError::Refused {
            message: format!("{} failed: {first}", self.name),
            hint: Some("nothing of this cut was written; correct the hook, or take it out".into()),
            cause: Some(cause.into()),
        }
    }
}

/// Takes the hooks from all tables but those whose fingerprint the sink does not have. Tells whether there are any.
pub(super) fn only_new(tables: &mut [(TableSpec, Deploy)], deployed: &[(String, String, String)]) -> bool {
    let mut any = false;
    for (table, deploy) in tables {
        let is_known = |(model, _, fingerprint): &(String, String, String)| {
            *model == table.model && *fingerprint == table.fingerprint
        };
        if *deploy == Deploy::Evolve && !deployed.iter().any(is_known) {
            any = true;
        } else {
            table.properties.pre_hooks.clear();
            table.properties.post_hooks.clear();
        }
    }
    any
}

/// Refuses a hook that would end or begin a transaction inside the cut's own.
pub(super) fn check(run_hooks: &RunHooks, tables: &[(TableSpec, Deploy)]) -> Result<(), SinkError> {
    let of_tables =
        tables.iter().flat_map(|(table, _)| table.properties.pre_hooks.iter().chain(&table.properties.post_hooks));
    check_each(run_hooks.start.iter().chain(&run_hooks.end).chain(of_tables))
}

fn check_each<'a>(hooks: impl Iterator<Item = &'a Hook>) -> Result<(), SinkError> {
    const WORDS: [&str; 6] = ["begin", "commit", "rollback", "abort", "end", "start"];
    for hook in hooks.filter(|hook| hook.transaction) {
        let first_words = statements(&hook.sql);
        let ends = |word: &&String| WORDS.contains(&word.as_str());
        if let Some(word) = first_words.iter().find(ends) {
            return Err(SinkError::refused(
                format!("{} says {}, which would tear the cut's transaction apart", hook.name, word.to_uppercase()),
                "run it outside of the transaction: {sql: …, transaction: false}",
            ));
        }
    }
    Ok(())
}

/// The first word of each statement, in small letters.
fn statements(sql: &str) -> Vec<String> {
    let (mut words, mut rest, mut begins) = (Vec::new(), sql, true);
    while let Some(c) = rest.chars().next() {
        let length = token(rest, c);
        let (token, after) = rest.split_at(length);
        match c {
            ';' => begins = true,
            c if c.is_alphabetic() && begins => {
                words.push(token.to_lowercase());
                begins = false;
            }
            c if c.is_whitespace() || token.starts_with("--") || token.starts_with("/*") => {}
            _ => begins = false,
        }
        rest = after;
    }
    words
}

/// Bytes of the token at the start: a word, a quoted text, a comment, or one character.
fn token(text: &str, first: char) -> usize {
    let up_to = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    match first {
        '\'' | '"' => up_to(first.encode_utf8(&mut [0; 4]), 1),
        '-' if text.starts_with("--") => up_to("\n", 2),
        '/' if text.starts_with("/*") => up_to("*/", 2),
        '$' => {
            let is_tag = |c: char| c.is_alphanumeric() || c == '_';
            let end = text[1..].find(|c| !is_tag(c)).map_or(text.len(), |at| at + 1);
            if text[end..].starts_with('$') { up_to(&text[..=end], end + 1) } else { end }
        }
        c if c.is_alphabetic() || c == '_' => {
            text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(text.len())
        }
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sql: &str) -> bool {
        let hook = Hook { name: "post-hook 1 of m".into(), sql: sql.into(), transaction: true };
        check_each([&hook].into_iter()).is_err()
    }

    #[test]
    fn a_hook_that_ends_the_transaction_is_refused() {
        assert!(refused("commit"));
        assert!(refused("analyze t; COMMIT; vacuum t"));
        assert!(refused("/* x */ -- y\n begin; select 1"));
        assert!(refused("select ';'; rollback"));
        let outside = Hook { name: "h".into(), sql: "commit".into(), transaction: false };
        assert!(check_each([&outside].into_iter()).is_ok());
    }

    #[test]
    fn words_inside_texts_and_functions_are_no_statements() {
        assert!(!refused("insert into log values ('a; commit;')"));
        assert!(!refused("create function f() returns int language plpgsql as $$ begin return 1; end; $$"));
        assert!(!refused("do $b$ begin perform 1; end; $b$; analyze t"));
        assert!(!refused("select \"; end\" from t -- ; commit\n"));
        assert!(!refused("select $1; select 'it''s; end'"));
    }
}
