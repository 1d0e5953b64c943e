// SPDX-License-Identifier: GPL-2.0

//! Which NUMA node memory belongs to, address by address.

use crate::hmem_device::Memory;
use crate::hmem_resources::{
    fallback_node,
    is_possible_node,
    target_node, //
};
use kernel::prelude::*;

pub(crate) use crate::hmem_resources::memory_block_size;

/// The node of the memory at `address`: the one that firmware assigns, else the one that memory
/// hotplug would choose.
pub(crate) fn at(address: u64) -> c_int {
    let node = target_node(address);

    if is_possible_node(node) {
        node
    } else {
        fallback_node(address)
    }
}

/// The node of what `memory` has at `address`. Where HMAT gave the memory a node that is not that of
/// its addresses, it holds for all of it.
pub(crate) fn of(memory: &Memory, address: u64) -> c_int {
    if follows_address(memory) {
        at(address)
    } else {
        memory.target_node
    }
}

fn follows_address(memory: &Memory) -> bool {
    memory.target_node == at(memory.range.start())
}

/// Calls `f` with each address inside `memory` at which another node begins, until it fails.
///
/// A node that has less than a memory block there is overlooked: it could have no memory online.
pub(crate) fn for_each_change(memory: &Memory, mut f: impl FnMut(u64) -> Result) -> Result {
    if !follows_address(memory) {
        return Ok(());
    }
    let (start, end) = (memory.range.start(), memory.range.end());
    let block = memory_block_size().max(1);
    let mut below = (start, at(start));

    while below.0 < end {
        let above = below.0.saturating_add(block).min(end);
        let node = at(above);
        if node == below.1 {
            below.0 = above;
            continue;
        }
        // The lowest address that has another node than the one below it.
        let (mut low, mut high) = (below.0, above);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if at(middle) == below.1 {
                low = middle;
            } else {
                high = middle;
            }
        }
        f(high)?;
        below = (high, at(high));
    }
    Ok(())
}
