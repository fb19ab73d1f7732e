//! A row of a mart in the form in which results are compared, from what was published and from the limit's text.

use super::{Query, cents};

/// A row in the form to compare.
pub type Row = (String, Option<f64>);

/// A published row as text, column by column.
pub type Columns = Vec<Option<String>>;

impl Query {
    /// A row as our model gives it; `None` when it is none.
    pub fn row(self, columns: &Columns) -> Option<Row> {
        let text = |at: usize| columns.get(at)?.as_deref();
        let money = |at: usize| cents(text(at)?);
        let number = |at: usize| text(at)?.parse::<i64>().ok();
        let double = |at: usize| text(at)?.parse::<f64>().ok();
        let optional_double = |at: usize| text(at).map(|text| text.parse::<f64>().ok());
        Some(match self {
            Query::CustomerAtAGlance => {
                let names = [text(1)?, text(2)?, text(3)?].join("\t");
                let money = [money(5)?, money(6)?];
                let [orders, paid] = money;
                (format!("{}\t{names}\t{}\t{orders}\t{paid}\t{}", number(0)?, number(4)?, number(7)?), None)
            }
            Query::MonthlySpend => {
                let prior = text(3).map(cents);
                let prior = match prior {
                    None => None,
                    Some(prior) => Some(prior?),
                };
                let change = match optional_double(4) {
                    None => None,
                    Some(change) => Some(change?),
                };
                return Some(monthly(number(0)?, month(text(1)?)?, money(2)?, prior, number(5)?, change));
            }
            Query::Segments => {
                let (recency, frequency, monetary) = (number(4)?, number(5)?, number(6)?);
                let score = [recency, frequency, monetary];
                if text(7)? != segment(score) {
                    return None;
                }
                // SQLite and the engine write the same moment alike.
                return Some(scored(number(0)?, text(1)?, number(2)?, money(3)?, score));
            }
            Query::Products => {
                let counts = [number(0)?, number(1)?, number(2)?, money(3)?, number(4)?];
                return Some(product(counts, text(5)?));
            }
            Query::Payments => {
                let transactions = number(1)?;
                let total = (double(2)? * transactions as f64 * 100.0).round() as i64;
                let median_twice = (double(6)? * 200.0).round() as i64;
                let deviation = match optional_double(3) {
                    None => None,
                    Some(deviation) => Some(deviation?),
                };
                return Some(payments(
                    [number(0)?, transactions, total, money(4)?, money(5)?, median_twice],
                    deviation,
                ));
            }
        })
    }

    /// A line of the limit's program; `None` when it is none.
    pub fn limit_row(self, line: &str) -> Option<Row> {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| fields.get(at)?.parse::<i64>().ok();
        let optional = |at: usize| match fields.get(at) {
            Some(&"") => Some(None),
            Some(text) => text.parse::<i64>().ok().map(Some),
            None => None,
        };
        Some(match self {
            Query::CustomerAtAGlance => (line.to_owned(), None),
            Query::MonthlySpend => {
                // Hundredths of a hundredth of a percent.
                let change = optional(4)?.map(|change| change as f64 / 1e4);
                monthly(number(0)?, number(1)?, number(2)?, optional(3)?, number(5)?, change)
            }
            Query::Segments => {
                let last = chrono::DateTime::from_timestamp(number(1)?, 0)?.format("%Y-%m-%d %H:%M:%S").to_string();
                scored(number(0)?, &last, number(2)?, number(3)?, [number(4)?, number(5)?, number(6)?])
            }
            Query::Products => product([number(0)?, number(1)?, number(2)?, number(3)?, number(4)?], fields.get(5)?),
            Query::Payments => {
                let [customer, count, sum, squares] = [number(0)?, number(1)?, number(2)?, number(3)?];
                let deviation = deviation(count, sum, i128::from(squares));
                payments([customer, count, sum, number(4)?, number(5)?, number(6)?], deviation)
            }
        })
    }
}

/// Months are counted from the year zero, money in cents, the change in percent.
pub fn monthly(
    customer: i64,
    month: i64,
    spend: i64,
    prior: Option<i64>,
    month_number: i64,
    change: Option<f64>,
) -> Row {
    let prior = prior.map_or_else(String::new, |prior| prior.to_string());
    (format!("{customer}\t{month}\t{spend}\t{prior}\t{month_number}"), change)
}

pub fn scored(customer: i64, last: &str, frequency: i64, monetary: i64, score: [i64; 3]) -> Row {
    let [r, f, m] = score;
    (format!("{customer}\t{last}\t{frequency}\t{monetary}\t{r}\t{f}\t{m}"), None)
}

/// A product, its lines, units, revenue and returned lines.
pub fn product(counts: [i64; 5], class: &str) -> Row {
    let [product, lines, units, revenue, returned] = counts;
    (format!("{product}\t{lines}\t{units}\t{revenue}\t{returned}\t{class}"), None)
}

/// A customer, their payments' count, sum, least, greatest, and twice the median.
pub fn payments(exact: [i64; 6], deviation: Option<f64>) -> Row {
    (exact.map(|number| number.to_string()).join("\t"), deviation)
}

/// The sample's standard deviation of so many amounts in cents, in whole money.
pub fn deviation(count: i64, sum: i64, squares: i128) -> Option<f64> {
    if count < 2 {
        return None;
    }
    let (count, sum) = (i128::from(count), i128::from(sum));
    let scaled = count * squares - sum * sum;
    Some((scaled as f64 / (count * (count - 1)) as f64).sqrt() / 100.0)
}

/// Of `2024-03-01…`: months since the year zero.
pub fn month(text: &str) -> Option<i64> {
    let (year, rest) = text.split_once('-')?;
    let month = rest.get(..2)?;
    Some(year.parse::<i64>().ok()? * 12 + month.parse::<i64>().ok()? - 1)
}

fn segment([r, f, m]: [i64; 3]) -> &'static str {
    match () {
        () if r >= 4 && f >= 4 && m >= 4 => "Champions",
        () if r <= 2 && f >= 3 => "At Risk",
        () if f >= 4 => "Loyal",
        () if r >= 4 && f <= 2 => "New",
        () => "Others",
    }
}
