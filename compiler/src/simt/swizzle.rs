//! Layout of 16-bit tiles in shared memory that warpgroup products read: panels of 64, 32 or 16 columns, one after the other; in a panel,
//! rows of 128, 64 or 32 bytes, in which chunks of 16 bytes are exchanged so that 8 rows lie in different banks.

/// Elements of a chunk.
pub const CHUNK: u32 = 8;

/// Columns of a panel for so many columns, a multiple of 16.
pub fn width(columns: u32) -> u32 {
    [64, 32].into_iter().find(|w| columns.is_multiple_of(*w)).unwrap_or(16)
}

/// How a row exchanges its chunks: chunk xor (row >> shift) & mask.
pub fn exchange(width: u32) -> (u32, u32) {
    let chunks = width / CHUNK;
    ((8 / chunks).trailing_zeros(), chunks - 1)
}

/// Offset of an element.
pub fn offset(rows: u32, width: u32, row: u32, column: u32) -> u32 {
    let (panel, within) = (column / width, column % width);
    let (shift, mask) = exchange(width);
    let chunk = (within / CHUNK) ^ ((row >> shift) & mask);
    panel * rows * width + row * width + chunk * CHUNK + within % CHUNK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_places_of_their_own_and_rows_lie_in_different_banks() {
        for columns in [16, 48, 64, 96, 128] {
            let (rows, width) = (32, width(columns));
            let mut seen = vec![false; (rows * columns) as usize];
            for (r, c) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
                assert!(!std::mem::replace(&mut seen[offset(rows, width, r, c) as usize], true));
            }
            // A column of 8 chunks covers the 32 banks once.
            let mut banks: Vec<u32> = (0..8).map(|r| offset(rows, width, r, 0) * 2 / 16 % 8).collect();
            banks.sort_unstable();
            assert_eq!(banks, (0..8).collect::<Vec<_>>(), "{columns}");
        }
    }
}
