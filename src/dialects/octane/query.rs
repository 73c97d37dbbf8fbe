//! The filter of a list: `"(workspace={id=1002})"`, `"(role={id=1007};workspace={id=1003})"`. In double
//! quotes as a whole, `;` is AND, braces lead into what a field refers to.
use std::fmt;

/// How deep braces and parentheses may nest.
const DEEPEST: usize = 8;

/// `path = value`: where braces lead, from the outside in, such as `["workspace", "id"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub path: Vec<String>,
    pub value: String,
}

/// What is wrong with a filter, and at which character of it, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub at: usize,
    pub expected: &'static str,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The query cannot be read at character {}: expected {}.", self.at, self.expected)
    }
}

/// The conditions of a filter; all of them hold.
pub fn parse(text: &str) -> Result<Vec<Condition>, SyntaxError> {
    let mut parser = Parser { text: text.chars().collect(), at: 0 };
    parser.expect('"', "a double quote around the whole query")?;
    let conditions = parser.all(&[], 0)?;
    parser.expect('"', "; or the closing double quote")?;
    if parser.at < parser.text.len() {
        return Err(parser.error("nothing behind the closing double quote"));
    }
    Ok(conditions)
}

struct Parser {
    text: Vec<char>,
    at: usize,
}

impl Parser {
    /// `one ; one ; ...`
    fn all(&mut self, within: &[String], depth: usize) -> Result<Vec<Condition>, SyntaxError> {
        let mut conditions = self.one(within, depth)?;
        while self.skip_spaces() == Some(';') {
            self.at += 1;
            conditions.extend(self.one(within, depth)?);
        }
        Ok(conditions)
    }

    /// `( all )` or `field = value` or `field = { all }`
    fn one(&mut self, within: &[String], depth: usize) -> Result<Vec<Condition>, SyntaxError> {
        if depth > DEEPEST {
            return Err(self.error("less nesting"));
        }
        if self.skip_spaces() == Some('(') {
            self.at += 1;
            let conditions = self.all(within, depth + 1)?;
            self.expect(')', "; or a closing parenthesis")?;
            return Ok(conditions);
        }
        let mut path = within.to_vec();
        path.push(self.word("the name of a field", |it| it.is_ascii_alphanumeric() || it == '_')?);
        self.expect('=', "an equals sign")?;
        if self.skip_spaces() == Some('{') {
            self.at += 1;
            let conditions = self.all(&path, depth + 1)?;
            self.expect('}', "; or a closing brace")?;
            return Ok(conditions);
        }
        let value = match self.skip_spaces() {
            // As Octane quotes texts.
            Some('^') => {
                self.at += 1;
                let text = self.take(|it| it != '^' && it != '"');
                self.expect('^', "a closing ^")?;
                text
            }
            _ => self.word("a value", |it| !it.is_whitespace() && !"\"(){};=^|!<>".contains(it))?,
        };
        Ok(vec![Condition { path, value }])
    }

    fn word(
        &mut self,
        expected: &'static str,
        allowed: impl Fn(char) -> bool,
    ) -> Result<String, SyntaxError> {
        self.skip_spaces();
        let word = self.take(allowed);
        if word.is_empty() { Err(self.error(expected)) } else { Ok(word) }
    }

    fn take(&mut self, allowed: impl Fn(char) -> bool) -> String {
        let word: String = self.text[self.at..].iter().take_while(|it| allowed(**it)).collect();
        self.at += word.chars().count();
        word
    }

    fn expect(&mut self, wanted: char, expected: &'static str) -> Result<(), SyntaxError> {
        if self.skip_spaces() != Some(wanted) {
            return Err(self.error(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// The next character that is no space.
    fn skip_spaces(&mut self) -> Option<char> {
        self.take(|it| it == ' ');
        self.text.get(self.at).copied()
    }

    fn error(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { at: self.at + 1, expected }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<String> {
        let conditions = parse(text).unwrap();
        conditions.iter().map(|it| format!("{}={}", it.path.join("."), it.value)).collect()
    }

    #[test]
    fn the_queries_of_the_document() {
        assert_eq!(read("\"(workspace={id=1002})\""), ["workspace.id=1002"]);
        let both = read("\"(role={id=1007};workspace={id=1003})\"");
        assert_eq!(both, ["role.id=1007", "workspace.id=1003"]);
        assert_eq!(read("\"(role={id=1015})\""), ["role.id=1015"]);
    }

    #[test]
    fn braces_and_parentheses_nest_and_semicolons_join() {
        assert_eq!(read("\"a={b={c=1;d=2};e=3};f=4\""), ["a.b.c=1", "a.b.d=2", "a.e=3", "f=4"]);
        assert_eq!(read("\"((a=1);(b=2))\""), ["a=1", "b=2"]);
        assert_eq!(read("\" ( a = 1 ) \""), ["a=1"]);
        assert_eq!(read("\"name=^DevOps Admin; (x)^\""), ["name=DevOps Admin; (x)"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        for (text, at) in [
            ("", 1),
            ("(workspace={id=1002})", 1),
            ("\"\"", 2),
            ("\"(workspace={id=1002}\"", 22),
            ("\"(workspace={id=1002)\"", 21),
            ("\"(workspace={id=})\"", 17),
            ("\"(=1)\"", 3),
            ("\"(id 1)\"", 6),
            ("\"id=1;\"", 7),
            ("\"id=1", 6),
            ("\"id=1\" or", 7),
            ("\"id=^x\"", 7),
            ("\"id=1||id=2\"", 6),
        ] {
            assert_eq!(parse(text).map_err(|it| it.at), Err(at), "{text}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = format!("\"{}a=1{}\"", "(".repeat(5_000), ")".repeat(5_000));
        assert_eq!(parse(&deep).unwrap_err().expected, "less nesting");
        assert!(parse(&format!("\"{}a=1{}\"", "(".repeat(8), ")".repeat(8))).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[\"(){};=^ a1\u{e4}]{0,40}") {
            let _ = parse(&text);
        }
    }
}
