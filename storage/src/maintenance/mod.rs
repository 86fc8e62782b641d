//! What joins the parts of the store: heads become segments.

pub mod files;
pub mod flush;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "merges are planned for the thread that is to make them"
    )
)]
pub mod plan;
        unused_imports,
        reason = "the database merges from its next step on"
    )
)]
pub mod merge;
