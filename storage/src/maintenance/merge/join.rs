//! The series of several sources, each once.

use super::cursor::Cursor;
use super::error::MergeError;

/// Puts the places of the cursors whose row has the smallest labels of all into `least`: none
/// where all are at their end.
pub(super) fn find_least(cursors: &[Cursor<'_>], least: &mut Vec<usize>) {
    least.clear();
    let mut smallest: Option<&[u32]> = None;
    for (place, cursor) in cursors.iter().enumerate() {
        let Some(key) = cursor.key() else {
            continue;
        };
        match smallest.map(|smallest| key.cmp(smallest)) {
            None => {}
            Some(std::cmp::Ordering::Less) => least.clear(),
            Some(std::cmp::Ordering::Equal) => {}
            Some(std::cmp::Ordering::Greater) => continue,
        }
        smallest = Some(key);
        least.push(place);
    }
}

/// Goes on with the cursors at `places`.
pub(super) fn advance(cursors: &mut [Cursor<'_>], places: &[usize]) -> Result<(), MergeError> {
    places
        .iter()
        .try_for_each(|&place| cursors[place].advance())
}
