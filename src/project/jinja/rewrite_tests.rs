use super::*;
use crate::project::jinja::segments::blocks;

fn check(source: &str, expected: &str) {
    let rewritten = template(source).expect("a template");
    assert_eq!(rewritten.text, expected);
    assert_eq!(newlines(&rewritten.text), newlines(source), "lines keep their numbers");
}

#[test]
fn lists_and_maps_become_ones_that_can_change() {
    check("{% set x = [] %}", "{% set x = _lm_list([])  %}");
    check("{{ {'a': [1]}['a'][0] }}", "{{ _lm_dict({'a': _lm_list([1])})['a'][0] }}");
    check("{% for a in [1, 2] if a in [1] %}", "{% for a in _lm_list([1, 2]) if a in _lm_list([1])  %}");
    check("{{ f(x[1:2], y.z[0]) }}", "{{ f(x[1:2], y.z[0]) }}");
}

#[test]
fn sums_become_calls() {
    check("{{ a + b - c * 2 }}", "{{ _lm_sub( _lm_add( a ,  b ),  c * 2 )}}");
    check("{{ x[-1] }}{{ -1 }}", "{{ x[-1] }}{{ -1 }}");
    check("{% if a + 1 > b %}", "{% if _lm_add( a ,  1 )> b  %}");
}

#[test]
fn do_takes_any_expression() {
    check("{%- do xs.append(1) if y else z -%}", "{%- set _lm_ = ( xs.append(1) if y else z )  -%}");
}

#[test]
fn python_habits_are_understood() {
    check("{% if x: %}a{% else: %}b{% endif %}", "{% if x %}a{% else %}b{% endif  %}");
}

#[test]
fn percent_formats_a_literal() {
    check("{{ 'a%s' % x.y|upper }}", "{{ 'a%s' |_lm_percent( x.y|upper) }}");
    check("{{ 'a%s%s' % (x, y) ~ z }}", "{{ 'a%s%s' |_lm_percent( (x, y)) ~ z }}");
}

#[test]
fn neighbouring_strings_are_one() {
    check("{{ f('a'\n 'b') }}", "{{ f(('a' ~ 'b'\n)) }}");
}

#[test]
fn a_call_block_keeps_its_lines() {
    let source = "x\n{% call(row) each(rows) -%}\n a {{ row }}\n{%- endcall %}\ny";
    let rewritten = template(source).expect("a template");
    assert_eq!(rewritten.callers.len(), 1);
    assert_eq!(rewritten.callers[0].params[0].name, "row");
    assert!(rewritten.callers[0].template.contains("a {{ row }}"));
    assert!(rewritten.text.contains("each(rows, caller=_lm_caller(0))"), "{}", rewritten.text);
    assert_eq!(newlines(&rewritten.text), newlines(source));
}

#[test]
fn a_macro_becomes_a_template_with_defaults() {
    let source = "\n{% macro m(a, b=['x'], c=none) -%}\n body {{ a }}\n{%- endmacro %}";
    let found = blocks(source).expect("blocks");
    let (name, params, rewritten) = macro_template(&found[0]).expect("a macro");
    assert_eq!(name, "m");
    assert_eq!(
        params.iter().map(|p| (p.name.as_str(), p.has_default)).collect::<Vec<_>>(),
        [("a", false), ("b", true), ("c", true)]
    );
    assert!(
        rewritten.text.contains("{% if _lm_unset_b %}{% set b = (_lm_list(['x'])) %}{% endif %}"),
        "{}",
        rewritten.text
    );
    assert_eq!(rewritten.text.lines().position(|line| line.contains("body")), Some(2));
}

#[test]
fn strings_and_comments_are_left_alone() {
    check(
        "{# [1] + 2 #}{% raw %}{{ [1] }}{% endraw %}{{ '[ + ]' }}",
        "{# [1] + 2 #}{% raw %}{{ [1] }}{% endraw %}{{ '[ + ]' }}",
    );
}
