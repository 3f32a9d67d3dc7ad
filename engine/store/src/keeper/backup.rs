//! A backup: a second directory with what a start needs, made right after a
//! checkpoint while the daemon goes on.
//!
//! Owns which files are linked and which are copied. Runs on the keeper's thread,
//! so that no checkpoint, cleaning or demotion changes files meanwhile; the log
//! goes on.
//!
//! | file | | why |
//! |---|---|---|
//! | image | linked | written once; a later one has a new file |
//! | sealed segment of the tier | linked | not written in this life; before the next one `Volume` leaves a file with two names to the backup |
//! | active segment | copied | still written |
//! | log | copied, up to what is durable | written, and recycled under a new header |
//! | manifest | written last | a directory without one is refused |
//!
//! INVARIANT: nothing behind the durable position of the log is copied: bytes that
//! were read while they were written could claim a durability that the copy lacks.

use super::Keeper;
use crate::image;
use crate::manifest::{COPY_NAME, FILE_NAME};
use crate::recovery::LOG_DIRECTORY;
use crate::store::StoreError;
use crate::tier::segment::SegmentState;
use crate::tier::volume;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Component, Path};
use thermocline_base::Lsn;
use thermocline_disk::{AlignedBuffer, BackendChoice, Disk, OpenMode};
use thermocline_wal::frame::{SEGMENT_HEADER_BYTES, SegmentHeader};

/// How much is copied at once, in bytes.
const COPY_BYTES: usize = 1 << 20;

/// What a backup is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// Files that two directories share now.
    pub linked_files: u64,
    /// Files that were copied.
    pub copied_files: u64,
    /// Their bytes.
    pub copied_bytes: u64,
    /// Up to where the log is in the backup.
    pub end_lsn: Lsn,
}

impl Keeper {
    /// Makes a checkpoint and a backup of it in the new directory `path`.
    pub(super) fn backup(&mut self, path: &Path) -> Result<BackupReport, String> {
        let shown = path.display();
        // A link that leads nowhere is there too.
        if path.symlink_metadata().is_ok() {
            return Err(format!("{shown} exists already: name a new directory"));
        }
        // What is not there yet may hide where its ".." lead.
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(format!("{shown} has .. in it: name the directory without"));
        }
        // It would be lost with what it is there to replace.
        let contains = self.store.disk.contains(path);
        if contains.map_err(|error| error.to_string())? {
            return Err(format!(
                "{shown} is inside the data directory: name a new directory beside it"
            ));
        }
        self.checkpoint()?;
        self.copy_to(path).map_err(|error| error.to_string())
    }

    /// Tells those who ask for a backup that there can be none.
    pub(super) fn refuse_backups(&self) {
        let control = &self.store.control;
        if let Some(reason) = control.damage()
            && let Some(request) = control.take_backup()
        {
            // Who asked may have gone.
            let _ = request.done.send(Err(reason));
        }
    }

    fn copy_to(&self, path: &Path) -> Result<BackupReport, StoreError> {
        let from = &self.store.disk;
        let to = Disk::open(path, BackendChoice::Posix)?;
        let mut report = BackupReport::default();
        for directory in [image::DIRECTORY_NAME, volume::DIRECTORY, LOG_DIRECTORY] {
            to.create_directory(directory)?;
        }
        let images: BTreeSet<u64> = self.image_files();
        for number in images.into_iter().filter(|number| *number > 0) {
            share(from, &to, &image::file_name(number), &mut report)?;
        }
        for entry in &self.manifest.segments {
            let name = entry.number.file_name();
            let state = (self.store.volume).with_table(|table| table.state(entry.number));
            match state {
                SegmentState::Sealed | SegmentState::Cleaning { .. } => {
                    share(from, &to, &name, &mut report)?;
                }
                _ => copy(from, &to, &name, u64::MAX, &mut report)?,
            }
        }
        self.copy_log(from, &to, &mut report)?;
        for directory in [image::DIRECTORY_NAME, volume::DIRECTORY, LOG_DIRECTORY, ""] {
            to.sync_directory(directory)?;
        }
        to.replace_durably(COPY_NAME, &self.manifest.encode()?)?;
        // A crash before this: a directory that no daemon starts on.
        to.replace_durably(FILE_NAME, &self.manifest.encode()?)?;
        Ok(report)
    }

    /// Copies the log from the checkpoint to where it is durable now.
    fn copy_log(
        &self,
        from: &Disk,
        to: &Disk,
        report: &mut BackupReport,
    ) -> Result<(), StoreError> {
        let durable = self.store.log.wal().durable_lsn();
        let mut segments = Vec::new();
        for name in from.list(LOG_DIRECTORY)? {
            let name = format!("{LOG_DIRECTORY}/{name}");
            let file = match from.open_file(&name, OpenMode::Read, false) {
                // Retired meanwhile: not one of those that are needed.
                Err(error) if error.io_error_kind() == ErrorKind::NotFound => continue,
                opened => opened?,
            };
            let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
            let read = file.read_at(0, &mut bytes)?;
            // Files that stand ready have no header, or an outdated one.
            if let Ok(header) = SegmentHeader::decode(&bytes[..read])
                && header.start_lsn <= durable
            {
                segments.push((header, name));
            }
        }
        segments.sort_unstable_by_key(|(header, _)| header.sequence);
        let checkpoint_lsn = self.manifest.checkpoint_lsn;
        let first = segments
            .iter()
            .rposition(|(header, _)| header.start_lsn <= checkpoint_lsn);
        let segments = &segments[first.unwrap_or(0)..];
        for (index, (header, name)) in segments.iter().enumerate() {
            let next = segments.get(index + 1);
            let end = next.map_or(durable, |(next, _)| next.start_lsn.min(durable));
            let frames = end.bytes_since(header.start_lsn);
            let bytes = SEGMENT_HEADER_BYTES as u64 + frames;
            copy(from, to, name, bytes, report)?;
        }
        report.end_lsn = durable;
        Ok(())
    }
}

/// Links a file, or copies it where that cannot be.
fn share(from: &Disk, to: &Disk, name: &str, report: &mut BackupReport) -> Result<(), StoreError> {
    if from.link(name, to)? {
        report.linked_files += 1;
        return Ok(());
    }
    copy(from, to, name, u64::MAX, report)
}

/// Copies the first `limit_bytes` bytes of a file; on return they are durable. What is
/// behind them reads as zeros: a segment of the log that is shorter than its header says
/// was cut.
fn copy(
    from: &Disk,
    to: &Disk,
    name: &str,
    limit_bytes: u64,
    report: &mut BackupReport,
) -> Result<(), StoreError> {
    let source = from.open_file(name, OpenMode::Read, false)?;
    let copy = to.open_file(name, OpenMode::CreateNew, false)?;
    let source_bytes = source.size_bytes()?;
    let end = source_bytes.min(limit_bytes);
    let mut buffer = AlignedBuffer::new(COPY_BYTES);
    let mut at = 0;
    while at < end {
        let wanted = buffer.len().min((end - at) as usize);
        let read = source.read_at(at, &mut buffer[..wanted])?;
        if read == 0 {
            break;
        }
        copy.write_all_at(at, &buffer[..read])?;
        at += read as u64;
    }
    copy.truncate(source_bytes)?;
    copy.sync_data()?;
    report.copied_files += 1;
    report.copied_bytes += at;
    Ok(())
}
