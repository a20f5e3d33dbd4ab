//! A Rust file as tokens: enough to tell code from comments and strings, test code from the rest, and where functions
//! begin and end. Not a parser: the compiler has already accepted the file.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Number,
    /// The text is the literal's content, without quotes and with escapes as written.
    Str,
    Char,
    Lifetime,
    Mark,
}

/// A token, with the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) line: usize,
    /// Inside an item under `#[cfg(test)]` or a function under `#[test]`.
    pub(crate) test: bool,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Mark) && self.text == text
    }
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first_line: usize,
    pub(crate) last_line: usize,
    /// Marked `#[test]` (also inside `proptest!`) or `#[tokio::test]`.
    pub(crate) is_test: bool,
    /// Inside test code.
    pub(crate) in_test: bool,
    /// Its tokens, from `fn` to the closing brace.
    pub(crate) tokens: std::ops::Range<usize>,
}

/// A file's tokens and functions.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) tokens: Vec<Token>,
    pub(crate) functions: Vec<Function>,
    pub(crate) lines: usize,
    /// Names of modules declared as `#[cfg(test)] mod name;`: their files are test code.
    pub(crate) test_modules: Vec<String>,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let mut tokens = Lexer::new(text).run();
        let test_modules = mark_tests(&mut tokens);
        let functions = functions(&tokens);
        Self { tokens, functions, lines: text.lines().count(), test_modules }
    }

    /// The tokens between the brackets of every call of the macro `name`.
    pub(crate) fn macro_bodies(&self, name: &str) -> Vec<std::ops::Range<usize>> {
        let calls = (0..self.tokens.len()).filter(|at| self.matches(*at, &[name, "!"]));
        calls.map(|at| self.group(at + 2)).collect()
    }

    /// The tokens of the brackets that open at `open`, both included.
    pub(crate) fn group(&self, open: usize) -> std::ops::Range<usize> {
        open..after_group(&self.tokens, open)
    }

    /// Whether the words and marks at `at` are exactly these.
    pub(crate) fn matches(&self, at: usize, wanted: &[&str]) -> bool {
        is_sequence(&self.tokens, at, wanted)
    }
}

fn is_sequence(tokens: &[Token], at: usize, wanted: &[&str]) -> bool {
    wanted.iter().enumerate().all(|(i, w)| tokens.get(at + i).is_some_and(|t| t.is(w)))
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0, line: 1, tokens: Vec::new() }
    }

    fn run(mut self) -> Vec<Token> {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'/' if self.peek(1) == Some(b'/') => self.skip_while(|b| b != b'\n'),
                b'/' if self.peek(1) == Some(b'*') => self.block_comment(),
                b'"' => self.string(),
                b'\'' => self.quote(),
                b if b.is_ascii_digit() => self.number(),
                b if is_word(b) => self.word(),
                b if b.is_ascii_whitespace() => self.step(),
                _ => {
                    let (start, line) = (self.at, self.line);
                    self.step();
                    self.push(Kind::Mark, start, self.at, line);
                }
            }
        }
        self.tokens
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn step(&mut self) {
        if self.peek(0) == Some(b'\n') {
            self.line += 1;
        }
        self.at += 1;
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.step();
        }
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize, line: usize) {
        let text = String::from_utf8_lossy(&self.text[start..end.min(self.text.len())]).into_owned();
        self.tokens.push(Token { kind, text, line, test: false });
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.peek(0).is_some() {
            match (self.peek(0), self.peek(1)) {
                (Some(b'/'), Some(b'*')) => (depth, self.at) = (depth + 1, self.at + 2),
                (Some(b'*'), Some(b'/')) => (depth, self.at) = (depth - 1, self.at + 2),
                _ => self.step(),
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        let line = self.line;
        self.step();
        let start = self.at;
        while self.peek(0).is_some_and(|b| b != b'"') {
            if self.peek(0) == Some(b'\\') {
                self.step();
            }
            self.step();
        }
        self.push(Kind::Str, start, self.at, line);
        self.step();
    }

    fn raw_string(&mut self) {
        let line = self.line;
        let hashes_from = self.at;
        self.skip_while(|b| b == b'#');
        let hashes = self.at - hashes_from;
        self.step();
        let start = self.at;
        let closes =
            |lexer: &Self| lexer.peek(0) == Some(b'"') && (1..=hashes).all(|i| lexer.peek(i) == Some(b'#'));
        while self.peek(0).is_some() && !closes(self) {
            self.step();
        }
        self.push(Kind::Str, start, self.at, line);
        self.at += 1 + hashes;
    }

    // A character literal, or a lifetime: 'a' against 'a.
    fn quote(&mut self) {
        let (start, line) = (self.at, self.line);
        let lifetime =
            self.peek(1).is_some_and(is_word) && self.peek(2) != Some(b'\'') && self.peek(1) < Some(0x80);
        self.step();
        if lifetime {
            self.skip_while(is_word);
            return self.push(Kind::Lifetime, start, self.at, line);
        }
        while self.peek(0).is_some_and(|b| b != b'\'') {
            if self.peek(0) == Some(b'\\') {
                self.step();
            }
            self.step();
        }
        self.step();
        self.push(Kind::Char, start, self.at, line);
    }

    fn number(&mut self) {
        let (start, line) = (self.at, self.line);
        // After a point this is a field of a tuple: `pair.0.1` holds no fraction.
        let field = self.tokens.last().is_some_and(|t| t.is("."));
        self.skip_while(is_word);
        let fraction = self.peek(0) == Some(b'.') && self.peek(1).is_some_and(|b| b.is_ascii_digit());
        if fraction && !field {
            self.step();
            self.skip_while(is_word);
        }
        self.push(Kind::Number, start, self.at, line);
    }

    fn word(&mut self) {
        let (start, line) = (self.at, self.line);
        self.skip_while(is_word);
        let prefix = &self.text[start..self.at];
        match (prefix, self.peek(0)) {
            (b"r" | b"br" | b"cr", Some(b'"' | b'#')) if self.begins_raw() => self.raw_string(),
            (b"b" | b"c", Some(b'"')) => self.string(),
            (b"b", Some(b'\'')) => self.quote(),
            _ => self.push(Kind::Word, start, self.at, line),
        }
    }

    // `r#"..."#` against the raw identifier `r#type`.
    fn begins_raw(&self) -> bool {
        let hashes = (0..).take_while(|i| self.peek(*i) == Some(b'#')).count();
        self.peek(hashes) == Some(b'"')
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The token after the bracket that closes the one at `open`.
fn after_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        if token.kind != Kind::Mark {
            continue;
        }
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// The token after the item that begins at `start` (attributes included), and whether it ended in `;`.
fn after_item(tokens: &[Token], start: usize) -> (usize, bool) {
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        at = match token.text.as_str() {
            "#" if token.kind == Kind::Mark => after_group(tokens, at + 1),
            "(" | "[" if token.kind == Kind::Mark => after_group(tokens, at),
            "{" if token.kind == Kind::Mark => return (after_group(tokens, at), false),
            ";" if token.kind == Kind::Mark => return (at + 1, true),
            _ => at + 1,
        };
    }
    (at, false)
}

const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
const CFG_ALL_TEST: [&str; 7] = ["#", "[", "cfg", "(", "all", "(", "test"];
const TEST: [&str; 4] = ["#", "[", "test", "]"];
const TOKIO_TEST: [&str; 6] = ["#", "[", "tokio", ":", ":", "test"];

fn mark_tests(tokens: &mut [Token]) -> Vec<String> {
    let mut modules = Vec::new();
    for i in 0..tokens.len() {
        let gate =
            [&CFG_TEST[..], &CFG_ALL_TEST, &TEST, &TOKIO_TEST].iter().any(|s| is_sequence(tokens, i, s));
        if !gate {
            continue;
        }
        let (end, declared) = after_item(tokens, i);
        if declared && let Some(at) = (i..end).find(|at| tokens[*at].is("mod")) {
            modules.extend(tokens.get(at + 1).map(|t| t.text.clone()));
        }
        tokens[i..end].iter_mut().for_each(|t| t.test = true);
    }
    modules
}

fn functions(tokens: &[Token]) -> Vec<Function> {
    let mut found = Vec::new();
    let mut marked_test = false;
    for (i, token) in tokens.iter().enumerate() {
        if is_sequence(tokens, i, &TEST) || is_sequence(tokens, i, &TOKIO_TEST) {
            marked_test = true;
        }
        let named = token.is("fn") && tokens.get(i + 1).is_some_and(|t| t.kind == Kind::Word);
        if !named {
            continue;
        }
        let (end, declared) = after_item(tokens, i);
        if !declared && end > i {
            found.push(Function {
                name: tokens[i + 1].text.clone(),
                first_line: token.line,
                last_line: tokens[end - 1].line,
                is_test: marked_test,
                in_test: token.test,
                tokens: i..end,
            });
        }
        marked_test = false;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Source::new(text).tokens.into_iter().map(|t| t.text).collect()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        assert_eq!(words("a // f64\n/* f64 /* f64 */ */ b"), ["a", "b"]);
        for text in ["\"f64 \\\" f64\"", "r#\"f64 \" f64\"#", "b\"f64\"", "br\"f64\""] {
            let tokens = Source::new(text).tokens;
            assert_eq!(tokens.len(), 1, "{text}");
            assert_eq!(tokens[0].kind, Kind::Str, "{text}");
        }
        assert_eq!(words("'\\'' 'x' 'é' '\"' a"), ["'\\''", "'x'", "'é'", "'\"'", "a"]);
        assert_eq!(words("fn f<'a>(x: &'a str)")[3], "'a");
        assert_eq!(words("r#type")[0], "r");
    }

    #[test]
    fn numbers_keep_their_fraction_and_tuples_have_none() {
        assert_eq!(words("1.5 0..5 x.0.1 1.max(2)").join(" "), "1.5 0 . . 5 x . 0 . 1 1 . max ( 2 )");
    }

    #[test]
    fn lines_survive_strings_and_comments() {
        let tokens = Source::new("\"a\nb\"\n/*\n*/ x").tokens;
        assert_eq!(tokens.last().map(|t| t.line), Some(4));
    }

    #[test]
    fn test_code_is_marked() {
        let s = Source::new(
            "fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\nfn c() {}\n#[cfg(test)]\nmod laws;",
        );
        let marks: Vec<_> = s.functions.iter().map(|f| (f.name.as_str(), f.in_test)).collect();
        assert_eq!(marks, [("a", false), ("b", true), ("c", false)]);
        assert_eq!(s.test_modules, ["laws"]);
        let not = Source::new("#[cfg(any(test, feature = \"x\"))] fn a() {}");
        assert!(!not.functions[0].in_test, "compiled outside tests too");
    }

    #[test]
    fn tests_are_told_from_helpers() {
        let s = Source::new(
            "fn helper() { let f = |x| { x }; } proptest! { #[test]\n#[ignore] fn law(x in 0..5) { } } fn t(&self);",
        );
        let marks: Vec<_> = s.functions.iter().map(|f| (f.name.as_str(), f.is_test)).collect();
        assert_eq!(marks, [("helper", false), ("law", true)]);
    }
}
