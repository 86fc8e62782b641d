//! The label sets of a stored index, by row.
//!
//! The section has the groups of rows, then the shapes, then the table of the shapes, then the
//! table of the groups of rows.
//!
//! A *shape* is the names of a label set: varints, the first the symbol of the first name, each
//! other the distance from the one before. Each shape stands once; rows name it by number.
//!
//! A group is [`GROUP`] rows (the last may have fewer). A row is written as what is different
//! from the row before; before the first of a group stands a row of shape 0 without values. It is
//! * a varint: the lowest bit says that the shape is another one, the bits above it say, from the
//!   lowest, of each label of the row's shape whether its value stands here. Labels from number
//!   [`MASKED`] on have no bit, their values always stand here;
//! * the number of the shape, a varint, if it is another one;
//! * the values that stand here, in order of name, each as the signed distance (a zigzag varint)
//!   of its symbol from that of the value of the same name in the row before, or from 0 if that
//!   row has none. A value that does not stand here is that of the row before.

mod reader;
mod shapes;
mod writer;

pub(super) use reader::Series;
pub(super) use writer::write;

/// Rows a group.
const GROUP: u32 = 32;
/// How many labels of a row have a bit that says whether their value stands there.
const MASKED: usize = 32;

/// For each label of a row its value in the row before, if that has one. Both rows are in
/// order of name.
fn values_before<'a>(
    names: &'a [u32],
    before: &'a [reader::Pair],
) -> impl Iterator<Item = Option<u32>> + 'a {
    let mut rest = before;
    names.iter().map(move |&name| {
        while let Some((&(other, value), later)) = rest.split_first() {
            if other.0 > name {
                return None;
            }
            rest = later;
            if other.0 == name {
                return Some(value.0);
            }
        }
        None
    })
}
