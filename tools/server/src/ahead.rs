//! What a connection reads ahead from the tier, and how long it keeps it.
//!
//! Owns which pages were asked for by which request. Pages are kept a little longer than
//! the request that asked for them, for the next one often wants a record of the same page.
//! INVARIANT: what is kept for requests that were run is at most [`KEPT_PAGES`] pages,
//! however long a connection is never out of requests. The connection's task.

use std::collections::VecDeque;

use thermocline_store::{Address, FaultSet, ReadRequest};

use crate::cold::{Arrivals, Cold};

/// Most pages kept for requests that were run.
const KEPT_PAGES: usize = 16;

/// See the module.
#[derive(Default)]
pub(crate) struct Ahead {
    pub(crate) arrivals: Arrivals,
    /// Which request asked for what, in the order they asked.
    asked: VecDeque<(u64, Address)>,
}

impl Ahead {
    /// Begins a read for the request of this number.
    pub(crate) fn begin(&mut self, cold: &Cold, request: ReadRequest, number: u64) {
        cold.begin(request, &self.arrivals);
        self.asked.push_back((number, request.address));
    }

    /// Whether nothing was asked for since [`Ahead::clear`].
    pub(crate) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Lets pages go that only requests below `front` asked for, but for a few.
    pub(crate) fn trim(&mut self, front: u64, faults: &mut FaultSet) {
        while self.asked.len() > KEPT_PAGES
            && let Some(&(number, address)) = self.asked.front()
            && number < front
        {
            self.asked.pop_front();
            if !self.asked.iter().any(|(_, other)| *other == address) {
                faults.remove(address);
            }
        }
    }

    /// Lets all pages go but those that the request `front` itself asked for.
    pub(crate) fn keep_only(&mut self, front: u64, faults: &mut FaultSet) {
        let (kept, gone): (VecDeque<_>, VecDeque<_>) =
            (self.asked.drain(..)).partition(|(number, _)| *number == front);
        self.asked = kept;
        for (_, address) in gone {
            if !self.asked.iter().any(|(_, other)| *other == address) {
                faults.remove(address);
            }
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, faults: &mut FaultSet) {
        faults.clear();
        self.asked.clear();
        self.arrivals.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use thermocline_disk::AlignedBuffer;
    use thermocline_store::FetchedPage;
    use thermocline_store::tier::PagePlace;
    use thermocline_store::tier::segment::{Incarnation, SegmentNumber};

    fn address(page: u32) -> Address {
        Address::new(page, 1).unwrap()
    }

    fn insert(faults: &mut FaultSet, page: u32) {
        let place = PagePlace {
            segment: SegmentNumber(0),
            incarnation: Incarnation(1),
            page,
        };
        let bytes = Arc::new(AlignedBuffer::new(4096));
        faults.insert(address(page), FetchedPage { place, bytes });
    }

    /// Each request wants a page of its own and the one page that all want.
    fn asked(ahead: &mut Ahead, faults: &mut FaultSet, number: u64) {
        for page in [number as u32 + 1, 0] {
            insert(faults, page);
            ahead.asked.push_back((number, address(page)));
        }
    }

    #[test]
    fn a_connection_never_out_of_requests_keeps_few_pages() {
        let (mut ahead, mut faults) = (Ahead::default(), FaultSet::new());
        for number in 0..64 {
            asked(&mut ahead, &mut faults, number);
        }
        for front in 0..1000 {
            ahead.trim(front, &mut faults);
            assert!(faults.pages().count() <= 64 + KEPT_PAGES);
            for number in front..front + 64 {
                assert!(faults.get(address(number as u32 + 1)).is_some());
            }
            assert!(faults.get(address(0)).is_some(), "later ones want it too");
            asked(&mut ahead, &mut faults, front + 64);
        }
        ahead.trim(u64::MAX, &mut faults);
        assert!(faults.pages().count() <= KEPT_PAGES);
        ahead.clear(&mut faults);
        assert!(ahead.is_empty() && faults.is_empty() && faults.bytes() == 0);
    }

    #[test]
    fn too_much_ahead_leaves_the_front_its_own() {
        let (mut ahead, mut faults) = (Ahead::default(), FaultSet::new());
        for number in 5..20 {
            asked(&mut ahead, &mut faults, number);
        }
        ahead.keep_only(7, &mut faults);
        assert_eq!(faults.bytes(), 2 * 4096);
        assert!(faults.get(address(8)).is_some() && faults.get(address(0)).is_some());
    }
}
