//! Tests of the table: its invariants, and known answers of Valkey 9.1.2.
//!
//! Owns no data; single-threaded.

use proptest::prelude::*;

use super::*;

fn words(line: &str) -> Vec<&[u8]> {
    line.split(' ').map(str::as_bytes).collect()
}

#[test]
fn an_entry_stands_at_its_index() {
    for (place, command) in entries().enumerate() {
        assert_eq!(command.index, place, "{}", command.name);
    }
}

#[test]
fn names_are_sorted_unique_and_lower_case() {
    assert!(all().windows(2).all(|pair| pair[0].name < pair[1].name));
    for command in entries() {
        assert_eq!(command.name, command.name.to_ascii_lowercase());
        assert!(command.name.len() <= NAME_LIMIT_BYTES);
        assert!(
            command
                .subcommands
                .windows(2)
                .all(|pair| pair[0].name < pair[1].name)
        );
        let prefix = format!("{}|", command.name);
        assert!(
            command
                .subcommands
                .iter()
                .all(|sub| sub.name.starts_with(&prefix))
        );
    }
}

#[test]
fn flags_agree_with_categories_and_keys() {
    for command in entries() {
        let flags = command.flags;
        let categories = command.categories;
        assert_eq!(
            flags.contains(Flag::Write),
            categories.contains(Category::Write)
        );
        assert_ne!(
            categories.contains(Category::Fast),
            categories.contains(Category::Slow),
            "{}",
            command.name
        );
        assert_eq!(
            flags.contains(Flag::Fast),
            categories.contains(Category::Fast)
        );
        assert!(!(flags.contains(Flag::Write) && flags.contains(Flag::Readonly)));
        if flags.contains(Flag::Denyoom) {
            assert!(
                flags.contains(Flag::Write) || command.keys.is_empty(),
                "{}",
                command.name
            );
        }
        if flags.contains(Flag::Admin) {
            assert!(categories.contains(Category::Dangerous), "{}", command.name);
        }
        if flags.contains(Flag::Readonly) {
            for spec in command.keys {
                // PFCOUNT keeps what it counted.
                let reads = spec.flags.contains(KeyFlag::ReadOnly) || command.name == "pfcount";
                assert!(reads, "{}", command.name);
            }
        }
    }
}

#[test]
fn shortest_request_of_each_command_has_its_first_key() {
    for command in entries() {
        if (command.keys.iter()).any(|spec| spec.flags.contains(KeyFlag::NotKey)) {
            continue;
        }
        let arguments = vec![b"1".as_slice(); command.arity.unsigned_abs() as usize];
        assert!(command.accepts(arguments.len()));
        let ranges = request_keys(command, &arguments);
        let first = ranges.first().map_or(0, |range| range.first);
        if !command.flags.contains(Flag::Movablekeys) {
            assert_eq!(
                first,
                usize::try_from(command.first_key).unwrap(),
                "{}",
                command.name
            );
        }
        // The word that keys stand behind is not among these arguments.
        let mut specs = command.keys.iter();
        if specs.any(|spec| matches!(spec.search, KeySearch::Keyword { .. })) {
            continue;
        }
        // Nor are there any behind their number where it may be none.
        if command.flags.contains(Flag::NoMandatoryKeys) {
            continue;
        }
        assert_eq!(
            ranges.is_empty(),
            command.keys.is_empty(),
            "{}",
            command.name
        );
        assert_eq!(command.first_key == 0, command.key_step == 0);
    }
}

#[test]
fn lookup_ignores_case_and_refuses_subcommand_names() {
    assert_eq!(lookup(b"GeT").unwrap().name, "get");
    assert!(lookup(b"client|list").is_none());
    assert!(lookup(b"").is_none());
    assert!(lookup(&[b'a'; 4096]).is_none());
    assert_eq!(
        find(&words("CLIENT No-Evict on")).unwrap().name,
        "client|no-evict"
    );
    assert!(lookup(b"set").unwrap().is_write());
    assert!(!lookup(b"get").unwrap().is_write());
}

#[test]
fn known_entries_have_the_published_facts() {
    for (name, arity, first, last, step) in [
        ("get", 2, 1, 1, 1),
        ("set", -3, 1, 1, 1),
        ("mset", -3, 1, -1, 2),
        ("mget", -2, 1, -1, 1),
        ("copy", -3, 1, 2, 1),
        ("lcs", -3, 1, 2, 1),
        ("msetex", -4, 0, 0, 0),
        ("ping", -1, 0, 0, 0),
        ("hgetall", 2, 1, 1, 1),
    ] {
        let command = lookup(name.as_bytes()).unwrap();
        let found = (
            command.arity,
            command.first_key,
            command.last_key,
            command.key_step,
        );
        assert_eq!(found, (arity, first, last, step), "{name}");
    }
}

#[test]
fn requests_are_refused_in_the_words_of_valkey() {
    for (line, text) in [
        (
            "OBJECT FOO k",
            "ERR unknown subcommand 'FOO'. Try OBJECT HELP.",
        ),
        (
            "OBJECT",
            "ERR wrong number of arguments for 'object' command",
        ),
        (
            "OBJECT ENCODING",
            "ERR wrong number of arguments for 'object|encoding' command",
        ),
        ("GET a b", "ERR wrong number of arguments for 'get' command"),
        ("PING a b c", ""),
        (
            "foo",
            "ERR unknown command 'foo', with args beginning with: ",
        ),
        (
            "OBJECT|ENCODING k",
            "ERR unknown command 'OBJECT|ENCODING', with args beginning with: 'k' ",
        ),
    ] {
        match resolve(&words(line)) {
            Ok(command) => assert_eq!((text, command.name), ("", "ping")),
            Err(error) => assert_eq!(error.text(), text.as_bytes()),
        }
    }
    assert!(resolve::<&[u8]>(&[]).is_err());
}

#[test]
fn get_keys_answers_like_valkey() {
    for (line, expected) in [
        ("GET a", Ok(vec![1])),
        ("MSET a b c d", Ok(vec![1, 3])),
        ("MSET a b c", Ok(vec![1, 3])),
        ("MSETEX 2 a b c d", Ok(vec![2, 4])),
        ("MSETEX 2 a b c", Ok(vec![2, 4])),
        ("OBJECT ENCODING k", Ok(vec![2])),
        ("MEMORY USAGE k", Ok(vec![2])),
        ("COPY a b", Ok(vec![1, 2])),
        ("LCS a b LEN", Ok(vec![1, 2])),
        ("DEL a b c", Ok(vec![1, 2, 3])),
        ("FOO", Err(CommandError::InvalidCommand)),
        ("OBJECT FOO k", Err(CommandError::InvalidCommand)),
        ("OBJECT", Err(CommandError::NoKeyArguments)),
        ("PING", Err(CommandError::NoKeyArguments)),
        ("SWAPDB 1 2", Err(CommandError::NoKeyArguments)),
        ("GET", Err(CommandError::InvalidArgumentCount)),
        ("GET a b", Err(CommandError::InvalidArgumentCount)),
        ("MSETEX 9 a b c d", Err(CommandError::InvalidArguments)),
        ("XREAD COUNT 1 STREAMS a b 0 0", Ok(vec![4, 5])),
        ("XREADGROUP GROUP g streams STREAMS a >", Ok(vec![5])),
        (
            "XREADGROUP NOACK GROUP streams STREAMS STREAMS a >",
            Ok(vec![6]),
        ),
        ("XREAD FOO STREAMS a 0", Err(CommandError::InvalidArguments)),
        ("MSETEX 0 a b c d", Err(CommandError::InvalidArguments)),
        ("MSETEX x a b c d", Err(CommandError::InvalidArguments)),
        ("MSETEX -1 a b c d", Err(CommandError::InvalidArguments)),
        (
            "MSETEX 4611686018427387904 a b",
            Err(CommandError::InvalidArguments),
        ),
    ] {
        let found = get_keys(&words(line)).map(|ranges| {
            ranges
                .into_iter()
                .flat_map(KeyRange::positions)
                .collect::<Vec<_>>()
        });
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn set_reads_its_key_only_when_asked_to_return_it() {
    for (line, reads) in [
        ("SET a b", false),
        ("SET a get", false),
        ("SET a b Get", true),
    ] {
        let ranges = get_keys(&words(line)).unwrap();
        assert_eq!(
            ranges[0].flags.contains(KeyFlag::ReadWrite),
            reads,
            "{line}"
        );
        assert_eq!(
            ranges[0].flags.contains(KeyFlag::Overwrite),
            !reads,
            "{line}"
        );
    }
}

proptest! {
    #[test]
    fn key_positions_lie_inside_the_request(
        pick in any::<prop::sample::Index>(),
        rest in prop::collection::vec("-?[0-9]{1,19}|[a-z]{0,3}", 0..8),
    ) {
        let names: Vec<_> = entries().map(|command| command.name).collect();
        let mut request: Vec<String> = pick.get(&names).split('|').map(str::to_owned).collect();
        request.extend(rest);
        if let Some(command) = find(&request) {
            for position in request_keys(command, &request).into_iter().flat_map(KeyRange::positions) {
                prop_assert!(position > 0 && position < request.len());
            }
        }
    }
}
