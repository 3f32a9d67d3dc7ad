//! Names below an open directory. Owns how each is reached: part by part from the
//! directory's descriptor, so that none leads elsewhere; and how what stands in the way is
//! told. Does not own the files. Any thread; the calls block.
//!
//! INVARIANT: no symbolic link below the directory is followed, and nothing is opened
//! but regular files and directories: a pipe would wait for ever, a device may act. The
//! path of the directory itself is the operator's, and may hold links.
//!
//! The parts are opened one by one with `O_NOFOLLOW`, which every kernel and sandbox knows;
//! `openat2` would do it in one call, but filters of containers refuse it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// New directories are for their owner only, as they hold all data.
const DIRECTORY_MODE: u32 = 0o700;
/// New files likewise.
const FILE_MODE: u32 = 0o600;

/// An open directory below which names are reached.
#[derive(Debug)]
pub(crate) struct Names {
    root: OwnedFd,
}

/// The directory that a name stands in.
enum Parent<'n> {
    Root(BorrowedFd<'n>),
    Below(OwnedFd),
}

impl AsFd for Parent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(root) => *root,
            Self::Below(directory) => directory.as_fd(),
        }
    }
}

impl Names {
    /// Opens the directory `root`, where `make` says so after making it and its parents.
    pub(crate) fn open(root: &Path, make: bool) -> io::Result<Self> {
        if make {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(DIRECTORY_MODE).create(root)?;
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty())?;
        Ok(Self { root })
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The directory of `name`, and the last part.
    fn parent<'n>(&self, name: &'n str) -> io::Result<(Parent<'_>, &'n str)> {
        match name.rsplit_once('/') {
            None => Ok((Parent::Root(self.root.as_fd()), name)),
            Some((directory, last)) => Ok((Parent::Below(self.directory(directory)?), last)),
        }
    }

    /// The directory `name`, to reach what is in it.
    fn directory(&self, name: &str) -> io::Result<OwnedFd> {
        let mut reached: Option<OwnedFd> = None;
        for part in name.split('/') {
            let above = reached.as_ref().unwrap_or(&self.root);
            reached = Some(open_directory(above.as_fd(), part, OFlags::PATH)?);
        }
        reached.ok_or_else(|| Errno::NOENT.into())
    }

    /// Opens a regular file. Does not wait, whatever stands there.
    pub(crate) fn open_file(&self, name: &str, flags: OFlags) -> io::Result<fs::File> {
        let (parent, last) = self.parent(name)?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(FILE_MODE);
        let opened = rustix::fs::openat(&parent, last, flags, mode);
        let file = opened.map_err(|error| told(parent.as_fd(), last, error, "a regular file"))?;
        let kind = kind_of(&rustix::fs::fstat(&file)?);
        if kind != FileType::RegularFile {
            return Err(refused(last, kind, "a regular file"));
        }
        // A ring would give up on a file with this flag where it has to wait.
        let now = rustix::fs::fcntl_getfl(&file)?;
        rustix::fs::fcntl_setfl(&file, now - OFlags::NONBLOCK)?;
        Ok(file.into())
    }

    /// The names in a directory, without order; "" is the root.
    pub(crate) fn list(&self, name: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::new(self.to_read(name)?)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }

    /// Makes a directory and its parents; existing ones are fine.
    pub(crate) fn create_directory(&self, name: &str) -> io::Result<()> {
        let mut reached: Option<OwnedFd> = None;
        for part in name.split('/') {
            let above = reached.as_ref().unwrap_or(&self.root);
            match rustix::fs::mkdirat(above, part, Mode::from_raw_mode(DIRECTORY_MODE)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            reached = Some(open_directory(above.as_fd(), part, OFlags::PATH)?);
        }
        Ok(())
    }

    /// Removes a file, or a link rather than what it leads to.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let (parent, last) = self.parent(name)?;
        Ok(rustix::fs::unlinkat(parent, last, AtFlags::empty())?)
    }

    /// Renames a file, over another of that name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from_parent, from_last) = self.parent(from)?;
        let (to_parent, to_last) = self.parent(to)?;
        Ok(rustix::fs::renameat(
            from_parent,
            from_last,
            to_parent,
            to_last,
        )?)
    }

    /// Gives a file the same name below `other` too.
    pub(crate) fn link(&self, name: &str, other: &Self) -> io::Result<()> {
        let (parent, last) = self.parent(name)?;
        let kind = kind_of(&rustix::fs::statat(
            &parent,
            last,
            AtFlags::SYMLINK_NOFOLLOW,
        )?);
        if kind != FileType::RegularFile {
            return Err(refused(last, kind, "a regular file"));
        }
        let (other, _) = other.parent(name)?;
        Ok(rustix::fs::linkat(
            parent,
            last,
            other,
            last,
            AtFlags::empty(),
        )?)
    }

    /// How many names the file has.
    pub(crate) fn link_count(&self, name: &str) -> io::Result<u64> {
        let (parent, last) = self.parent(name)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = rustix::fs::openat(parent, last, flags, Mode::empty())?;
        Ok(fs::File::from(found).metadata()?.nlink())
    }

    /// Makes the entries of a directory durable; "" is the root.
    pub(crate) fn sync_directory(&self, name: &str) -> io::Result<()> {
        fs::File::from(self.to_read(name)?).sync_all()
    }

    /// A directory opened to read its entries.
    fn to_read(&self, name: &str) -> io::Result<OwnedFd> {
        if name.is_empty() {
            return open_directory(self.root.as_fd(), ".", OFlags::RDONLY);
        }
        let (parent, last) = self.parent(name)?;
        open_directory(parent.as_fd(), last, OFlags::RDONLY)
    }
}

fn open_directory(above: BorrowedFd<'_>, name: &str, access: OFlags) -> io::Result<OwnedFd> {
    let flags = access | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(above, name, flags, Mode::empty())
        .map_err(|error| told(above, name, error, "a directory"))
}

const fn kind_of(found: &Stat) -> FileType {
    FileType::from_raw_mode(found.st_mode)
}

/// What stands there if that is why it could not be opened, else the error.
fn told(parent: BorrowedFd<'_>, name: &str, error: Errno, expected: &str) -> io::Error {
    if !matches!(
        error,
        Errno::LOOP | Errno::NOTDIR | Errno::NXIO | Errno::ISDIR
    ) {
        return error.into();
    }
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => refused(name, kind_of(&found), expected),
        Err(_) => error.into(),
    }
}

fn refused(name: &str, found: FileType, expected: &str) -> io::Error {
    let found = match found {
        FileType::Symlink if expected == "a directory" => {
            return io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{name:?} is a symbolic link, and none is followed inside a data directory; \
                     to have it on another device mount that there (such as by mount --bind)"
                ),
            );
        }
        FileType::Symlink => "a symbolic link, and none is followed inside a data directory",
        FileType::Directory => "a directory",
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::RegularFile => "a regular file",
        FileType::Unknown => "of an unknown kind",
    };
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{name:?} is {found}; {expected} belongs there: move it away"),
    )
}

#[cfg(test)]
mod tests;
