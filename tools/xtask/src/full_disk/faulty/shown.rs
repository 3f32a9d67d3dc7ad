//! What the failing mount shows: a folder, call by call.
//!
//! Owns the table of nodes and open files. Syncs that succeed do nothing: nobody cuts
//! the power here. Threads of the FUSE library call it.

use super::mount::{Calls, Faults};
use fuser::{
    FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::FallocateFlags;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Nothing is kept in the kernel's caches of names and attributes.
const TTL: Duration = Duration::ZERO;
const OPEN_TRUNCATE: i32 = 0o1000;
const FALLOCATE_PUNCH_HOLE: i32 = 2;

/// Numbers and paths of what was looked up.
struct Nodes {
    paths: HashMap<u64, PathBuf>,
    numbers: HashMap<PathBuf, u64>,
    next: u64,
}

impl Nodes {
    fn new(root: &Path) -> Self {
        Self {
            paths: HashMap::from([(INodeNo::ROOT.0, root.to_owned())]),
            numbers: HashMap::new(),
            next: INodeNo::ROOT.0 + 1,
        }
    }

    fn path(&self, node: INodeNo) -> io::Result<PathBuf> {
        let path = self.paths.get(&node.0).cloned();
        path.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn number(&mut self, path: &Path) -> u64 {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let number = self.next;
        self.next += 1;
        self.numbers.insert(path.to_owned(), number);
        self.paths.insert(number, path.to_owned());
        number
    }

    fn forget(&mut self, path: &Path) {
        if let Some(number) = self.numbers.remove(path) {
            self.paths.remove(&number);
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        self.forget(to);
        if let Some(number) = self.numbers.remove(from) {
            self.paths.insert(number, to.to_owned());
            self.numbers.insert(to.to_owned(), number);
        }
    }
}

/// The folder behind, its nodes and open files.
pub(super) struct Shown {
    faults: Arc<Faults>,
    nodes: Mutex<Nodes>,
    files: Mutex<HashMap<u64, Arc<File>>>,
    handles: AtomicU64,
}

fn attributes(number: u64, metadata: &Metadata) -> FileAttr {
    let time = |time: io::Result<SystemTime>| time.unwrap_or(SystemTime::UNIX_EPOCH);
    let modified = time(metadata.modified());
    FileAttr {
        ino: INodeNo(number),
        size: metadata.len(),
        blocks: metadata.blocks(),
        atime: modified,
        mtime: modified,
        ctime: modified,
        crtime: modified,
        kind: if metadata.is_dir() {
            FileType::Directory
        } else {
            FileType::RegularFile
        },
        perm: (metadata.mode() & 0o7777) as u16,
        nlink: metadata.nlink() as u32,
        uid: metadata.uid(),
        gid: metadata.gid(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

impl Shown {
    /// Shows the folder `behind`; calls meet `faults`.
    pub(super) fn new(behind: &Path, faults: Arc<Faults>) -> Self {
        Self {
            faults,
            nodes: Mutex::new(Nodes::new(behind)),
            files: Mutex::default(),
            handles: AtomicU64::new(1),
        }
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn child(&self, parent: INodeNo, name: &OsStr) -> io::Result<PathBuf> {
        Ok(self.nodes().path(parent)?.join(name))
    }

    fn keep(&self, file: File) -> FileHandle {
        let handle = self.handles.fetch_add(1, Ordering::Relaxed);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(handle, Arc::new(file));
        FileHandle(handle)
    }

    fn file(&self, handle: FileHandle) -> io::Result<Arc<File>> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let file = files.get(&handle.0).cloned();
        file.ok_or_else(|| io::Error::from_raw_os_error(9))
    }

    fn entry(&self, path: &Path) -> io::Result<FileAttr> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(attributes(self.nodes().number(path), &metadata))
    }

    fn attributes_of(&self, node: INodeNo, handle: Option<FileHandle>) -> io::Result<FileAttr> {
        let metadata = match handle {
            Some(handle) => self.file(handle)?.metadata()?,
            None => fs::symlink_metadata(self.nodes().path(node)?)?,
        };
        Ok(attributes(node.0, &metadata))
    }

    fn try_create(&self, path: &Path) -> io::Result<(FileAttr, FileHandle)> {
        self.faults.meet(Calls::GROW)?;
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        let attributes = self.entry(path)?;
        Ok((attributes, self.keep(file)))
    }

    fn try_open(&self, node: INodeNo, flags: OpenFlags) -> io::Result<FileHandle> {
        let path = self.nodes().path(node)?;
        let truncates = flags.0 & OPEN_TRUNCATE != 0;
        let file = File::options()
            .read(true)
            .write(true)
            .truncate(truncates)
            .open(path)?;
        Ok(self.keep(file))
    }

    fn try_read(&self, handle: FileHandle, offset: u64, size: u32) -> io::Result<Vec<u8>> {
        let file = self.file(handle)?;
        let mut bytes = vec![0; size as usize];
        let mut done = 0;
        while done < bytes.len() {
            let count = file.read_at(&mut bytes[done..], offset + done as u64)?;
            if count == 0 {
                break;
            }
            done += count;
        }
        bytes.truncate(done);
        Ok(bytes)
    }

    fn try_write(&self, handle: FileHandle, offset: u64, data: &[u8]) -> io::Result<()> {
        let file = self.file(handle)?;
        self.faults.meet(Calls::WRITE)?;
        if offset + data.len() as u64 > file.metadata()?.len() {
            self.faults.meet(Calls::GROW)?;
        }
        file.write_all_at(data, offset)
    }

    fn try_fallocate(
        &self,
        handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
    ) -> io::Result<()> {
        let is_hole = mode & FALLOCATE_PUNCH_HOLE != 0;
        let call = if is_hole { Calls::WRITE } else { Calls::GROW };
        self.faults.meet(call)?;
        let flags = FallocateFlags::from_bits_retain(mode.cast_unsigned());
        let file = self.file(handle)?;
        Ok(rustix::fs::fallocate(&*file, flags, offset, length)?)
    }

    fn try_rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.faults.meet(Calls::NAME)?;
        let mut nodes = self.nodes();
        rustix::fs::rename(from, to)?;
        nodes.rename(from, to);
        Ok(())
    }

    fn try_remove(&self, path: &Path, is_directory: bool) -> io::Result<()> {
        self.faults.meet(Calls::NAME)?;
        let mut nodes = self.nodes();
        if is_directory {
            fs::remove_dir(path)?;
        } else {
            fs::remove_file(path)?;
        }
        nodes.forget(path);
        Ok(())
    }

    fn try_list(&self, node: INodeNo) -> io::Result<Vec<(u64, FileType, std::ffi::OsString)>> {
        let path = self.nodes().path(node)?;
        let mut listed = vec![
            (node.0, FileType::Directory, ".".into()),
            (node.0, FileType::Directory, "..".into()),
        ];
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let kind = if entry.file_type()?.is_dir() {
                FileType::Directory
            } else {
                FileType::RegularFile
            };
            let number = self.nodes().number(&entry.path());
            listed.push((number, kind, entry.file_name()));
        }
        Ok(listed)
    }
}

fn answer(reply: ReplyEmpty, result: io::Result<()>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error.into()),
    }
}

fn enter(reply: ReplyEntry, result: io::Result<FileAttr>) {
    match result {
        Ok(attributes) => reply.entry(&TTL, &attributes, Generation(0)),
        Err(error) => reply.error(error.into()),
    }
}

impl Filesystem for Shown {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        enter(
            reply,
            self.child(parent, name).and_then(|it| self.entry(&it)),
        );
    }

    fn getattr(&self, _: &Request, node: INodeNo, fh: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes_of(node, fh) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        _mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let change = || {
            if let Some(size) = size {
                self.faults.meet(Calls::WRITE)?;
                let path = self.nodes().path(node)?;
                File::options().write(true).open(path)?.set_len(size)?;
            }
            self.attributes_of(node, fh)
        };
        match change() {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let make = || {
            let path = self.child(parent, name)?;
            self.faults.meet(Calls::GROW)?;
            fs::create_dir(&path)?;
            self.entry(&path)
        };
        enter(reply, make());
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let path = self.child(parent, name);
        answer(reply, path.and_then(|path| self.try_remove(&path, false)));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let path = self.child(parent, name);
        answer(reply, path.and_then(|path| self.try_remove(&path, true)));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        _flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let paths = self.child(parent, name);
        let paths = paths.and_then(|from| Ok((from, self.child(newparent, newname)?)));
        answer(
            reply,
            paths.and_then(|(from, to)| self.try_rename(&from, &to)),
        );
    }

    fn open(&self, _: &Request, node: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        match self.try_open(node, flags) {
            Ok(handle) => reply.opened(handle, FopenFlags::empty()),
            Err(error) => reply.error(error.into()),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let created = self.child(parent, name);
        match created.and_then(|path| self.try_create(&path)) {
            Ok((attributes, handle)) => {
                reply.created(
                    &TTL,
                    &attributes,
                    Generation(0),
                    handle,
                    FopenFlags::empty(),
                );
            }
            Err(error) => reply.error(error.into()),
        }
    }

    fn read(
        &self,
        _: &Request,
        _node: INodeNo,
        fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.try_read(fh, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn write(
        &self,
        _: &Request,
        _node: INodeNo,
        fh: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.try_write(fh, offset, data) {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error.into()),
        }
    }

    fn flush(
        &self,
        _: &Request,
        _node: INodeNo,
        _fh: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        _node: INodeNo,
        fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.remove(&fh.0);
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.faults.meet(Calls::SYNC));
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.faults.meet(Calls::SYNC));
    }

    fn readdir(
        &self,
        _: &Request,
        node: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        match self.try_list(node) {
            Ok(listed) => {
                let first = usize::try_from(offset).unwrap_or(usize::MAX);
                for (place, (number, kind, name)) in (1..).zip(listed).skip(first) {
                    if reply.add(INodeNo(number), place, kind, &name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(error) => reply.error(error.into()),
        }
    }

    fn statfs(&self, _: &Request, _node: INodeNo, reply: ReplyStatfs) {
        let root = self.nodes().path(INodeNo::ROOT);
        let found = root.and_then(|root| Ok(rustix::fs::statvfs(root)?));
        match found {
            Ok(found) => reply.statfs(
                found.f_blocks,
                found.f_bfree,
                found.f_bavail,
                found.f_files,
                found.f_ffree,
                found.f_bsize as u32,
                255,
                found.f_frsize as u32,
            ),
            Err(error) => reply.error(error.into()),
        }
    }

    fn fallocate(
        &self,
        _: &Request,
        _node: INodeNo,
        fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        answer(reply, self.try_fallocate(fh, offset, length, mode));
    }
}
