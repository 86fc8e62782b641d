//! The Silverback server: HTTP, JSON, protobuf, limits and the command line.
