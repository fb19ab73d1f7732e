//! What can go wrong with dates and times, in PostgreSQL's words.

/// The message is PostgreSQL's primary message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    #[error("invalid input syntax for type {type_name}: \"{text}\"")]
    InvalidSyntax { type_name: &'static str, text: String },
    #[error("date/time field value out of range: \"{0}\"")]
    FieldOutOfRange(String),
    #[error("interval field value out of range: \"{0}\"")]
    IntervalFieldOutOfRange(String),
    #[error("date out of range: \"{0}\"")]
    DateTextOutOfRange(String),
    #[error("timestamp out of range: \"{0}\"")]
    TimestampTextOutOfRange(String),
    #[error("time zone displacement out of range: \"{0}\"")]
    ZoneDisplacementOutOfRange(String),
    #[error("time zone \"{0}\" not recognized")]
    ZoneNotRecognized(String),
    #[error("\"{0}\" depends on the clock: use now() or current_date")]
    ClockWord(String),
    #[error("date out of range")]
    DateOutOfRange,
    #[error("timestamp out of range")]
    TimestampOutOfRange,
    #[error("date out of range for timestamp")]
    DateOutOfRangeForTimestamp,
    #[error("interval out of range")]
    IntervalOutOfRange,
    #[error("division by zero")]
    DivisionByZero,
    #[error("cannot subtract infinite dates")]
    SubtractInfiniteDates,
    #[error("cannot subtract infinite timestamps")]
    SubtractInfiniteTimestamps,
    #[error("unit \"{unit}\" not recognized for type {type_name}")]
    UnitNotRecognized { unit: String, type_name: &'static str },
    #[error("unit \"{unit}\" not supported for type {type_name}")]
    UnitNotSupported { unit: &'static str, type_name: &'static str },
}
