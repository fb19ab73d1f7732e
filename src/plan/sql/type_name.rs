//! Type names as they stand in `data_type:` and in flow files.

use row::ScalarType;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::super::PlanError;
use super::types::scalar_type;

/// Reads a type as PostgreSQL spells it: `bigint`, `numeric(12,2)`, `timestamp with time zone`, `text[]`.
pub fn parse_type(text: &str) -> Result<ScalarType, PlanError> {
    let unknown = || PlanError::new(format!("type \"{text}\" does not exist"));
    let dialect = PostgreSqlDialect {};
    let mut parser = Parser::new(&dialect).try_with_sql(text).map_err(|_| unknown())?;
    let ty = parser.parse_data_type().map_err(|_| unknown())?;
    if parser.peek_token().token != Token::EOF {
        return Err(unknown());
    }
    scalar_type(&ty)
}
