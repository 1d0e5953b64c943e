// SPDX-License-Identifier: GPL-2.0

//! What dax_hmem uses that the `kernel` crate does not have: an abstraction for each C facility.
//!
//! Out of tree modules cannot share a crate, so each compiles what it uses of these files for itself.
//! All `unsafe` of the modules is here.
//!
//! | for | files |
//! |---|---|
//! | devices and drivers | `hmem_device`, `hmem_driver`, `hmem_resources`, `dax`, `synchronous`, `device_memo`, `device_id` |
//! | the iomem tree | `iomem`, `iomem_tree`, `memregion` |
//! | CXL seen from outside | `cxl_bus`, `cxl_decoder`, `cxl_watch`, `cxl_flush` |
//! | waiting and working | `workqueue`, `completion`, `probing`, `clock` |
//! | between drivers and module | `hmem_shared` |
//! | being seen and told | `attribute`, `debugfs_file`, `trace`, `param`, `range_list` |

pub mod attribute;
pub mod bindings;
pub mod clock;
pub mod completion;
#[cfg(CONFIG_DEV_DAX_CXL)]
pub mod cxl_bus;
#[cfg(CONFIG_DEV_DAX_CXL)]
pub mod cxl_decoder;
#[cfg(CONFIG_DEV_DAX_CXL)]
pub mod cxl_flush;
#[cfg(CONFIG_DEV_DAX_CXL)]
pub mod cxl_watch;
pub mod dax;
pub mod debugfs_file;
#[cfg(CONFIG_DEV_DAX_CXL)]
pub mod device_id;
pub mod device_memo;
pub mod hmem_device;
pub mod hmem_driver;
pub mod hmem_resources;
pub mod hmem_shared;
pub mod iomem;
pub mod iomem_tree;
pub mod memregion;
pub mod param;
pub mod probing;
pub mod range_list;
pub mod synchronous;
pub mod trace;
pub mod workqueue;
