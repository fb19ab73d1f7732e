//! Every line of `data/probes/*.tsv` is an expression, and the type and value (or error) that PostgreSQL 15 gave for it.
//!
//! The expressions are bound by the small binder in `probe_sql`, which asks `resolve` for everything about types.

mod probe_sql;

use eval::Arena;
use row::calendar;

#[test]
fn every_probe_gives_postgresql_s_type_and_value() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/probes");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut count, mut wrong) = (0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("--")) {
            let [sql, ty, value] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{}:{}: three fields are wanted: {line}", file.display(), number + 1);
            };
            count += 1;
            let expected = format!("{ty} | {value}");
            let got = answer(sql);
            if got != expected {
                let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                wrong.push(format!("{file}:{}: {sql}\n    expected {expected}\n    got      {got}", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count} probes differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 500, "the probe files are gone: only {count} found");
}

/// `type | text`, `type | \N` for NULL, or `ERROR | message`.
fn answer(sql: &str) -> String {
    let expr = match probe_sql::bind(sql) {
        Ok(expr) => expr,
        Err(message) => return format!("ERROR | {message}"),
    };
    let arena = Arena::new();
    let ty = expr.ty(&[]);
    let shown = match expr.eval(&[], &arena) {
        Ok(value) if value.is_null() => "\\N".to_owned(),
        Ok(value) => {
            let mut text = String::new();
            value.write_text(&ty, calendar::parse_zone("UTC").unwrap(), &mut text);
            text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
        }
        Err(error) => {
            assert!(expr.is_fallible(), "`{sql}` failed and says it cannot: {error}");
            return format!("ERROR | {error}");
        }
    };
    let folded = expr.clone().fold();
    assert!(matches!(folded, eval::Expr::Literal { .. }), "`{sql}` is constant and was not folded: {folded:?}");
    assert_eq!(folded.ty(&[]), ty, "folding `{sql}` changed its type");
    assert!(!expr.describe(&[]).is_empty());
    format!("{ty} | {shown}")
}
