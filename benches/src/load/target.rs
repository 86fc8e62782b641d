//! One target of a fleet: an exporter's recorded scrapes, played in an order of its own.

use super::Labels;
use super::column::{Column, Position};
use super::recording::Exporter;
use super::remote_write::EncodedLabels;
use crate::rng::Rng;

/// Scrapes that stay together when a target shuffles the recording: what belongs together over
/// minutes stays so, and yet no two targets hold the same column.
const BLOCK_SCRAPES: usize = 20;

/// A target and how far it has come.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    exporter: &'a Exporter,
    number: usize,
    /// Whether it is a pod, whose name changes.
    pod: bool,
    rng: Rng,
    /// How long after the full interval it is scraped, in milliseconds.
    offset_ms: i64,
    order: Order,
    /// Numbers and order as they were at first.
    first: (Rng, Order),
    positions: Vec<Position>,
    series: Vec<EncodedLabels>,
    /// How often it was renamed.
    renames: u32,
}

impl<'a> Target<'a> {
    pub(crate) fn new(
        exporter: &'a Exporter,
        number: usize,
        interval_ms: u32,
        pod: bool,
        seed: u64,
    ) -> Self {
        let mut rng = Rng::new(seed, number as u64);
        let rows = exporter.columns.first().map_or(0, Column::len);
        let offset_ms = rng.below(u64::from(interval_ms)).cast_signed();
        let order = Order::new(rows, &mut rng);
        let mut target = Self {
            exporter,
            number,
            pod,
            offset_ms,
            first: (rng.clone(), order.clone()),
            order,
            rng,
            positions: Vec::new(),
            series: Vec::new(),
            renames: 0,
        };
        target.begin();
        target
    }

    /// Its number in the fleet.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The labels that the exporter exposed, in the order of [`Target::scrape`]'s values.
    pub(crate) fn exposed(&self) -> &'a [Labels] {
        &self.exporter.series
    }

    /// Address and port, of which no two targets have the same.
    fn instance(&self) -> String {
        let port = 9_100 + self.exporter.name.len();
        let [_, high, middle, low] = (self.number as u32).to_be_bytes();
        format!("10.{high}.{middle}.{low}:{port}")
    }

    /// How long after the full interval it is scraped, in milliseconds.
    pub(crate) fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// Its series, in the order of [`Target::scrape`]'s values.
    pub(crate) fn series(&self) -> &[EncodedLabels] {
        &self.series
    }

    /// Another pod takes its place: other series, and counters that start anew.
    pub(crate) fn rename(&mut self) {
        self.renames += 1;
        self.begin();
    }

    /// Plays all from the beginning, with counters that start anew.
    pub(crate) fn restart(&mut self) {
        (self.rng, self.order) = self.first.clone();
        self.positions = self.exporter.columns.iter().map(Column::begin).collect();
    }

    /// Whether what happens with this probability, from 0 to 1, happens now.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.rng.chance(share)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    /// Its next scrape: puts the value of each series in place of what is in `values`, and
    /// returns the recorded scrape that it is.
    pub(crate) fn scrape(&mut self, values: &mut Vec<f64>) -> usize {
        let row = self.order.next(&mut self.rng);
        let columns = self.exporter.columns.iter().zip(&mut self.positions);
        values.clear();
        values.extend(columns.map(|(column, position)| column.play(position, row)));
        row
    }

    fn begin(&mut self) {
        self.positions = self.exporter.columns.iter().map(Column::begin).collect();
        let series = self.exporter.series.iter();
        self.series = series
            .map(|labels| EncodedLabels::new(self.labelled(labels)))
            .collect();
    }

    /// What the exporter exposed, with the labels that a Prometheus adds. Where the exporter has
    /// a label of such a name, it becomes `exported_<name>`, as it does there.
    fn labelled(&self, exposed: &Labels) -> Labels {
        let mut added = vec![
            (
                "cluster".to_owned(),
                format!("production-{}", self.number % 2),
            ),
            ("instance".to_owned(), self.instance()),
            ("job".to_owned(), self.exporter.name.clone()),
            (
                "zone".to_owned(),
                format!("eu-west-1{}", ["a", "b", "c"][self.number % 3]),
            ),
        ];
        if self.pod {
            // Odd, so that no two renames give the same.
            let suffix = self.renames.wrapping_add(1).wrapping_mul(0x9e37_79b9);
            let pod = format!("{}-{}-{suffix:08x}", self.exporter.name, self.number);
            added.push(("pod".to_owned(), pod));
        }
        let mut labels = Labels::new();
        for (name, value) in exposed {
            let taken = added.iter().any(|(other, _)| other == name);
            let name = if taken {
                format!("exported_{name}")
            } else {
                name.clone()
            };
            labels.push((name, value.clone()));
        }
        labels.append(&mut added);
        labels
    }
}

/// The recorded scrapes in blocks, the blocks shuffled; once all were played, shuffled again.
#[derive(Clone, Debug)]
struct Order {
    rows: usize,
    /// The recorded scrape at which the first block begins, so that targets also differ in where
    /// they cut a recording of few blocks.
    first: usize,
    blocks: Vec<usize>,
    /// Which of `blocks` is played.
    block: usize,
    /// The next scrape of that block.
    within: usize,
}

impl Order {
    fn new(rows: usize, rng: &mut Rng) -> Self {
        let mut blocks: Vec<usize> = (0..rows.div_ceil(BLOCK_SCRAPES)).collect();
        rng.shuffle(&mut blocks);
        Self {
            rows,
            first: rng.below(rows as u64) as usize,
            blocks,
            block: 0,
            within: 0,
        }
    }

    /// The next recorded scrape; 0 for ever where there are none.
    fn next(&mut self, rng: &mut Rng) -> usize {
        let row = |order: &Self| {
            order
                .blocks
                .get(order.block)
                .map(|b| b * BLOCK_SCRAPES + order.within)
        };
        // The last block of the recording may be a short one.
        if self.within == BLOCK_SCRAPES || row(self).is_some_and(|row| row >= self.rows) {
            self.within = 0;
            self.block += 1;
        }
        if self.block >= self.blocks.len() {
            self.block = 0;
            rng.shuffle(&mut self.blocks);
        }
        let next = row(self).map_or(0, |row| (row + self.first) % self.rows);
        self.within += 1;
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_plays_every_scrape_once() {
        let mut rng = Rng::new(1, 2);
        let mut order = Order::new(47, &mut rng);
        let mut rounds = Vec::new();
        for _ in 0..3 {
            let round: Vec<usize> = (0..47).map(|_| order.next(&mut rng)).collect();
            let mut sorted = round.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..47), "{round:?}");
            rounds.push(round);
        }
        rounds.dedup();
        assert!(rounds.len() > 1);
    }
}
