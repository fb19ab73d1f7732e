//! What a project says of its tables besides their rows, through the real binary: indexes, comments, grants and hooks.

use super::pipeline::binary::{Answer, Folder, await_that};
use super::pipeline::parts::fresh;
use super::postgres_sink::{Client, url};

/// A project over one file of orders, on PostgreSQL or SQLite.
struct Shop {
    folder: Folder,
    client: Client,
    schema: String,
    roles: Vec<String>,
}

const MODEL: &str = "select id, status, cents from {{ source('raw', 'orders') }}";

impl Shop {
    fn new(sqlite: bool) -> Shop {
        let schema = fresh("deploy");
        let folder = Folder::new("deploy");
        folder.write(
            "dbt_project.yml",
            "name: shop\nversion: '1.0.0'\nconfig-version: 2\nmodels:\n  +materialized: table\n",
        );
        let sink = if sqlite {
            "{type: sqlite, path: marts.db}".to_owned()
        } else {
            format!("{{type: postgres, url: \"{}\", schema: {schema}, meta_schema: {schema}_meta}}", url())
        };
        folder.write(
            "livemart.yml",
            &format!(
                "targets:\n  prod:\n    sources:\n      raw: {{connector: file, path: orders.jsonl, envelope: upsert}}\n      raw.orders: {{key: [id]}}\n    sink: {sink}\n    clock: {{mode: event}}\n"
            ),
        );
        folder.write(
            "models/sources.yml",
            "version: 2\nsources:\n  - name: raw\n    tables:\n      - name: orders\n        columns:\n          - {name: id, data_type: bigint}\n          - {name: status, data_type: text}\n          - {name: cents, data_type: bigint}\n",
        );
        folder.write("models/orders.sql", MODEL);
        let shop = Shop { folder, client: Client::new(), schema, roles: Vec::new() };
        shop.append(1, "new", 500);
        shop.append(2, "paid", 700);
        shop
    }

    fn append(&self, id: i64, status: &str, cents: i64) {
        self.folder
            .append("orders.jsonl", &format!("{{\"id\": {id}, \"status\": \"{status}\", \"cents\": {cents}}}\n"));
    }

    fn role(&mut self) -> String {
        let role = fresh("role").replace('_', "-");
        self.client.run(&format!("create role \"{role}\""));
        self.roles.push(role.clone());
        role
    }

    fn run(&self) -> Answer {
        self.folder.livemart(&["run"])
    }

    fn runs(&self) {
        let answer = self.run();
        assert_eq!(answer.code, 0, "{answer:#?}");
    }

    fn one(&self, sql: &str) -> String {
        self.client.one(&sql.replace("{m}", &self.schema))
    }

    /// As SQLite's own reader sees it.
    fn lite(&self, sql: &str) -> String {
        let connection = rusqlite::Connection::open(self.folder.path("marts.db")).expect("a database");
        connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap_or_else(|cause| panic!("{sql}: {cause}"))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let schema = &self.schema;
        self.client
            .run(&format!("drop schema if exists {schema} cascade; drop schema if exists {schema}_meta cascade"));
        for role in &self.roles {
            self.client.run(&format!("drop role \"{role}\""));
        }
    }
}

#[test]
fn postgres_indexes_comments_and_grants_are_made_with_the_table_and_follow_the_project() {
    let mut shop = Shop::new(false);
    let (reader, writer) = (shop.role(), shop.role());
    let properties = |comment: &str, column: &str, grants: &str, indexes: &str| {
        format!(
            "version: 2\nmodels:\n  - name: orders\n    description: \"{comment}\"\n    config:\n      persist_docs: {{relation: true, columns: true}}\n      grants: {grants}\n      indexes: {indexes}\n    columns:\n      - {{name: STATUS, description: \"{column}\"}}\n"
        )
    };
    let indexes =
        "[{columns: [status], type: hash}, {columns: [cents], unique: true}, {columns: [\"lower(status)\", cents]}]";
    shop.folder.write(
        "models/orders.yml",
        &properties("it's \\\\ ours", "where it is", &format!("{{select: ['{reader}', public]}}"), indexes),
    );
    shop.runs();
    let comments = "select obj_description('{m}.orders'::regclass, 'pg_class') || '|' || col_description('{m}.orders'::regclass, 2)";
    assert_eq!(shop.one(comments), "it's \\ ours|where it is");
    let grants = "select string_agg(lower(a.privilege_type) || ' ' || case when a.grantee = 0 then 'public' else pg_get_userbyid(a.grantee) end, ',' order by a.grantee)
         from pg_class c, aclexplode(c.relacl) a where c.oid = '{m}.orders'::regclass and a.grantee <> c.relowner";
    assert_eq!(shop.one(grants), format!("select public,select {reader}"));
    let defined = "select string_agg(regexp_replace(indexdef, '.* USING ', ''), ', ' order by indexdef ~ 'lower', indexdef ~ 'hash', indexdef ~ 'cents') from pg_indexes
         where schemaname = '{m}' and tablename = 'orders'";
    assert_eq!(
        shop.one(defined),
        "btree (id) NULLS NOT DISTINCT, btree (cents), hash (status), btree (lower(status), cents)"
    );

    // Rows that exchange their unique values in one cut meet in the middle, and that is no matter.
    shop.append(1, "new", 700);
    shop.append(2, "paid", 500);
    shop.runs();
    assert_eq!(shop.one("select string_agg(cents::text, ',' order by id) from {m}.orders"), "700,500");

    // The model stays; what is said of it changes. Others' indexes, comments and the table itself stay.
    shop.client.run(&format!(
        "create index mine on {0}.orders (id, status); comment on column {0}.orders.id is 'mine'",
        shop.schema
    ));
    let filed = shop.one("select relfilenode from pg_class where oid = '{m}.orders'::regclass");
    shop.folder.write(
        "models/orders.yml",
        &properties("ours", "where", &format!("{{insert: ['{writer}']}}"), "[{columns: [cents]}]"),
    );
    shop.runs();
    assert_eq!(shop.one(comments), "ours|where");
    assert_eq!(shop.one(grants), format!("insert {writer}"));
    assert_eq!(shop.one("select count(*) from pg_indexes where schemaname = '{m}' and tablename = 'orders'"), "3");
    assert_eq!(shop.one("select count(*) from pg_constraint where conrelid = '{m}.orders'::regclass"), "0");
    assert_eq!(shop.one("select col_description('{m}.orders'::regclass, 1)"), "mine");
    assert_eq!(shop.one("select relfilenode from pg_class where oid = '{m}.orders'::regclass"), filed);

    // Without a word about grants, they are somebody else's business.
    shop.folder.write("models/orders.yml", "version: 2\n");
    shop.client.run(&format!("grant select on {}.orders to \"{reader}\"", shop.schema));
    shop.runs();
    assert_eq!(shop.one(grants).split(',').count(), 2);

    shop.folder.write("models/orders.yml", &properties("", "", "{select: [nobody_of_that_name]}", "[]"));
    let answer = shop.run();
    assert_eq!(answer.code, 1, "{answer:#?}");
    assert!(
        format!("{answer:?}").contains("nobody_of_that_name") && format!("{answer:?}").contains("create the role"),
        "{answer:#?}"
    );
    shop.folder.write("models/orders.yml", &properties("", "", "{}", "[{columns: cents}]"));
    let answer = shop.run();
    assert!(answer.code != 0 && format!("{answer:?}").contains("Invalid index config"), "{answer:#?}");
    shop.folder.write("models/orders.yml", "version: 2\n");
    shop.client.run(&format!("drop owned by \"{reader}\"; drop owned by \"{writer}\""));
}

/// `{{ this }}`, both places where hooks are written, both forms, and the hooks of the project.
fn with_hooks(shop: &Shop) {
    shop.folder.write(
        "dbt_project.yml",
        "name: shop\nversion: '1.0.0'\nconfig-version: 2\nmodels:\n  +materialized: table\n  +post-hook: \"ANALYZE {{ this }}\"\n\
         on-run-start: [\"create table if not exists {{ target.schema ~ '.' if var('schemas', true) else '' }}log (at integer, what text)\"]\n\
         on-run-end:\n  - \"insert into {{ target.schema ~ '.' if var('schemas', true) else '' }}log values (4, 'end of {{ schemas | length }} {{ results | length }}')\"\n",
    );
    let log = "{{ target.schema ~ '.' if var('schemas', true) else '' }}log";
    shop.folder.write(
        "models/orders.sql",
        &format!(
            "{{{{ config(pre_hook=[\"insert into {log} values (1, 'before {{{{ this.name }}}}')\", \"  \"]) }}}}\n{MODEL}"
        ),
    );
    shop.folder.write(
        "models/orders.yml",
        &format!(
            "version: 2\nmodels:\n  - name: orders\n    config:\n      post-hook:\n        - \"insert into {log} select 2, count(*) || ' rows' from {{{{ this }}}}\"\n        - {{sql: \"insert into {log} values (3, 'outside')\", transaction: false}}\n"
        ),
    );
}

#[test]
fn postgres_hooks_run_once_per_deploy_and_inside_the_cut() {
    let shop = Shop::new(false);
    with_hooks(&shop);
    shop.runs();
    let log = "select string_agg(at || ' ' || what, ', ' order by ctid) from {m}.log";
    let first = "1 before orders, 2 2 rows, 4 end of 1 1, 3 outside";
    assert_eq!(shop.one(log), first);
    assert_eq!(shop.one("select reltuples from pg_class where oid = '{m}.orders'::regclass"), "2", "it was analyzed");
    shop.append(3, "new", 1);
    shop.runs();
    assert_eq!(shop.one(log), first, "nothing was deployed");

    // A model that changed is a deploy. When its hook fails, nothing of it is there.
    shop.folder.replace("models/orders.sql", "cents from", "cents + 1 as cents from");
    shop.folder.replace("models/orders.yml", "' rows' from", "' rows' frm");
    let answer = shop.run();
    assert_eq!(answer.code, 1, "{answer:#?}");
    let said = format!("{answer:?}");
    assert!(
        said.contains("post-hook") && said.contains("model.shop.orders") && said.contains("syntax error"),
        "{answer:#?}"
    );
    assert_eq!(shop.one(log), first);
    assert_eq!(shop.one("select max(cents) from {m}.orders"), "700");
    shop.folder.replace("models/orders.yml", "' rows' frm", "' rows' from");
    shop.runs();
    assert_eq!(shop.one(log), format!("{first}, 1 before orders, 2 3 rows, 4 end of 1 1, 3 outside"));
    assert_eq!(shop.one("select max(cents) from {m}.orders"), "701");

    shop.folder.replace("models/orders.sql", "cents + 1", "cents + 2");
    shop.folder.replace("models/orders.yml", "post-hook:\n", "post-hook:\n        - commit\n");
    let answer = shop.run();
    assert!(answer.code == 1 && format!("{answer:?}").contains("transaction: false"), "{answer:#?}");
}

/// The tester holds what a hook waits for, so that the process dies exactly there.
#[test]
fn postgres_hooks_outside_the_transaction_run_again_when_the_process_dies_before_the_commit_and_not_after_it() {
    let shop = Shop::new(false);
    let log = format!("public.{}_log", shop.schema);
    shop.client.run(&format!("create table {log} (at integer generated always as identity, what text)"));
    let gates = [1, 2].map(|number| i64::from(std::process::id()) * 1_000 + number);
    let waits = |gate: i64| format!("select pg_advisory_xact_lock({gate})");
    let says = |what: &str| format!("insert into {log} (what) values ('{what}')");
    shop.folder.write(
        "models/orders.yml",
        &format!(
            "version: 2\nmodels:\n  - name: orders\n    config:\n      pre-hook:\n        - {{sql: \"{}\", transaction: false}}\n        - \"{}; {}\"\n      post-hook:\n        - {{sql: \"{}; {}\", transaction: false}}\n",
            says("before"), waits(gates[0]), says("inside"), waits(gates[1]), says("after"),
        ),
    );
    let dies_at = |gate: i64| {
        let keeper = Client::new();
        keeper.run(&format!("select pg_advisory_lock({gate})"));
        let live = shop.folder.serve(&[]);
        let held = format!("from pg_locks where locktype = 'advisory' and objid = {gate} and not granted");
        let waiting = format!("select count(*) {held}");
        await_that("the hook waits", || (shop.one(&waiting) == "1").then_some(()));
        live.kill();
        // A server does not look whether a session that waits still has somebody to answer to.
        shop.one(&format!("select count(pg_terminate_backend(pid)) {held}"));
        await_that("its session is over", || (shop.one(&waiting) == "0").then_some(()));
        keeper.run(&format!("select pg_advisory_unlock({gate})"));
    };
    let said = || shop.one(&format!("select string_agg(what, ' ' order by at) from {log}"));
    dies_at(gates[0]);
    assert_eq!(said(), "before");
    assert_eq!(shop.one("select coalesce(to_regclass('{m}.orders')::text, 'none')"), "none", "the cut is not there");
    // Started again, all of it comes.
    dies_at(gates[1]);
    assert_eq!(said(), "before before inside");
    assert_eq!(shop.one("select count(*) from {m}.orders"), "2", "the cut is there, what follows it is not");
    // With the commit the deploy is done.
    shop.append(3, "new", 1);
    shop.runs();
    assert_eq!(said(), "before before inside");
    assert_eq!(shop.one("select count(*) from {m}.orders"), "3");
    shop.client.run(&format!("drop table {log}"));
}

#[test]
fn postgres_is_not_needed_for_hooks_on_sqlite() {
    let shop = Shop::new(true);
    with_hooks(&shop);
    let run = || shop.folder.livemart(&["run", "--vars", "{schemas: false}"]);
    let answer = run();
    assert_eq!(answer.code, 0, "{answer:#?}");
    let log = "select group_concat(at || ' ' || what, ', ') from (select * from log order by rowid)";
    let first = "1 before orders, 2 2 rows, 4 end of 1 1, 3 outside";
    assert_eq!(shop.lite(log), first);
    assert_eq!(shop.lite("select tbl || ' ' || stat from sqlite_stat1 where tbl = 'orders' limit 1"), "orders 2 1");
    shop.append(3, "new", 1);
    assert_eq!(run().code, 0);
    assert_eq!(shop.lite(log), first, "nothing was deployed");
    shop.folder.replace("models/orders.sql", "cents from", "cents + 1 as cents from");
    shop.folder.replace("models/orders.yml", "count(*) ||", "to_char(1, '9') ||");
    let answer = run();
    let said = format!("{answer:?}");
    assert!(answer.code == 1 && said.contains("post-hook") && said.contains("to_char"), "{answer:#?}");
    assert_eq!(shop.lite("select cast(max(cents) as text) from orders"), "700", "nothing was written");
}

#[test]
fn postgres_adopting_corrects_what_another_program_wrote() {
    let shop = Shop::new(false);
    shop.runs();
    let oid = shop.one("select '{m}.orders'::regclass::oid");
    shop.client.run(&format!(
        "update {0}.orders set status = 'x' where id = 1; delete from {0}.orders where id = 2",
        shop.schema
    ));
    shop.append(2, "paid", 900);
    let answer = shop.run();
    assert!(answer.code == 1 && format!("{answer:?}").contains("--adopt"), "{answer:#?}");
    let answer = shop.folder.livemart(&["run", "--adopt"]);
    assert_eq!(answer.code, 0, "{answer:#?}");
    assert_eq!(
        shop.one("select string_agg(id || status || cents, ' ' order by id) from {m}.orders"),
        "1new500 2paid900"
    );
    assert_eq!(shop.one("select '{m}.orders'::regclass::oid"), oid);
}
