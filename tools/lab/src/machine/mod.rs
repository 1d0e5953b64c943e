// SPDX-License-Identifier: GPL-2.0

//! The emulated machine: what QEMU is told, and the QEMU process itself.

mod accel;
mod hardware;
mod layout;
mod process;
mod qmp;
mod vm;

pub use accel::accelerator;
pub use hardware::arguments;
pub use layout::Layout;
pub use process::Guarded;
pub use qmp::qmp;
pub use vm::Ended;
pub use vm::Share;
pub use vm::Vm;
pub use vm::VmConfig;
