// SPDX-License-Identifier: GPL-2.0

//! What is wrong with a scenario file, and in which line.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

use toml::Spanned;

/// All that is wrong with one file.
#[derive(Debug)]
pub struct Faults {
    path: PathBuf,
    text: String,
    faults: Vec<(usize, String)>,
}

impl Faults {
    /// No faults yet.
    pub fn new(path: &Path, text: &str) -> Self {
        Self {
            path: path.to_path_buf(),
            text: text.to_owned(),
            faults: Vec::new(),
        }
    }

    /// A file that TOML or the format itself refuses.
    pub fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let mut faults = Self::new(path, text);
        faults.add(error.span().unwrap_or(0..0), error.message());
        faults
    }

    /// Notes a fault at `span` of the text.
    pub fn add(&mut self, span: Range<usize>, reason: impl Into<String>) {
        let end = span.start.min(self.text.len());
        let line = 1 + self.text.as_bytes()[..end]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        self.faults.push((line, reason.into()));
    }

    /// Notes a fault at a value.
    pub fn at<T>(&mut self, value: &Spanned<T>, reason: impl Into<String>) {
        self.add(value.span(), reason);
    }

    /// `value`, unless there were faults.
    pub fn into_result<T>(mut self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => {
                self.faults.sort();
                Err(self)
            }
        }
    }

    /// True if nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (line, reason)) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{line}: {reason}", self.path.display())?;
        }
        Ok(())
    }
}

impl Error for Faults {}
