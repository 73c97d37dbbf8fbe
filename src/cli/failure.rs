//! Why a command did not do what it should: what a person reads, and what a script is told.

/// The exit codes, as `--help` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Refused by a rule, or anything else.
    Failed = 1,
    Usage = 2,
    /// Not authenticated, or without the scope.
    NotAllowed = 3,
    /// Not reached, or without an answer.
    Away = 4,
    NotFound = 5,
}

#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// What is printed.
    pub lines: Vec<String>,
    /// The word of the problem, if the server has told one.
    pub code: String,
    /// What the server points at.
    pub location: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self { exit, lines: vec![text.into()], code: String::new(), location: None }
    }

    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(Exit::Failed, text)
    }

    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    pub fn not_found(text: impl Into<String>) -> Self {
        Self::new(Exit::NotFound, text)
    }

    /// With one line more.
    pub fn line(mut self, text: impl Into<String>) -> Self {
        self.lines.push(text.into());
        self
    }

    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// A thing that is not there, told by its name; anything else as it is.
    pub fn or_missing(self, text: impl FnOnce() -> String) -> Self {
        if self.exit == Exit::NotFound { Self::not_found(text()) } else { self }
    }
}
