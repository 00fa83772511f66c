//! What is left of a line, and how words are cut from it.

/// What is left of a line.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'t> {
    rest: &'t str,
}

/// What a word is, which says where it ends without quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A rule's name: ends before a colon.
    Name,
    /// An attribute or an operator: ends before a comparison.
    Attribute,
    /// A value or a variant.
    Value,
}

/// A word, and whether it stood in quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(rest: &'t str) -> Self {
        Self { rest }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.trim().is_empty()
    }

    /// Takes a symbol if it is next.
    pub(super) fn take(&mut self, symbol: &str) -> bool {
        match self.rest.trim_start().strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes a symbol if it is next without a space before it, and with one after it.
    pub(super) fn take_close(&mut self, symbol: &str) -> bool {
        let after = self.rest.strip_prefix(symbol);
        after.is_some_and(|after| after.starts_with(char::is_whitespace)) && self.take(symbol)
    }

    /// Takes a word of the language if it is next, and whole.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let after = self.rest.trim_start().strip_prefix(word);
        after.is_some_and(|after| after.starts_with(|c: char| c.is_whitespace() || c == '"')) && self.take(word)
    }

    pub(super) fn expect(&mut self, symbol: &str, place: &str) -> Result<(), String> {
        if self.take(symbol) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{symbol}` {place}")))
        }
    }

    /// What was expected, and before what.
    pub(super) fn expected(&self, what: &str) -> String {
        match self.rest.trim() {
            "" => format!("expected {what} at the end"),
            rest => format!("expected {what} before `{rest}`"),
        }
    }

    /// The next word; it is not empty, save in quotes.
    pub(super) fn word(&mut self, what: &str, place: Place) -> Result<Word, String> {
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('"') {
            return self.quoted();
        }
        let end = self.rest.find(|c| stops(c, place)).unwrap_or(self.rest.len());
        let end = self.rest.find("->").map_or(end, |arrow| arrow.min(end));
        if end == 0 {
            return Err(self.expected(what));
        }
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Word {
            text: text.into(),
            quoted: false,
        })
    }

    fn quoted(&mut self) -> Result<Word, String> {
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(Word { text, quoted: true });
                }
                '\\' => match letters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    _ => return Err("in quotes, `\\` stands only before `\"` or `\\`".into()),
                },
                _ => text.push(letter),
            }
        }
        Err(format!("the quotes are not closed in `{}`", self.rest))
    }
}

/// Whether a letter ends a word that is not in quotes.
pub(super) fn stops(letter: char, place: Place) -> bool {
    let ends = letter.is_whitespace() || matches!(letter, '=' | ',' | '"');
    match place {
        Place::Name => ends || letter == ':',
        Place::Attribute => ends || matches!(letter, '!' | '<' | '>' | '~' | '^' | '/'),
        Place::Value => ends,
    }
}
