//! Names that PostgreSQL knows and livemart does not maintain yet, and names from other warehouses: what to write instead.

use row::ScalarType;

use crate::resolve::ResolveError;

/// The error for a function whose value is not a function of the row.
pub(crate) fn function(name: &str) -> Option<ResolveError> {
    match name {
        "clock_timestamp" | "timeofday" => {
            let message = format!("{name}() is not maintained: it is volatile, so two rows of one query would differ");
            Some(ResolveError::new(message).with_hint("write now(), which is the same for all rows of a cut"))
        }
        "random" | "setseed" | "gen_random_uuid" | "uuid_generate_v4" | "nextval" | "currval" | "lastval" => {
            let message =
                format!("{name}() is not maintained: it is volatile, so two runs over one input would differ");
            let hint = match name {
                "gen_random_uuid" | "uuid_generate_v4" => {
                    "derive the key from the row instead: md5(a || '|' || b), or dbt_utils.generate_surrogate_key"
                }
                "nextval" | "currval" | "lastval" => {
                    "number rows with row_number() over (order by …), or derive a key from the row"
                }
                _ => "derive the number from the row instead, for example from md5(id)",
            };
            Some(ResolveError::new(message).with_hint(hint))
        }
        "pg_sleep" | "txid_current" | "pg_backend_pid" | "current_user" | "session_user" | "current_database"
        | "current_schema" | "current_setting" | "version" => {
            let message = format!("{name} is not maintained: it tells about a database session, and there is none");
            Some(ResolveError::new(message).with_hint("write the value itself, or pass it as a dbt variable"))
        }
        _ => None,
    }
}

/// The error for an aggregate that PostgreSQL has and livemart does not maintain yet.
pub(crate) fn aggregate(name: &str) -> Option<ResolveError> {
    let hint = match name {
        "corr" | "covar_pop" | "covar_samp" | "regr_avgx" | "regr_avgy" | "regr_count" | "regr_intercept"
        | "regr_r2" | "regr_slope" | "regr_sxx" | "regr_sxy" | "regr_syy" => {
            "build it from sum(x), sum(y), sum(x * y), sum(x * x) and count(*), over rows where neither is null"
        }
        "xmlagg" | "range_agg" => "write array_agg(x order by x), or string_agg",
        "group_concat" => "write string_agg(x, ',' order by x)",
        "bit_and" | "bit_or" | "bit_xor" => "write bool_and or bool_or of each bit, as in bool_or(x & 4 <> 0)",
        "approx_count_distinct" | "approx_distinct" => "write count(distinct x), which is exact",
        "approx_percentile" | "approx_quantiles" | "percentile_approx" => {
            "write percentile_cont(0.5) within group (order by x), which is exact"
        }
        "approx_top_count" | "approx_top_k" => "count in a grouped query and keep the first with order by … limit",
        "max_by" | "min_by" | "arg_max" | "arg_min" => {
            "write (array_agg(a order by b desc))[1], or distinct on (…) … order by …"
        }
        _ => return None,
    };
    Some(ResolveError::new(format!("aggregate {name} is not maintained")).with_hint(hint))
}

/// The error for an array whose elements would be arrays.
pub(crate) fn array_of_arrays(name: &str) -> ResolveError {
    ResolveError::new(format!("aggregate {name} over arrays is not maintained: arrays have one dimension"))
        .with_hint("write jsonb_agg(x), or string_agg(array_to_string(x, ','), ';')")
}

/// What to say below `function … does not exist`.
pub(crate) fn hint_for_unknown_function(name: &str, args: &[ScalarType]) -> String {
    let instead = match name {
        "nvl" | "ifnull" | "isnull" => "write coalesce(a, b)",
        "nvl2" => "write case when a is not null then b else c end",
        "zeroifnull" => "write coalesce(x, 0)",
        "nullifzero" => "write nullif(x, 0)",
        "iff" | "if" => "write case when condition then a else b end",
        "decode" if args.len() > 2 => "write case x when a then b else c end",
        "datediff" | "date_diff" | "timestampdiff" | "timestamp_diff" => {
            "for days write b::date - a::date; for seconds extract(epoch from (b - a))"
        }
        "dateadd" | "date_add" | "timestampadd" | "timestamp_add" => "write x + interval '1 day'",
        "date_sub" | "timestamp_sub" => "write x - interval '1 day'",
        "datetrunc" | "timestamp_trunc" => "write date_trunc('month', x)",
        "last_day" => "write (date_trunc('month', x) + interval '1 month - 1 day')::date",
        "year" | "month" | "day" | "hour" | "minute" | "second" | "quarter" | "week" | "dayofweek" | "dayofyear" => {
            return format!(
                "write extract({} from x)",
                match name {
                    "dayofweek" => "dow",
                    "dayofyear" => "doy",
                    other => other,
                }
            );
        }
        "len" => "write length(x)",
        "charindex" | "instr" => "write strpos(text, part)",
        "substring_index" => "write split_part(text, delimiter, n)",
        "to_varchar" => "write to_char(x, format) or x::text",
        "try_cast" | "safe_cast" | "try_to_number" | "try_to_date" | "try_to_timestamp" => {
            "write a cast; a row whose cast fails is set aside with its error, not the model"
        }
        "safe_divide" | "div0" => "write a / nullif(b, 0)",
        "regexp_like" | "rlike" => "write text ~ pattern",
        "contains" => "write strpos(text, part) > 0",
        "startswith" => "write starts_with(text, part)",
        "endswith" => "write right(text, length(part)) = part",
        "parse_json" => "write x::jsonb",
        "get_json_object" | "json_extract" | "json_value" | "json_extract_scalar" => {
            "write x::jsonb ->> 'key' or x::jsonb #>> '{a,b}'"
        }
        "array_size" => "write cardinality(x)",
        "jsonb_path_query"
        | "jsonb_path_query_first"
        | "jsonb_path_query_array"
        | "jsonb_path_exists"
        | "jsonb_path_match" => "paths of jsonpath are not maintained: write x #> '{a,b}' or x @> '{\"a\": 1}'",
        "row_to_json" => "write json_build_object('column', column, …)",
        "pg_typeof" => "the type is known while planning: `show` and `explain` print it",
        "normalize" | "unistr" => "text is kept as it came: normalize it where it is written",
        "hash" | "farm_fingerprint" | "hashtext" | "sha" | "sha1" | "sha2" => {
            "write md5(x), or encode(sha256(x::bytea), 'hex')"
        }
        "square" => "write x * x or power(x, 2)",
        "round" if matches!(args, [ScalarType::Float32 | ScalarType::Float64, _]) => {
            "only numeric rounds to a number of digits: write round(x::numeric, n)"
        }
        "trunc" if matches!(args, [ScalarType::Float32 | ScalarType::Float64, _]) => {
            "only numeric truncates to a number of digits: write trunc(x::numeric, n)"
        }
        _ => "No function matches the given name and argument types. You might need to add explicit type casts.",
    };
    instead.to_owned()
}
