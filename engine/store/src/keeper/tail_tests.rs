//! What effects of the log's tail come to that no command would log as they are: those
//! from before a key was deleted, when the image had it no more.

use crate::access::KeyName;
use crate::effect::{Effect, KeyRef};
use crate::fault::{Fault, FaultSet};
use crate::store::{Store, StoreOptions};
use std::sync::Arc;
use thermocline_base::{Clock, DatabaseId};
use thermocline_disk::{Disk, SimulatedDisk};
use thermocline_types::Update;
use thermocline_wal::Policy;

const KEY: KeyRef<'static> = KeyRef {
    database: DatabaseId(0),
    key: b"key",
};

fn open(disk: &SimulatedDisk, seed: u64) -> Arc<Store> {
    let options = StoreOptions {
        log: Some(Policy::Always),
        tier: true,
        clock: Clock::system(),
        seed,
    };
    let opened = Store::open(Disk::simulated(disk.clone()), options);
    opened.expect("it opens").0
}

/// Whether the key is there after a restart behind a log of these effects.
fn after(effects: &[Effect<'_>]) -> Result<bool, String> {
    let disk = SimulatedDisk::new(1);
    let store = open(&disk, 1);
    for effect in effects {
        let mut bytes = Vec::new();
        effect.encode_into(&mut bytes);
        store.log.append(&bytes);
    }
    store.close(false).expect("it closes");
    let store = open(&disk, 2);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime starts").block_on(store.settled());
    let names = [KeyName {
        database: 0,
        key: KEY.key,
    }];
    let found = match store.access(&names, &FaultSet::new()) {
        Ok(access) => Ok(access.peek(0).is_some()),
        Err(Fault::Damaged(reason)) => Err(reason),
        Err(fault) => panic!("{fault:?}"),
    };
    store.close(false).expect("it closes");
    found
}

#[test]
fn effects_that_make_no_sense_are_void_before_a_delete_and_damage_without() {
    let mut update = Vec::new();
    let members = vec![&b"member"[..]];
    Update::SetRemove { members }.encode_into(&mut update);
    let take = Effect::Update {
        key: KEY,
        update: &update,
    };
    let delete = Effect::Delete { key: KEY };
    let form = thermocline_types::Form::StringBytes as u8;
    let put = Effect::Put {
        key: KEY,
        form,
        value: b"value",
        expiry: None,
    };
    assert_eq!(after(&[take, delete]), Ok(false));
    assert_eq!(after(&[take, take, put]), Ok(true));
    assert_eq!(after(&[put, delete, put]), Ok(true));
    after(&[take]).expect_err("there was no set");
    after(&[put, take]).expect_err("a string has no members");
}
