//! What the tests share: a server to talk to, and peers to talk with it.
