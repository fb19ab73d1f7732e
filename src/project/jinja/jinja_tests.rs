use std::sync::Arc;

use serde_json::json;

use super::macros;
use super::scope::{NodeFacts, Phase, RefTable, RefTarget, Scope, World, WorldParts};
use super::*;
use relation::Relation;

/// A world with dbt's own macros and these of the project `shop` and the package `utils`.
fn world(project: &str, package: &str) -> World {
    let target = json!({"name": "dev", "schema": "main", "database": "db", "type": "postgres"});
    let mut world = World::new(WorldParts {
        project_name: "shop".into(),
        packages: vec!["utils".into()],
        target: target.as_object().cloned().unwrap_or_default(),
        env_vars: [("HOME".to_string(), "/home/x".to_string())].into(),
        started_at: 1_700_000_000_123_456,
        ..WorldParts::default()
    });
    world.vars.cli.insert("n".into(), json!(3));
    for (file, text) in INTERNAL_MACROS {
        macros::load(&mut world, macros::INTERNAL_PACKAGE, file, text)
            .unwrap_or_else(|error| panic!("{file}: {error:?}"));
    }
    macros::load(&mut world, "shop", "macros/m.sql", project).expect("the project's macros");
    macros::load(&mut world, "utils", "macros/u.sql", package).expect("the package's macros");
    world
}

fn scope(world: World, phase: Phase) -> Arc<Scope> {
    let node = NodeFacts {
        unique_id: "model.shop.m".into(),
        name: "m".into(),
        resource_type: "model".into(),
        package: "shop".into(),
        file: "models/m.sql".into(),
        this: Some(Relation::new("db", "main", "m")),
        config: json!({"materialized": "table", "unique_key": ["a", "b"]}).as_object().cloned().unwrap_or_default(),
        model: json!({"name": "m"}),
    };
    let mut scope = Scope::new(Arc::new(world), phase, node);
    let mut refs = RefTable::default();
    let target = RefTarget {
        unique_id: "model.shop.orders".into(),
        package: "shop".into(),
        name: "orders".into(),
        version: None,
        is_latest_version: true,
        is_ephemeral: false,
        relation: Relation::new("db", "main", "orders"),
    };
    refs.by_relation.insert(target.relation.text(), target.unique_id.clone());
    refs.declared_columns
        .insert(target.unique_id.clone(), vec![("id".into(), "integer".into()), ("note".into(), "text".into())]);
    refs.nodes.insert("orders".into(), vec![target]);
    scope.refs = Some(Arc::new(refs));
    Arc::new(scope)
}

fn render_with(project: &str, package: &str, source: &str) -> Result<String, Failure> {
    render_text(&scope(world(project, package), Phase::Compile), source, "models/m.sql")
}

fn check(source: &str, expected: &str) {
    check_with("", source, expected);
}

fn check_with(macros: &str, source: &str, expected: &str) {
    match render_with(macros, "", source) {
        Ok(text) => assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{source}"),
        Err(failure) => panic!("{source}: {failure:?}"),
    }
}

fn check_error(macros: &str, source: &str, message: &str) -> Failure {
    let failure = render_with(macros, "", source).expect_err(source);
    assert!(failure.message.contains(message), "{failure:?}");
    failure
}

#[test]
fn lists_and_maps_change_as_in_python() {
    check("{% set x = [] %}{% do x.append(1) %}{% do x.extend(['a', none]) %}{{ x }}", "[1, 'a', None]");
    check(
        "{% set d = {'a': 1} %}{% do d.update({'b': [2]}) %}{{ d }}{{ d.pop('a') }}{{ d.get('z', 7) }}",
        "{'a': 1, 'b': [2]}17",
    );
    check("{% set x = [3, 1, 2] | sort %}{% do x.append(0) %}{{ x }}{{ x.index(2) }}", "[1, 2, 3, 0]1");
    check("{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}", "a1b2");
    check(
        "{{ ([1] + [2])[1] }} {{ 'a' + 'b' }} {{ 1 + 2 - 4 }} {{ [1, 2, 3][1:] }} {{ [1,2][-1] }}",
        "2 ab -1 [2, 3] 2",
    );
    check(
        "{{ 'a,b'.split(',') }} {{ '7'.zfill(3) }} {{ 'x%s-%s' % ('a', 1) }} {{ '%d' % 3 }}",
        "['a', 'b'] 007 xa-1 3",
    );
}

#[test]
fn a_macro_returns_a_value_or_its_text() {
    check_with("{% macro two() %}{{ return([1, 2]) }}never{% endmacro %}", "{{ two()[1] }}", "2");
    check_with(
        "{% macro t(a, b='y', c=b ~ 'z') %}{{ a }}{{ b }}{{ c }}{% endmacro %}",
        "{{ t(1) }} {{ t(1, c=2) }}",
        "1yyz 1y2",
    );
    check_with("{% macro v() %}{{ varargs | length }}{{ kwargs }}{% endmacro %}", "{{ v(1, 2, a=3) }}", "2{'a': 3}");
    check_with(
        "{% macro outer() %}{% for i in [1] %}{{ return(inner(i)) }}{% endfor %}{% endmacro %}{% macro inner(i) %}{{ return(i + 1) }}{% endmacro %}",
        "{{ outer() + 1 }}",
        "3",
    );
}

#[test]
fn a_call_block_sees_the_names_around_it() {
    let macros = "{% macro each(rows) %}{% for r in rows %}{{ caller(r) }};{% endfor %}{% endmacro %}";
    check_with(macros, "{% set p = 'p' %}{% call(r) each([1, 2]) %}{{ p }}{{ r }}{% endcall %}", "p1;p2;");
}

#[test]
fn dispatch_takes_livemart_then_postgres_then_default() {
    let package = "{% macro f() %}{{ return(adapter.dispatch('f', 'utils')()) }}{% endmacro %}\
                   {% macro default__f() %}default{% endmacro %}{% macro postgres__f() %}postgres{% endmacro %}";
    assert_eq!(render_with("", package, "{{ utils.f() }}").expect("postgres"), "postgres");
    let overridden = render_with("{% macro livemart__f() %}mine{% endmacro %}", package, "{{ utils.f() }}");
    assert_eq!(overridden.expect("the project's own"), "mine");
    check_error(
        "",
        "{{ adapter.dispatch('nope', 'utils')() }}",
        "In dispatch: No macro named 'nope' found within namespace: 'utils'",
    );
}

#[test]
fn cross_database_macros_write_postgres() {
    check("{{ dbt.date_trunc('month', 'd') }}", "date_trunc('month', d)");
    check("{{ dbt.dateadd('day', 3, 'd') }}", "d + ((interval '1 day') * (3))");
    check(
        "{{ dbt.datediff('a', 'b', 'month') }}",
        "( (date_part('year', (b)::date) - date_part('year', (a)::date)) * 12 + date_part('month', (b)::date) - date_part('month', (a)::date))",
    );
    check("{{ dbt.safe_cast('x', dbt.type_numeric()) }}", "cast(x as numeric(28,6))");
    check(
        "{{ dbt.concat(['a', 'b']) }} {{ dbt.hash('x') }} {{ dbt.type_string() }}",
        "a || b md5(cast(x as TEXT)) TEXT",
    );
    check("{{ dbt.listagg('m', \"','\", 'order by m') }}", "string_agg( m, ',' order by m )");
    check(
        "{{ dbt.current_timestamp() }} {{ dbt.split_part('x', \"'-'\", -1) | trim }}",
        "now() split_part( x, '-', length(x) - length( replace(x, '-', '') ) + 2 + -1 )",
    );
}

#[test]
fn refs_sources_and_variables_answer_in_dbts_words() {
    check(
        "{{ ref('orders') }} {{ this }} {{ this.include(database=false) }} {{ ref('shop', 'orders').schema }}",
        "\"db\".\"main\".\"orders\" \"db\".\"main\".\"m\" \"main\".\"m\" main",
    );
    check(
        "{{ var('n') }} {{ var('absent', 'd') }} {{ env_var('HOME') }} {{ env_var('ABSENT', 'e') }}",
        "3 d /home/x e",
    );
    check_error(
        "",
        "{{ ref('absent') }}",
        "Model 'model.shop.m' (models/m.sql) depends on a node named 'absent' which was not found",
    );
    check_error(
        "",
        "{{ var('absent') }}",
        "Required var 'absent' not found in config:\nVars supplied to m = {\n    \"n\": 3\n}",
    );
    check_error("", "{{ env_var('ABSENT') }}", "Env var required but not provided: 'ABSENT'");
    check_error("", "{{ env_var('DBT_ENV_SECRET_X') }}", "Secret env vars are allowed only in profiles.yml");
    check_error("", "{{ run_query('select 1') }}", "a query at compile time cannot be answered");
    check("{{ adapter.get_columns_in_relation(ref('orders')) | map(attribute='name') | join(',') }}", "id,note");
    check(
        "{% if is_incremental() %}x{% endif %}{{ config.get('unique_key') }}{{ config.get('nope', 1) }}",
        "['a', 'b']1",
    );
}

#[test]
fn an_undefined_name_is_named_with_its_line() {
    let failure = check_error(
        "",
        "select 1\n\n  , {{ nope(1) }}",
        "'nope' is undefined. This can happen when calling a macro that does not exist.",
    );
    assert_eq!(failure.trail[0].line, Some(3));
    check_error("", "{{ nope.star() }}", "'nope' is undefined.");
    check_error("", "{{ utils.star() }}", "'utils.star' is undefined.");
    check("{{ nope }}{% if nope is defined %}x{% endif %}", "");
}

#[test]
fn an_error_names_the_macros_it_came_through() {
    let macros = "\n{% macro outer() %}\n{{ inner() }}{% endmacro %}\n{% macro inner() %}\n{{ exceptions.raise_compiler_error('no!') }}{% endmacro %}";
    let failure = check_error(macros, "\n{{ outer() }}", "no!");
    let trail: Vec<_> = failure.trail.iter().map(|place| (place.object.as_str(), place.line)).collect();
    assert_eq!(trail, [("macro inner", Some(5)), ("macro outer", Some(3)), ("model m", Some(2))]);
}

#[test]
fn endless_macros_end_in_an_error() {
    check_error("{% macro again() %}{{ again() }}{% endmacro %}", "{{ again() }}", "calls itself without end");
}

#[test]
fn the_first_pass_records_what_is_asked() {
    let scope = scope(world("", ""), Phase::Parse);
    let source = "{{ config(materialized='view', tags=['a'], pre_hook='x') }}{{ ref('a') }}{{ ref('p', 'b', v=2) }}{{ source('s', 't') }}{{ run_query('q').columns[0].values() }}";
    render_text(&scope, source, "models/m.sql").expect("parses");
    let record = scope.record();
    assert_eq!(
        record.config,
        [
            ("materialized".to_string(), json!("view")),
            ("tags".to_string(), json!(["a"])),
            ("pre-hook".to_string(), json!("x"))
        ]
    );
    assert_eq!(
        record.refs.iter().map(|r| (r.package.as_deref(), r.name.as_str(), r.version.as_deref())).collect::<Vec<_>>(),
        [(None, "a", None), (Some("p"), "b", Some("2"))]
    );
    assert_eq!(record.sources, [("s".to_string(), "t".to_string())]);
}

#[test]
fn pythons_modules_are_there() {
    check("{{ modules.datetime.date(2024, 2, 28) + modules.datetime.timedelta(days=2) }}", "2024-03-01");
    check("{{ (run_started_at - modules.datetime.timedelta(1)).strftime('%Y-%m-%d %f') }}", "2023-11-13 123456");
    check(
        "{{ run_started_at }} {{ modules.datetime.datetime.now().date() }}",
        "2023-11-14 22:13:20.123456+00:00 2023-11-14",
    );
    check(
        "{{ (modules.datetime.datetime.strptime('20240105', '%Y%m%d') - modules.datetime.datetime(2024, 1, 1)).days }}",
        "4",
    );
    check(
        "{{ run_started_at.astimezone(modules.pytz.timezone('America/New_York')).isoformat() }}",
        "2023-11-14T17:13:20.123456-05:00",
    );
    check(
        "{{ modules.re.sub('[^a-z]+', '_', 'ab-c d') }} {{ modules.re.match('(a)(b)', 'abc').groups() }} {{ modules.re.search('z', 'a') }}",
        "ab_c_d ('a', 'b') None",
    );
    check("{{ modules.itertools.product([1, 2], 'ab') | list }}", "[(1, 'a'), (1, 'b'), (2, 'a'), (2, 'b')]");
}

#[test]
fn native_rendering_keeps_types() {
    let scope = scope(world("", ""), Phase::Compile);
    let value = |source: &str| value::to_json(&render_value(&scope, source, "x").expect("renders"));
    assert_eq!(value("{{ [1, 'a'] }}"), json!([1, "a"]));
    assert_eq!(value("{{ var('n') + 1 }}"), json!(4));
    assert_eq!(value("{{ '5' | as_number }}"), json!(5));
    assert_eq!(value("a {{ 1 }}"), json!("a 1"));
    assert_eq!(value("{{ target.name == 'dev' }}"), json!(true));
}

#[test]
fn functions_of_dbt() {
    check(
        "{{ tojson({'a': [1, none]}) }} {{ fromjson('[1]')[0] }} {{ set([1, 1, 2]) }} {{ set([1, 2]) == set([2, 1]) }} {{ (set([1, 2]) - set([2])) }} {{ zip([1], ['a']) }}",
        "{\"a\": [1, null]} 1 {1, 2} True {1} [(1, 'a')]",
    );
    check(
        "{{ fromyaml('a: [1, yes]') }} {{ toyaml({'a': 1}) }} {{ local_md5('a') }}",
        "{'a': [1, True]} a: 1 0cc175b9c0f1b6a831c399e269772661",
    );
    check("{{ diff_of_two_dicts({'a': ['X', 'y']}, {'A': ['x']}) }}", "{'a': ['y']}");
    check(
        "{{ 'x' | as_text }} {{ ['a'] | is_list }} {{ 'abc'|truncate(2) }} {{ '5'|int + 1 }} {{ 'q'|int }}",
        "x True abc 6 0",
    );
    check(
        "{{ target.schema }} {{ dbt_version }} {{ execute }} {{ project_name }} {{ none }} {{ true }} {{ 1.50 }}",
        "main 1.11.16 True shop None True 1.5",
    );
}
