//! Queries from their texts to their answers.

mod corpus;
mod examples;
mod limits;
mod script;
mod steps;
