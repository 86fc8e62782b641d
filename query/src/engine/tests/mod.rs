mod corpus;
mod script;
