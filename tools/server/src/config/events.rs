//! The classes of `notify-keyspace-events`.
//!
//! Owns their letters. Does not know what becomes of an event. Pure functions, any thread.

use thermocline_store::EventClass;

/// The letters that `A` stands for, in the order they are shown in, and the one for new keys.
const CLASSES: [(char, EventClass); 11] = [
    ('g', EventClass::Generic),
    ('$', EventClass::String),
    ('l', EventClass::List),
    ('s', EventClass::Set),
    ('h', EventClass::Hash),
    ('z', EventClass::SortedSet),
    ('x', EventClass::Expired),
    ('e', EventClass::Evicted),
    ('t', EventClass::Stream),
    ('d', EventClass::Module),
    ('n', EventClass::New),
];
/// How many of them `A` stands for.
const ALL: usize = 10;

/// Which events are published and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Events {
    /// A bit for each of `CLASSES`.
    classes: u16,
    misses: bool,
    /// On the channel of the key: `K`.
    pub(crate) by_key: bool,
    /// On the channel of the event: `E`.
    pub(crate) by_event: bool,
}

impl Events {
    /// Reads the letters; `None` if one is unknown.
    pub(crate) fn parse(letters: &str) -> Option<Self> {
        let mut events = Self::default();
        for letter in letters.chars() {
            match letter {
                'A' => events.classes |= (1 << ALL) - 1,
                'K' => events.by_key = true,
                'E' => events.by_event = true,
                'm' => events.misses = true,
                _ => {
                    let class = CLASSES.iter().position(|(known, _)| *known == letter)?;
                    events.classes |= 1 << class;
                }
            }
        }
        Some(events)
    }

    /// The letters in their one order.
    pub(crate) fn letters(self) -> String {
        let all = (1 << ALL) - 1;
        let has_all = self.classes & all == all;
        let mut letters = String::new();
        if has_all {
            letters.push('A');
        }
        for (class, (letter, _)) in CLASSES.iter().enumerate() {
            // Valkey does not show `n` behind `A`, and so loses it when it rewrites its file.
            let is_shown = !(has_all && class < ALL);
            if is_shown && self.classes & (1 << class) != 0 {
                letters.push(*letter);
            }
        }
        for (is_set, letter) in [(self.by_key, 'K'), (self.by_event, 'E'), (self.misses, 'm')] {
            if is_set {
                letters.push(letter);
            }
        }
        letters
    }

    /// The classes to ask the store for: none if there is no channel for them.
    pub(crate) fn classes(self) -> Vec<EventClass> {
        if !self.by_key && !self.by_event {
            return Vec::new();
        }
        let classes = CLASSES.iter().enumerate();
        let mut asked: Vec<EventClass> = classes
            .filter(|(class, _)| self.classes & (1 << class) != 0)
            .map(|(_, (_, class))| *class)
            .collect();
        if self.misses {
            asked.push(EventClass::Miss);
        }
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_one_order_and_a_stands_for_ten() {
        for (given, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("AKE", "AKE"),
            ("KEg$lshzxe", "g$lshzxeKE"),
            ("g$lshzxetdKE", "AKE"),
            ("mn", "nm"),
            ("Kx", "xK"),
            ("mKEA", "AKEm"),
            ("nKEA", "AnKE"),
        ] {
            assert_eq!(Events::parse(given).unwrap().letters(), shown, "{given}");
        }
        assert_eq!(Events::parse("foo"), None);
    }

    #[test]
    fn nothing_is_asked_for_without_a_channel() {
        let classes = |letters: &str| Events::parse(letters).unwrap().classes();
        assert_eq!(classes("A"), []);
        assert_eq!(classes("Kxm"), [EventClass::Expired, EventClass::Miss]);
        assert_eq!(classes("EA").len(), 10);
    }
}
