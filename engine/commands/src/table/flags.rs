//! The flag words of the command table and small sets of them.
//!
//! Owns the words and their spelling in `COMMAND INFO`; it does not own what a flag makes
//! the executor do. Invariant: a set holds one bit for each word. Read-only data.

macro_rules! words {
    ($(#[$doc:meta])* $word:ident, $(#[$set_doc:meta])* $set:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $word { $($(#[$variant_doc])* $variant,)* }

        impl $word {
            /// Every word, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The spelling clients see.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The word of that spelling, letter case ignored; `None` for an unknown one.
            #[must_use]
            pub fn from_name(name: &[u8]) -> Option<Self> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|word| word.name().as_bytes().eq_ignore_ascii_case(name))
            }
        }

        $(#[$set_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
        pub struct $set(u32);

        impl $set {
            /// The set of those words.
            #[must_use]
            pub const fn of(words: &[$word]) -> Self {
                let mut bits = 0;
                let mut index = 0;
                while index < words.len() {
                    bits |= 1 << words[index] as u8;
                    index += 1;
                }
                Self(bits)
            }

            /// Whether the word is in the set.
            #[must_use]
            pub const fn contains(self, word: $word) -> bool {
                self.0 & (1 << word as u8) != 0
            }

            /// The words of the set, in the order of declaration.
            pub fn iter(self) -> impl Iterator<Item = $word> {
                $word::ALL.iter().copied().filter(move |word| self.contains(*word))
            }
        }
    };
}

words! {
    /// What a command as a whole does or needs.
    Flag,
    /// A set of [`Flag`]s.
    Flags {
        /// Changes the data set.
        Write = "write",
        /// Reads keys and changes nothing.
        Readonly = "readonly",
        /// May take more memory: refused when memory is short.
        Denyoom = "denyoom",
        /// An administrator's command.
        Admin = "admin",
        /// Not allowed in scripts.
        Noscript = "noscript",
        /// May wait for an event.
        Blocking = "blocking",
        /// Allowed while the data set loads.
        Loading = "loading",
        /// Allowed on a stale replica.
        Stale = "stale",
        /// Left out of the command log.
        SkipCommandlog = "skip_commandlog",
        /// Constant or logarithmic time.
        Fast = "fast",
        /// Allowed before authentication.
        NoAuth = "no_auth",
        /// Not allowed while a replica loads in the background.
        NoAsyncLoading = "no_async_loading",
        /// Not allowed inside a transaction.
        NoMulti = "no_multi",
        /// Shown to those who monitor before it runs, by itself.
        SkipMonitor = "skip_monitor",
        /// May name no key at all where it names keys.
        NoMandatoryKeys = "no_mandatory_keys",
        /// Its key positions depend on its arguments.
        Movablekeys = "movablekeys",
        /// Allowed while a script overruns its time.
        AllowBusy = "allow_busy",
        /// On channels.
        Pubsub = "pubsub",
    }
}

words! {
    /// An access control category, spelled without the leading `@`.
    Category,
    /// A set of [`Category`] words.
    Categories {
        /// Works on keys of any type.
        Keyspace = "keyspace",
        /// Reads keys.
        Read = "read",
        /// Writes keys.
        Write = "write",
        /// On lists.
        List = "list",
        /// On positions.
        Geo = "geo",
        /// On hashes.
        Hash = "hash",
        /// On sets.
        Set = "set",
        /// On sorted sets.
        SortedSet = "sortedset",
        /// On strings.
        String = "string",
        /// On bits of strings.
        Bitmap = "bitmap",
        /// On HyperLogLogs.
        HyperLogLog = "hyperloglog",
        /// On streams.
        Stream = "stream",
        /// Administration.
        Admin = "admin",
        /// Constant or logarithmic time.
        Fast = "fast",
        /// Everything that is not fast.
        Slow = "slow",
        /// May wait for an event.
        Blocking = "blocking",
        /// Dangerous for the data or the server.
        Dangerous = "dangerous",
        /// On the connection.
        Connection = "connection",
        /// On transactions.
        Transaction = "transaction",
        /// On channels.
        Pubsub = "pubsub",
        /// On scripts and functions.
        Scripting = "scripting",
    }
}

words! {
    /// What a command does to one of its keys.
    KeyFlag,
    /// A set of [`KeyFlag`]s.
    KeyFlags {
        /// Reads the value, changes nothing.
        ReadOnly = "RO",
        /// Changes the value on the ground of what it holds.
        ReadWrite = "RW",
        /// Replaces the value unread.
        Overwrite = "OW",
        /// Removes the key unread.
        Remove = "RM",
        /// Returns or copies what the value holds.
        Access = "access",
        /// Changes the data of the value.
        Update = "update",
        /// Adds data without touching present data.
        Insert = "insert",
        /// Deletes data of the value.
        Delete = "delete",
        /// The other flags depend on the arguments.
        VariableFlags = "variable_flags",
        /// It is no key of the data set but is placed like one: a shard channel.
        NotKey = "not_key",
    }
}
