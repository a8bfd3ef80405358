//! How the tiles of a stage are spread over the threads of a block: the layout algebra of matrix fragments.
//!
//! The lane axis lies along the rows of the 16 × 8 accumulators of matrix instructions, the other axis of a tile along their
//! columns. A warp has `row_tiles` of 16 rows one below the other; a tile of X columns is ⌈X / 8⌉ accumulators of 4 elements a thread
//! (see `MatrixType`). The four threads of a quad hold one row together, and each holds all of a row vector's elements of its rows.

/// Layout of all tiles with the lane axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Warps of a block.
    pub(super) warps: u32,
    /// Tiles of 16 rows of each warp.
    pub(super) row_tiles: u32,
}

/// An element of a thread's part of a tile: row tile, half of it (rows g or g + 8), column pair (8 columns), element of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) row_tile: u32,
    pub(super) half: u32,
    pub(super) group: u32,
    pub(super) odd: u32,
}

impl Layout {
    /// Layout of a lane tile of this many rows.
    pub(super) fn of(rows: i64) -> Option<Layout> {
        let tiles = u32::try_from(rows).ok().filter(|r| *r > 0 && r.is_multiple_of(16))? / 16;
        Some(Layout { warps: tiles, row_tiles: 1 })
    }

    /// Threads of a block.
    pub(super) fn threads(self) -> u32 {
        32 * self.warps
    }

    /// Rows that a thread holds elements of.
    pub(super) fn rows(self) -> u32 {
        2 * self.row_tiles
    }

    /// Accumulators side by side that hold so many columns.
    pub(super) fn groups(columns: i64) -> u32 {
        u32::try_from(columns.max(1)).map_or(u32::MAX / 64, |c| c.div_ceil(8))
    }

    /// Elements of a thread of a tile with so many columns.
    pub(super) fn elements(self, columns: i64) -> Vec<Element> {
        let mut out = vec![];
        for row_tile in 0..self.row_tiles {
            for group in 0..Layout::groups(columns) {
                for (half, odd) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    out.push(Element { row_tile, half, group, odd });
                }
            }
        }
        out
    }
}

impl Element {
    /// Index into the thread's registers of a tile with so many columns: the order of `Layout::elements`.
    pub(super) fn index(self, columns: i64) -> usize {
        let groups = Layout::groups(columns);
        ((self.row_tile * groups + self.group) * 4 + 2 * self.half + self.odd) as usize
    }

    /// Index into the thread's registers of a row vector.
    pub(super) fn row(self) -> usize {
        (2 * self.row_tile + self.half) as usize
    }

    /// Row in the lane tile of thread t of the block.
    #[cfg(test)]
    fn lane_row(self, layout: Layout, t: u32) -> u32 {
        16 * layout.row_tiles * (t / 32) + 16 * self.row_tile + 8 * self.half + t % 32 / 4
    }

    /// Column of thread t.
    #[cfg(test)]
    fn column(self, t: u32) -> u32 {
        8 * self.group + 2 * (t % 4) + self.odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_of_a_tile_has_one_owner() {
        for (layout, columns) in [(Layout { warps: 4, row_tiles: 1 }, 64), (Layout { warps: 2, row_tiles: 2 }, 24)] {
            let rows = 16 * layout.row_tiles * layout.warps;
            let mut owners = vec![0; (rows * columns) as usize];
            for t in 0..layout.threads() {
                for (i, e) in layout.elements(i64::from(columns)).into_iter().enumerate() {
                    assert_eq!(e.index(i64::from(columns)), i);
                    owners[(e.lane_row(layout, t) * columns + e.column(t)) as usize] += 1;
                }
            }
            assert!(owners.iter().all(|n| *n == 1), "{layout:?}");
        }
    }

    #[test]
    fn lane_tiles_are_whole_rows_of_accumulators() {
        assert_eq!(Layout::of(64), Some(Layout { warps: 4, row_tiles: 1 }));
        assert_eq!(Layout::of(40), None);
    }
}
