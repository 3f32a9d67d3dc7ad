//! Who waits until the log is durable up to which position.
//!
//! Owns the wakers, by position: a sync wakes those whom it serves and nobody else. Knows no
//! policy: whoever waits says what he waits for. Any thread.
//!
//! INVARIANT: a waker is left under the lock under which its condition was found not to hold,
//! after it was left; whoever makes it hold takes the lock afterwards. So no wait is missed.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use thermocline_base::Lsn;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct DurableWaits {
    /// By position, then in the order in which they came.
    wakers: Mutex<BTreeMap<(Lsn, u64), Waker>>,
    next_ticket: AtomicU64,
}

/// One who waits; leaves nothing behind when dropped.
struct Wait<'w> {
    waits: &'w DurableWaits,
    place: (Lsn, u64),
}

impl DurableWaits {
    /// Returns once `holds`, looking again when `lsn` is durable and whenever all are told to.
    pub(crate) async fn wait(&self, lsn: Lsn, holds: impl Fn() -> bool) {
        if holds() {
            return;
        }
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        let wait = Wait {
            waits: self,
            place: (lsn, ticket),
        };
        poll_fn(|context| wait.poll(context, &holds)).await;
    }

    /// Tells those who wait for no more than `lsn`.
    pub(crate) fn tell(&self, lsn: Lsn) {
        let mut wakers = self.wakers.lock();
        let later = wakers.split_off(&(Lsn(lsn.0.saturating_add(1)), 0));
        let told = std::mem::replace(&mut *wakers, later);
        drop(wakers);
        told.into_values().for_each(Waker::wake);
    }

    /// Tells all: what they wait for may be another thing now.
    pub(crate) fn tell_all(&self) {
        self.tell(Lsn(u64::MAX - 1));
    }
}

impl Wait<'_> {
    fn poll(&self, context: &Context<'_>, holds: impl Fn() -> bool) -> Poll<()> {
        let mut wakers = self.waits.wakers.lock();
        wakers.insert(self.place, context.waker().clone());
        if holds() {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.waits.wakers.lock().remove(&self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counted() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn only_those_are_woken_whose_position_is_reached() {
        let waits = DurableWaits::default();
        let durable = AtomicU64::new(0);
        let reached = |lsn: u64| durable.load(Ordering::SeqCst) >= lsn;
        let (early_count, early_waker) = counted();
        let (late_count, late_waker) = counted();
        let mut early = pin!(waits.wait(Lsn(5), || reached(5)));
        let mut late = pin!(waits.wait(Lsn(6), || reached(6)));
        use std::future::Future;
        let mut early_context = Context::from_waker(&early_waker);
        let mut late_context = Context::from_waker(&late_waker);
        assert!(early.as_mut().poll(&mut early_context).is_pending());
        assert!(late.as_mut().poll(&mut late_context).is_pending());
        waits.tell(Lsn(4));
        assert_eq!(early_count.0.load(Ordering::SeqCst), 0);
        durable.store(5, Ordering::SeqCst);
        waits.tell(Lsn(5));
        assert_eq!(early_count.0.load(Ordering::SeqCst), 1);
        assert_eq!(late_count.0.load(Ordering::SeqCst), 0);
        assert!(early.as_mut().poll(&mut early_context).is_ready());
        // Told of another policy, it looks, and waits on.
        waits.tell_all();
        assert_eq!(late_count.0.load(Ordering::SeqCst), 1);
        assert!(late.as_mut().poll(&mut late_context).is_pending());
        durable.store(9, Ordering::SeqCst);
        waits.tell(Lsn(9));
        assert!(late.as_mut().poll(&mut late_context).is_ready());
        assert_eq!(late_count.0.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn one_that_is_dropped_leaves_nothing_behind() {
        let waits = DurableWaits::default();
        let (_, waker) = counted();
        {
            use std::future::Future;
            let mut wait = pin!(waits.wait(Lsn(5), || false));
            let mut context = Context::from_waker(&waker);
            assert!(wait.as_mut().poll(&mut context).is_pending());
            assert_eq!(waits.wakers.lock().len(), 1);
        }
        assert!(waits.wakers.lock().is_empty());
    }
}
