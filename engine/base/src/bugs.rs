//! Bugs on demand: what a harness must find, planted where it would hurt.
//!
//! Owns the list and which one is planted, of the whole process. The places
//! where they stand ask [`is_planted`]; without the feature `seeded-bugs` the
//! answer is `false` when the program is compiled, and an optimised program
//! with the feature is not compiled at all. Any thread.

#[cfg(all(feature = "seeded-bugs", not(debug_assertions)))]
compile_error!("seeded bugs are for the harness that finds them, never for a release");

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// Under `always` a reply leaves before the sync.
    EarlyAcknowledgement = 1,
    /// A durable replace does not sync the directory.
    SkippedDirectorySync,
    /// A durable replace renames a file that was not synced.
    SkippedReplaceSync,
    /// A checkpoint does not sync the tier.
    SkippedTierSync,
    /// A checkpoint does not sync its image.
    SkippedImageSync,
    /// A manifest is written before the log is durable to its end.
    LogBehindManifest,
    /// A cleaned segment is free before an image without it is durable.
    SegmentFreedEarly,
    /// A slot does not follow the record that cleaning moved.
    StaleSlotAfterCleaning,
    /// What sinks forgets when it expires.
    ExpiryLostInDemotion,
    /// Replay takes the effect that starts at the record's LSN for a part of it.
    GateOffByOne,
    /// Replay applies what the record contains already.
    GateIgnored,
    /// A frame says that it and those written with it are durable.
    WatermarkTooHigh,
    /// An expired key goes without a word in the log.
    LostDeleteOnExpiry,
    /// The effects of a transaction are frames of their own.
    TornTransaction,
    /// The payload of a frame is believed.
    SkippedLogCrc,
    /// The content of a page is believed.
    SkippedTierCrc,
    /// A file of the log whose sync failed is synced again.
    SyncedAgain,
    /// A segment of the tier whose sync failed is trusted.
    FailedTierSyncForgotten,
    /// The log is given up before the manifest that does without it is there.
    LogRetiredEarly,
    /// An image takes over the old piece of a shard that has changed.
    StalePiece,
    /// What a start has read in the log is served before it is durable.
    RecoveredNotSynced,
    /// Frames follow a segment's header that was not synced.
    SkippedHeaderSync,
    /// A record that was changed while it was written counts as written.
    SettledWithoutMark,
    /// A key that is met after its time is hidden, and is there again when the clock goes
    /// back.
    ExpiredOnlyHidden,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::EarlyAcknowledgement,
        Self::SkippedDirectorySync,
        Self::SkippedReplaceSync,
        Self::SkippedTierSync,
        Self::SkippedImageSync,
        Self::LogBehindManifest,
        Self::SegmentFreedEarly,
        Self::StaleSlotAfterCleaning,
        Self::ExpiryLostInDemotion,
        Self::GateOffByOne,
        Self::GateIgnored,
        Self::WatermarkTooHigh,
        Self::LostDeleteOnExpiry,
        Self::TornTransaction,
        Self::SkippedLogCrc,
        Self::SkippedTierCrc,
        Self::SyncedAgain,
        Self::FailedTierSyncForgotten,
        Self::LogRetiredEarly,
        Self::StalePiece,
        Self::RecoveredNotSynced,
        Self::SkippedHeaderSync,
        Self::SettledWithoutMark,
        Self::ExpiredOnlyHidden,
    ];
}

#[cfg(feature = "seeded-bugs")]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Plants one bug in place of the one before, or none.
#[cfg(feature = "seeded-bugs")]
pub fn plant(bug: Option<Bug>) {
    let number = bug.map_or(0, |bug| bug as u8);
    PLANTED.store(number, std::sync::atomic::Ordering::Relaxed);
}

/// Whether `bug` is planted.
#[cfg(feature = "seeded-bugs")]
#[must_use]
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::Relaxed) == bug as u8
}

/// Whether `bug` is planted: none can be.
#[cfg(not(feature = "seeded-bugs"))]
#[must_use]
#[inline(always)]
pub const fn is_planted(_bug: Bug) -> bool {
    false
}
