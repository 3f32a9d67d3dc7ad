//! More data than memory.

use super::support::{Daemon, eventually, field};

const KEYS: usize = 20_000;

fn value(index: usize) -> String {
    // Nothing that compresses well, so that the memory limit is felt.
    let mut state = index as u64;
    (0..60)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(99);
            format!("{:08x}", state >> 32)
        })
        .collect()
}

#[test]
fn cold_values_are_read_back_in_pipelines_and_after_a_restart() {
    let mut daemon = Daemon::start(&["--maxmemory", "6mb"]);
    for round in 0..2 {
        let mut client = daemon.client();
        if round == 0 {
            for chunk in 0..KEYS / 500 {
                let mut pipeline = redis::pipe();
                for index in chunk * 500..(chunk + 1) * 500 {
                    pipeline.set(format!("key:{index}"), value(index)).ignore();
                }
                let () = pipeline.query(&mut client).unwrap();
            }
            let mut raw = daemon.connect();
            assert_eq!(raw.ask("save"), "+OK");
            eventually(&true, || {
                field(&raw.bulk("info tiering"), "tier_cold_keys") != "0"
            });
        }
        // Neighbours in a pipeline lie on different pages.
        for chunk in 0..KEYS / 100 {
            let mut pipeline = redis::pipe();
            let indexes = (0..100).map(|step| (chunk + step * 211) % KEYS);
            for index in indexes.clone() {
                pipeline.get(format!("key:{index}"));
            }
            let values: Vec<String> = pipeline.query(&mut client).unwrap();
            for (index, found) in indexes.zip(values) {
                assert!(found == value(index), "key:{index} in round {round}");
            }
        }
        let mut raw = daemon.connect();
        assert_eq!(raw.ask("dbsize"), format!(":{KEYS}"));
        assert_ne!(field(&raw.bulk("info tiering"), "tier_reads"), "0");
        // One command over many cold keys, one in a transaction, one on a missing key.
        let mut several = redis::cmd("MGET");
        (0..200).for_each(|index| {
            several.arg(format!("key:{}", index * 97));
        });
        let values: Vec<String> = several.query(&mut client).unwrap();
        assert!(
            values
                .iter()
                .enumerate()
                .all(|(index, found)| *found == value(index * 97))
        );
        raw.send("multi\r\nstrlen key:1\r\nstrlen key:19999\r\nexists nothing\r\nexec\r\n");
        raw.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:480\r\n:480\r\n:0\r\n");
        if round == 0 {
            daemon.kill_and_restart();
        }
    }
}

/// The pages of all keys are more than one command may hold at once.
#[test]
fn keys_names_more_keys_than_pages_fit_the_memory() {
    const PAGES: usize = 24_000;
    let daemon = Daemon::start(&["--maxmemory", "32mb"]);
    let mut client = daemon.client();

    for chunk in 0..PAGES / 400 {
        let mut pipeline = redis::pipe();
        for index in chunk * 400..(chunk + 1) * 400 {
            // Nothing that compresses: a page takes one of them.
            let mut random = thermocline_base::Random::new(index as u64);
            let bytes: Vec<u8> = (0..3000).map(|_| random.next_u64() as u8).collect();
            pipeline.set(format!("key:{index}"), bytes).ignore();
        }
        let () = pipeline.query(&mut client).unwrap();
    }
    let mut raw = daemon.connect();
    let cold: usize = field(&raw.bulk("info tiering"), "tier_cold_keys")
        .parse()
        .unwrap();
    assert!(cold > PAGES * 3 / 4, "{cold} keys are cold");
    let mut names: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut client).unwrap();
    assert_eq!(names.len(), PAGES);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), PAGES);
    let some: Vec<String> = redis::cmd("KEYS")
        .arg("key:123?")
        .query(&mut client)
        .unwrap();
    let expected: Vec<String> = (1230..1240).map(|index| format!("key:{index}")).collect();
    assert_eq!(some, expected);
}
