//! The bytes of one simulated file. Owns what is visible, what is durable and
//! the changes between; knows no names. Invariant: applying all pending
//! changes to `durable` gives `visible`, unless a sync failed. Copies share their
//! pages until one of them is written, so a disk can be copied at each of its calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use thermocline_base::Random;

const PAGE_BYTES: u64 = 4096;
/// What a device writes whole or not at all.
pub(crate) const SECTOR_BYTES: u64 = 512;

/// Sparse bytes; what is not held reads as zeros.
#[derive(Clone, Debug, Default)]
struct Bytes {
    size: u64,
    pages: Arc<BTreeMap<u64, Arc<[u8]>>>,
}

impl Bytes {
    fn read(&self, offset: u64, target: &mut [u8]) -> usize {
        let len = self.size.saturating_sub(offset).min(target.len() as u64) as usize;
        for (at, byte_range) in pieces(offset, len, PAGE_BYTES) {
            let start = (at % PAGE_BYTES) as usize;
            let piece = &mut target[byte_range];
            match self.pages.get(&(at / PAGE_BYTES)) {
                Some(page) => piece.copy_from_slice(&page[start..start + piece.len()]),
                None => piece.fill(0),
            }
        }
        len
    }

    fn write(&mut self, offset: u64, source: &[u8]) {
        for (at, byte_range) in pieces(offset, source.len(), PAGE_BYTES) {
            let start = (at % PAGE_BYTES) as usize;
            let piece = &source[byte_range];
            let number = at / PAGE_BYTES;
            // Zeros where nothing is held change nothing.
            if !self.pages.contains_key(&number) && piece.iter().all(|byte| *byte == 0) {
                continue;
            }
            let pages = Arc::make_mut(&mut self.pages);
            if piece.len() as u64 == PAGE_BYTES {
                pages.insert(number, piece.into());
                continue;
            }
            let page = pages.entry(number);
            let page = page.or_insert_with(|| [0; PAGE_BYTES as usize].into());
            Arc::make_mut(page)[start..start + piece.len()].copy_from_slice(piece);
        }
        self.size = self.size.max(offset + source.len() as u64);
    }

    fn zero(&mut self, offset: u64, end: u64) {
        let first = offset / PAGE_BYTES;
        let held: Vec<u64> = match end.checked_sub(1) {
            Some(last) if offset < end => {
                let range = self.pages.range(first..=last / PAGE_BYTES);
                range.map(|(number, _)| *number).collect()
            }
            _ => return,
        };
        if held.is_empty() {
            return;
        }
        let pages = Arc::make_mut(&mut self.pages);
        for number in held {
            let start = offset.saturating_sub(number * PAGE_BYTES) as usize;
            let stop = end.saturating_sub(number * PAGE_BYTES).min(PAGE_BYTES) as usize;
            if start == 0 && stop as u64 == PAGE_BYTES {
                pages.remove(&number);
            } else if let Some(page) = pages.get_mut(&number) {
                Arc::make_mut(page)[start..stop].fill(0);
            }
        }
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write(offset, bytes) => self.write(*offset, bytes),
            Change::Grow(size) => self.size = self.size.max(*size),
            Change::Zero(offset, end) => self.zero(*offset, *end),
            Change::Cut(size) => {
                self.zero(*size, self.size);
                self.size = *size;
            }
        }
    }
}

/// Cuts `[offset, offset + len)` at multiples of `unit`: (offset, range in the bytes).
fn pieces(
    offset: u64,
    len: usize,
    unit: u64,
) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= len {
            return None;
        }
        let at = offset + done as u64;
        let room = (unit - at % unit) as usize;
        let range = done..len.min(done + room);
        done = range.end;
        Some((at, range))
    })
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Write(u64, Arc<[u8]>),
    Grow(u64),
    Zero(u64, u64),
    Cut(u64),
}

/// One file's bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    visible: Bytes,
    durable: Bytes,
    pending: Vec<Change>,
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        self.visible.size
    }

    /// The blocks of 4 KiB that are held.
    pub(crate) fn blocks(&self) -> Vec<u64> {
        self.visible.pages.keys().copied().collect()
    }

    /// What is visible, all of it durable.
    pub(crate) fn settled(&self) -> Self {
        Self {
            visible: self.visible.clone(),
            durable: self.visible.clone(),
            pending: Vec::new(),
        }
    }

    pub(crate) fn read(&self, offset: u64, target: &mut [u8]) -> usize {
        self.visible.read(offset, target)
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.visible.apply(&change);
        self.pending.push(change);
    }

    pub(crate) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            self.durable.apply(&change);
        }
    }

    /// A sync that failed: as in Linux, the pages count as clean afterwards, so
    /// a later sync does not make up for what this one lost.
    pub(crate) fn fail_sync(&mut self, random: &mut Random) {
        for change in std::mem::take(&mut self.pending) {
            self.settle(&change, random);
        }
    }

    /// The power fails: each change is kept, lost or torn.
    pub(crate) fn crash(&mut self, random: &mut Random) {
        self.fail_sync(random);
        self.visible = self.durable.clone();
    }

    fn settle(&mut self, change: &Change, random: &mut Random) {
        let fate = random.below(3);
        match change {
            _ if fate == 0 => {}
            Change::Write(offset, bytes) if fate == 1 => {
                for (at, range) in pieces(*offset, bytes.len(), SECTOR_BYTES) {
                    if random.chance(2) {
                        self.durable.write(at, &bytes[range]);
                    }
                }
            }
            change => self.durable.apply(change),
        }
    }
}
