//! What only the ring does: registration and its refusal, pages of the slab,
//! transfers in pieces, files that go while they are read.

use super::*;
use crate::{Backend, BackendChoice, Disk, File, OpenMode};
use std::io::Write;

const PAGE: usize = 4096;

/// A disk with a ring, or none where the kernel refuses rings.
fn disk(directory: &tempfile::TempDir) -> Option<Disk> {
    let disk = Disk::open(directory.path(), BackendChoice::Auto).expect("open");
    (disk.backend().0 == Backend::IoUring).then_some(disk)
}

/// A file of `pages` pages, each filled with its number plus `first`.
fn file(disk: &Disk, name: &str, pages: u8, first: u8) -> File {
    let created = disk.open_file(name, OpenMode::CreateNew, false);
    let created = created.expect("create");
    for page in 0..pages {
        let bytes = [first + page; PAGE];
        let offset = u64::from(page) * PAGE as u64;
        created.write_all_at(offset, &bytes).expect("write");
    }
    created.sync_data().expect("sync");
    disk.open_file(name, OpenMode::Read, true).expect("open")
}

fn read(queue: &mut RingQueue, file: &File, page: u64, buffer: AlignedBuffer) {
    let submitted = queue.submit(Operation {
        file: file.clone(),
        action: Action::Read {
            offset: page * PAGE as u64,
        },
        buffer: Some(buffer),
        token: page,
    });
    assert!(submitted.is_ok());
}

/// All free pages.
fn pages(queue: &RingQueue) -> Vec<AlignedBuffer> {
    std::iter::from_fn(|| queue.page()).collect()
}

fn wait_all(queue: &mut RingQueue) -> Vec<Completion> {
    let mut completions = Vec::new();
    while queue.in_flight() > 0 {
        queue
            .wait(&mut completions, Duration::from_secs(5))
            .expect("wait");
    }
    completions
}

fn assert_read(completion: Completion, expected: u8) {
    assert_eq!(completion.result.expect("read"), PAGE);
    let buffer = completion.buffer.expect("given back");
    assert!(buffer.iter().all(|byte| *byte == expected));
}

#[test]
fn an_exhausted_slab_is_helped_out_and_its_pages_are_used_again() {
    let directory = tempfile::tempdir().expect("tempdir");
    let Some(disk) = disk(&directory) else { return };
    let file = file(&disk, "f", 8, 1);
    let mut queue = RingQueue::new(8).expect("queue");
    assert!(queue.registered.has_slab() && queue.unregistered().is_empty());
    // Held as a caller holds pages it was given.
    let mut held = pages(&queue);
    assert!(held.len() >= 8 && held.len() <= SLAB_PAGES);
    held.truncate(held.len() - 3);
    for round in 0..20 {
        for page in 0..8 {
            let buffer = queue.page().unwrap_or_else(|| AlignedBuffer::new(PAGE));
            read(&mut queue, &file, page, buffer);
        }
        assert!(queue.page().is_none(), "three were free");
        let completions = wait_all(&mut queue);
        assert_eq!(completions.len(), 8, "round {round}");
        for completion in completions {
            let expected = completion.token as u8 + 1;
            assert_read(completion, expected);
        }
    }
}

#[test]
fn without_registration_everything_works() {
    let directory = tempfile::tempdir().expect("tempdir");
    let Some(disk) = disk(&directory) else { return };
    let file = file(&disk, "f", 8, 1);
    let mut queue = RingQueue::with(8, |_, _| Registered::refused()).expect("queue");
    let reasons = queue.unregistered();
    assert_eq!(reasons.len(), 2);
    assert!(reasons[1].contains("locked memory"));
    for page in 0..8 {
        let buffer = queue.page().expect("the slab serves all the same");
        read(&mut queue, &file, page, buffer);
    }
    for completion in wait_all(&mut queue) {
        let expected = completion.token as u8 + 1;
        assert_read(completion, expected);
    }
}

/// Pages that completed belong to whoever holds them: neither later reads nor
/// the end of the ring touch them.
#[test]
fn pages_outlive_their_ring() {
    let directory = tempfile::tempdir().expect("tempdir");
    let Some(disk) = disk(&directory) else { return };
    let file = file(&disk, "f", 8, 1);
    let mut queue = RingQueue::new(4).expect("queue");
    let page = queue.page().expect("free");
    read(&mut queue, &file, 0, page);
    let first = wait_all(&mut queue).remove(0);
    for page in 1..5 {
        let buffer = queue.page().unwrap_or_else(|| AlignedBuffer::new(PAGE));
        read(&mut queue, &file, page, buffer);
    }
    wait_all(&mut queue);
    // Dropped with a read under way, which is waited for.
    let buffer = queue.page().unwrap_or_else(|| AlignedBuffer::new(PAGE));
    read(&mut queue, &file, 5, buffer);
    queue.flush().expect("flush");
    drop(queue);
    assert_read(first, 1);
}

#[test]
fn a_file_replaced_while_it_is_read_is_read_as_it_was_opened() {
    let directory = tempfile::tempdir().expect("tempdir");
    let Some(disk) = disk(&directory) else { return };
    let mut queue = RingQueue::new(16).expect("queue");
    for round in 0..20_u8 {
        let old = file(&disk, "f", 4, 1);
        for page in 0..4 {
            let buffer = queue.page().expect("free");
            read(&mut queue, &old, page, buffer);
        }
        if round % 2 == 0 {
            queue.flush().expect("flush");
        }
        // Gone by name and by handle: only the operations hold it.
        drop(old);
        disk.remove("f").expect("remove");
        let new = file(&disk, "f", 4, 101);
        for page in 0..4 {
            let submitted = queue.submit(Operation {
                file: new.clone(),
                action: Action::Read {
                    offset: page * PAGE as u64,
                },
                buffer: queue.page(),
                token: 100 + page,
            });
            assert!(submitted.is_ok());
        }
        disk.remove("f").expect("remove");
        drop(new);
        let completions = wait_all(&mut queue);
        assert_eq!(completions.len(), 8);
        for completion in completions {
            let expected = completion.token as u8 + 1;
            assert_read(completion, expected);
        }
    }
}

#[test]
fn files_beyond_the_table_are_read_without_a_place_in_it() {
    let directory = tempfile::tempdir().expect("tempdir");
    let Some(disk) = disk(&directory) else { return };
    let files: Vec<_> = (0..9)
        .map(|number| file(&disk, &format!("f{number}"), 1, number + 1))
        .collect();
    let register =
        |submitter: &Submitter<'_>, slab: &Slab| Registered::with_table(submitter, slab, &[4]);
    let mut queue = RingQueue::with(16, register).expect("queue");
    let mut placed = 0;
    for (number, file) in (1_u8..).zip(&files) {
        let buffer = queue.page().expect("free");
        read(&mut queue, file, 0, buffer);
        assert_read(wait_all(&mut queue).remove(0), number);
        let Form::System(file) = &file.form else {
            panic!("a file of the system");
        };
        let place = queue.registered.slot(&queue.ring.submitter(), file);
        placed += usize::from(place.is_some());
    }
    assert!(
        (1..=4).contains(&placed),
        "{placed} files in a table of four"
    );
    // The places of closed files are free again.
    drop(files);
    let again = file(&disk, "again", 1, 77);
    let buffer = queue.page().expect("free");
    read(&mut queue, &again, 0, buffer);
    assert_read(wait_all(&mut queue).remove(0), 77);
    let Form::System(file) = &again.form else {
        panic!("a file of the system");
    };
    let place = queue.registered.slot(&queue.ring.submitter(), file);
    assert!(place.is_some());
}

/// A pipe gives what it has: the rest of a read comes later.
#[test]
fn a_short_transfer_goes_on_where_it_stopped() {
    let directory = tempfile::tempdir().expect("tempdir");
    if disk(&directory).is_none() {
        return;
    }
    for is_paged in [true, false] {
        let (end, mut source) = io::pipe().expect("pipe");
        let file = File {
            form: Form::System(Arc::new(SystemFile {
                number: u64::MAX,
                name: "pipe".to_owned(),
                handle: OwnedFd::from(end).into(),
                direct: false,
            })),
        };
        let mut queue = RingQueue::new(4).expect("queue");
        let buffer = if is_paged { queue.page() } else { None };
        let buffer = buffer.unwrap_or_else(|| AlignedBuffer::new(PAGE));
        read(&mut queue, &file, 0, buffer);
        let mut completions = Vec::new();
        for piece in [1_u8, 2, 3] {
            source.write_all(&[piece; 1000]).expect("write");
            // Enough for the kernel to hand the piece over; not the whole.
            let wait = Duration::from_millis(20);
            queue.wait(&mut completions, wait).expect("wait");
            assert!(completions.is_empty());
        }
        source.write_all(&[4; PAGE - 3000]).expect("write");
        let completion = wait_all(&mut queue).remove(0);
        assert_eq!(completion.result.expect("read"), PAGE);
        let buffer = completion.buffer.expect("given back");
        let expected: Vec<u8> = (0..PAGE)
            .map(|index| (index / 1000 + 1).min(4) as u8)
            .collect();
        assert_eq!(*buffer, *expected);
        // An end in the middle is told as such.
        let buffer = queue.page().expect("free");
        read(&mut queue, &file, 0, buffer);
        source.write_all(&[5; 10]).expect("write");
        drop(source);
        assert_eq!(wait_all(&mut queue).remove(0).result.expect("read"), 10);
    }
}

#[test]
fn a_failed_read_gives_its_page_back_and_names_the_file() {
    let directory = tempfile::tempdir().expect("tempdir");
    let Some(disk) = disk(&directory) else { return };
    file(&disk, "f", 1, 1);
    // Opened to write only: the kernel refuses to read.
    let path = directory.path().join("f");
    let handle = std::fs::OpenOptions::new().write(true).open(path);
    let file = File {
        form: Form::System(Arc::new(SystemFile {
            number: u64::MAX,
            name: "f".to_owned(),
            handle: handle.expect("open"),
            direct: false,
        })),
    };
    let mut queue = RingQueue::new(1).expect("queue");
    let buffer = queue.page().expect("free");
    read(&mut queue, &file, 0, buffer);
    let completion = wait_all(&mut queue).remove(0);
    let error = completion.result.expect_err("refused").to_string();
    assert!(error.contains("read") && error.contains('f'), "{error}");
    drop(completion.buffer);
    assert_eq!(pages(&queue).len(), 1);
}

#[test]
fn a_queue_may_be_made_by_another_thread_than_uses_it() {
    let directory = tempfile::tempdir().expect("tempdir");
    let Some(disk) = disk(&directory) else { return };
    let file = file(&disk, "f", 1, 9);
    let mut queue = RingQueue::new(2).expect("queue");
    let user = std::thread::spawn(move || {
        let buffer = queue.page().expect("free");
        read(&mut queue, &file, 0, buffer);
        assert_read(wait_all(&mut queue).remove(0), 9);
    });
    user.join().expect("no panic");
}
