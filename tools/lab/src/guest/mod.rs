// SPDX-License-Identifier: GPL-2.0

//! What a guest is given and what it leaves behind: its shares on the host.

mod assets;
mod boot;
mod cmdline;
mod modules;
mod results;
mod rundir;
mod selftests;
mod test_modules;
mod verbs;

pub use assets::Assets;
pub use boot::boot;
pub use boot::Boot;
pub use boot::Outcome;
pub use modules::depmod;
pub use modules::guest_modules;
pub use modules::IN_CXL_TEST;
pub use results::Block;
pub use results::Capture;
pub use results::DaxDevice;
pub use results::LoadedModule;
pub use results::RegionState;
pub use results::Results;
pub use rundir::RunDir;
pub use selftests::list as selftest_list;
pub use selftests::selftests;
pub use test_modules::test_modules;
pub use verbs::Verb;
pub use verbs::Verbs;
