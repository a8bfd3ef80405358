//! Memory of a block, with who touched what since the last barrier: what is never written, what a copy has not delivered yet,
//! and what two threads touch without a barrier between them, are errors.

/// More than one thread.
const MANY: u32 = u32::MAX;

/// The threads that did something between two barriers.
#[derive(Clone, Copy, Debug, Default)]
struct Stamp {
    epoch: u32,
    thread: u32,
}

impl Stamp {
    /// A thread other than `thread`, of the same time.
    fn other(self, epoch: u32, thread: u32) -> bool {
        self.epoch == epoch && self.thread != thread
    }

    fn add(&mut self, epoch: u32, thread: u32) {
        let many = self.other(epoch, thread);
        *self = Stamp { epoch, thread: if many { MANY } else { thread } };
    }
}

/// Reads and writes of one element since the last barrier. Barriers count from 1.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Access {
    write: Stamp,
    read: Stamp,
}

impl Access {
    pub(super) fn read(&mut self, epoch: u32, thread: u32) -> Result<(), String> {
        if self.write.other(epoch, thread) {
            return Err(format!("thread {thread} reads what another thread wrote since the last barrier"));
        }
        self.read.add(epoch, thread);
        Ok(())
    }

    pub(super) fn write(&mut self, epoch: u32, thread: u32) -> Result<(), String> {
        if self.write.other(epoch, thread) {
            return Err(format!("thread {thread} writes what another thread wrote since the last barrier"));
        }
        if self.read.other(epoch, thread) {
            return Err(format!("thread {thread} writes what another thread read since the last barrier"));
        }
        self.write.add(epoch, thread);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    /// Never written.
    #[default]
    Empty,
    /// A copy is on its way.
    Pending,
    Full,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    access: Access,
    state: State,
    word: u32,
}

/// The elements of an array, or the words of the scratch.
pub(super) struct Cells {
    name: String,
    cells: Vec<Cell>,
}

impl Cells {
    pub(super) fn new(name: &str, len: usize) -> Cells {
        Cells { name: name.to_string(), cells: vec![Cell::default(); len] }
    }

    /// Forgets all contents.
    pub(super) fn clear(&mut self) {
        self.cells.fill(Cell::default());
    }

    fn cell(&mut self, at: i64) -> Result<&mut Cell, String> {
        let (name, len) = (&self.name, self.cells.len());
        let cell = usize::try_from(at).ok().and_then(|i| self.cells.get_mut(i));
        cell.ok_or_else(|| format!("offset {at} leaves {name}, which has {len} elements"))
    }

    fn named<T>(&self, at: i64, r: Result<T, String>) -> Result<T, String> {
        r.map_err(|e| format!("{e}: {}[{at}]", self.name))
    }

    pub(super) fn read(&mut self, at: i64, epoch: u32, thread: u32) -> Result<u32, String> {
        let cell = self.cell(at)?;
        let (state, word) = (cell.state, cell.word);
        let access = cell.access.read(epoch, thread);
        match state {
            State::Full => self.named(at, access.map(|()| word)),
            State::Pending => self.named(at, Err("a copy that is under way is read".to_string())),
            State::Empty => self.named(at, Err("what was never written is read".to_string())),
        }
    }

    pub(super) fn write(&mut self, at: i64, word: u32, epoch: u32, thread: u32) -> Result<(), String> {
        let cell = self.cell(at)?;
        let pending = cell.state == State::Pending;
        let access = cell.access.write(epoch, thread);
        (cell.state, cell.word) = (State::Full, word);
        let access = if pending { Err("what a copy is under way to is written".to_string()) } else { access };
        self.named(at, access)
    }

    /// A copy begins: nothing may touch the element before it ends.
    pub(super) fn begin_copy(&mut self, at: i64, epoch: u32, thread: u32) -> Result<(), String> {
        self.write(at, 0, epoch, thread)?;
        self.cell(at)?.state = State::Pending;
        Ok(())
    }

    /// A copy ends: the element is written by its thread, now.
    pub(super) fn end_copy(&mut self, at: i64, word: u32, epoch: u32, thread: u32) -> Result<(), String> {
        let cell = self.cell(at)?;
        (cell.state, cell.word) = (State::Full, word);
        let access = cell.access.write(epoch, thread);
        self.named(at, access)
    }
}

#[cfg(test)]
mod tests {
    use super::Cells;

    #[track_caller]
    fn fails<T: std::fmt::Debug>(r: Result<T, String>, part: &str) {
        assert!(r.as_ref().err().is_some_and(|e| e.contains(part)), "{r:?} does not say `{part}`");
    }

    #[test]
    fn threads_meet_at_barriers() {
        let mut c = Cells::new("tile", 2);
        fails(c.read(0, 1, 0), "never written");
        fails(c.read(2, 1, 0), "leaves tile");
        assert_eq!(c.write(0, 7, 1, 0), Ok(()));
        assert_eq!(c.read(0, 1, 0), Ok(7));
        fails(c.read(0, 1, 3), "another thread wrote");
        assert_eq!(c.read(0, 2, 3), Ok(7));
        assert_eq!(c.read(0, 2, 4), Ok(7));
        fails(c.write(0, 8, 2, 3), "another thread read");
        assert_eq!(c.write(0, 8, 3, 3), Ok(()));
        fails(c.write(0, 8, 3, 4), "another thread wrote");
    }

    #[test]
    fn copies_are_poison_until_they_end() {
        let mut c = Cells::new("tile", 1);
        assert_eq!(c.begin_copy(0, 1, 0), Ok(()));
        fails(c.read(0, 1, 0), "under way");
        fails(c.read(0, 2, 1), "under way");
        assert_eq!(c.end_copy(0, 9, 3, 0), Ok(()));
        assert_eq!(c.read(0, 3, 0), Ok(9));
        fails(c.read(0, 3, 1), "another thread wrote");
        assert_eq!(c.read(0, 4, 1), Ok(9));
    }
}
