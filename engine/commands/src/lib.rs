//! The Redis commands of Thermocline.
//!
//! Owns the command table ([`table`]), the texts of client errors ([`error`]), pattern
//! matching ([`glob`]), the parsers of command options ([`arguments`]), the writing of
//! replies ([`reply`]), the handlers and what runs them ([`executor`]). It does not know
//! sockets, sessions, pages or frames.
//!
//! Use order: `error` stands alone, as does `glob`; `arguments` and `reply` use `error`;
//! `table` uses `arguments`; then come `blocking`, `context`, the handlers, `scripts` and `executor`. Nothing
//! here but `blocking` and `scripts` keeps state beyond a call; any thread may call it.

pub mod arguments;
pub mod blocking;
pub mod context;
pub mod error;
pub mod executor;
pub mod glob;
mod handlers;
pub mod reply;
mod reply_pieces;
mod reply_room;
pub mod scripts;
pub mod table;

pub use blocking::{Parked, Waiters, Woken};
pub use context::{Context, Failure, Handler};
pub use error::CommandError;
pub use executor::{
    Aside, Beside, Call, Done, Executor, NothingAside, Ran, ScriptRan, Scripted, Watched,
};
pub use reply::{Mark, ReplyBuffer, Version, Written};
pub use reply_room::ReplyRoom;
pub use scripts::{MachineLease, Scripts};
