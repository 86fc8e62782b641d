//! Tests of Silverback as a whole, one module a concern.
