// SPDX-License-Identifier: GPL-2.0

//! Shows that a long step lives: a bar on a terminal, a plain line now and then elsewhere.

use std::io::stderr;
use std::io::IsTerminal;
use std::time::Duration;
use std::time::Instant;

use indicatif::ProgressBar;
use indicatif::ProgressStyle;

/// Seconds between two plain lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(15);

/// Progress of one step; silent until the step has taken a second.
pub struct Progress {
    what: String,
    total: Option<u64>,
    started: Instant,
    last_plain: Instant,
    terminal: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// `total` is the expected count, if one is known.
    pub fn new(what: &str, total: Option<u64>) -> Self {
        let now = Instant::now();
        Self {
            what: what.to_owned(),
            total,
            started: now,
            last_plain: now,
            terminal: stderr().is_terminal(),
            bar: None,
        }
    }

    /// Reports `done` lines so far, the last of which is `current`.
    pub fn update(&mut self, done: u64, current: &str) {
        if self.terminal {
            if self.bar.is_none() && self.started.elapsed() > Duration::from_secs(1) {
                self.bar = Some(new_bar(&self.what, self.total));
            }
            if let Some(bar) = &self.bar {
                // The total is an estimate: never show more than all of it.
                bar.set_position(self.total.map_or(done, |total| done.min(total)));
                bar.set_message(current.to_owned());
            }
        } else if self.last_plain.elapsed() >= PLAIN_INTERVAL {
            self.last_plain = Instant::now();
            eprintln!("{}", self.plain(done));
        }
    }

    /// Removes the bar.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn plain(&self, done: u64) -> String {
        let seconds = self.started.elapsed().as_secs();
        let (min, sec) = (seconds / 60, seconds % 60);
        match self.total {
            Some(total) => format!(
                "    {}: {done} of about {total} steps, {min}:{sec:02}",
                self.what
            ),
            None => format!("    {}: {min}:{sec:02}", self.what),
        }
    }
}

fn new_bar(what: &str, total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "    {prefix} [{bar:30}] {pos}/{len} {elapsed} {wide_msg}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "    {prefix} {spinner} {elapsed} {wide_msg}",
        ),
    };
    // The template is a constant; were it wrong, the default style would still serve.
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    bar.set_style(style);
    bar.set_prefix(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_name_step_count_and_time() {
        let progress = Progress::new("build x", Some(10));
        assert_eq!(progress.plain(4), "    build x: 4 of about 10 steps, 0:00");
        let progress = Progress::new("fetch y", None);
        assert_eq!(progress.plain(4), "    fetch y: 0:00");
    }
}
