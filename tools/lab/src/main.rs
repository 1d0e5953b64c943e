// SPDX-License-Identifier: GPL-2.0

//! The `lab` command: everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab::cli::main()
}
