//! Table entries of the commands on positions.
//!
//! Owns the static facts a client can ask for with `COMMAND INFO` and `COMMAND DOCS`; it
//! does not own handlers. Invariant: entries, and the subcommands of an entry, are sorted
//! by name. Read-only, so any thread may read it.

use crate::table::{Category, Command, Flag, Group, KeyFlag, KeySpec};

/// The entries of this family, sorted by name.
pub(super) static COMMANDS: &[Command] = &[
    Command::new("geoadd", -5, Group::Geo, "3.2.0",
            "Adds one or more members to a geospatial index. The key is created if it doesn't exist.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Geo, Category::Slow, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadWrite, KeyFlag::Update])]),
    Command::new("geodist", -4, Group::Geo, "3.2.0",
            "Returns the distance between two members of a geospatial index.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Geo, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("geohash", -2, Group::Geo, "3.2.0",
            "Returns members from a geospatial index as geohash strings.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Geo, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("geopos", -2, Group::Geo, "3.2.0",
            "Returns the longitude and latitude of members from a geospatial index.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Geo, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("georadius", -6, Group::Geo, "3.2.0",
            "Queries a geospatial index for members within a distance from a coordinate, optionally stores the result.")
        .flags(&[Flag::Denyoom, Flag::Movablekeys, Flag::Write])
        .categories(&[Category::Geo, Category::Slow, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]), KeySpec::store_option("STORE", 6, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::store_option("STOREDIST", 6, &[KeyFlag::Overwrite, KeyFlag::Update])]),
    Command::new("georadius_ro", -6, Group::Geo, "3.2.10",
            "Returns members from a geospatial index that are within a distance from a coordinate.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Geo, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("georadiusbymember", -5, Group::Geo, "3.2.0",
            "Queries a geospatial index for members within a distance from a member, optionally stores the result.")
        .flags(&[Flag::Denyoom, Flag::Movablekeys, Flag::Write])
        .categories(&[Category::Geo, Category::Slow, Category::Write])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access]), KeySpec::store_option("STORE", 5, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::store_option("STOREDIST", 5, &[KeyFlag::Overwrite, KeyFlag::Update])]),
    Command::new("georadiusbymember_ro", -5, Group::Geo, "3.2.10",
            "Returns members from a geospatial index that are within a distance from a member.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Geo, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("geosearch", -7, Group::Geo, "6.2.0",
            "Queries a geospatial index for members inside an area of a box, circle, or a polygon.")
        .flags(&[Flag::Readonly])
        .categories(&[Category::Geo, Category::Read, Category::Slow])
        .legacy_range(1, 1, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
    Command::new("geosearchstore", -8, Group::Geo, "6.2.0",
            "Queries a geospatial index for members inside an area of a box, a circle, or a polygon, optionally stores the result.")
        .flags(&[Flag::Denyoom, Flag::Write])
        .categories(&[Category::Geo, Category::Slow, Category::Write])
        .legacy_range(1, 2, 1)
        .keys(&[KeySpec::range(1, 0, 1, &[KeyFlag::Overwrite, KeyFlag::Update]), KeySpec::range(2, 0, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])]),
];
