//! What can go wrong with a numeric, in PostgreSQL's words.

/// The message is PostgreSQL's primary message; `detail` is its DETAIL line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumericError {
    #[error("division by zero")]
    DivisionByZero,
    #[error("numeric field overflow")]
    FieldOverflow { precision: u16, scale: i16, infinite: bool },
    #[error("value overflows numeric format")]
    Overflow,
    #[error("invalid input syntax for type numeric: \"{0}\"")]
    InvalidSyntax(String),
    #[error("cannot take square root of a negative number")]
    SquareRootOfNegative,
    #[error("cannot take logarithm of zero")]
    LogarithmOfZero,
    #[error("cannot take logarithm of a negative number")]
    LogarithmOfNegative,
    #[error("zero raised to a negative power is undefined")]
    ZeroToNegativePower,
    #[error("a negative number raised to a non-integer power yields a complex result")]
    NegativeToFraction,
}

impl NumericError {
    /// PostgreSQL's second line, where it has one.
    pub fn detail(&self) -> Option<String> {
        let NumericError::FieldOverflow { precision, scale, infinite } = self else { return None };
        let field = format!("A field with precision {precision}, scale {scale}");
        Some(if *infinite {
            format!("{field} cannot hold an infinite value.")
        } else {
            match i32::from(*precision) - i32::from(*scale) {
                0 => format!("{field} must round to an absolute value less than 1."),
                digits => format!("{field} must round to an absolute value less than 10^{digits}."),
            }
        })
    }
}
