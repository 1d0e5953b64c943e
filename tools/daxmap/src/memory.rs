// SPDX-License-Identifier: GPL-2.0

//! Memory blocks: the unit in which the kernel takes memory online and offline.

use serde::Serialize;

use crate::iomem::is_system_ram;
use crate::map::Map;
use crate::range::{parse_hex, Range};
use crate::scan::{index_of, Scan};

const DIR: &str = "sys/devices/system/memory";

/// Neighbouring blocks of one state and node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blocks {
    /// Their addresses.
    pub range: Range,
    /// `online`, `offline` or `going-offline`.
    pub state: String,
    /// Their node.
    pub node: Option<u32>,
}

impl Blocks {
    /// Whether they can be used.
    pub fn is_online(&self) -> bool {
        self.state == "online"
    }
}

/// What the kernel says of memory blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Bytes in a block.
    pub block_size: Option<u64>,
    /// What new memory becomes: `offline`, `online`, `online_movable`, ...
    pub auto_online: Option<String>,
    /// The blocks in order of address.
    pub blocks: Vec<Blocks>,
    /// NUMA nodes there are.
    pub nodes: Vec<u32>,
}

impl Map {
    /// The address of a page that the log names by its number. How large a page is, the release tells, or else where
    /// there is memory.
    pub fn address_of_page(&self, page: u64) -> Option<u64> {
        const SIZES: [u64; 3] = [4 << 10, 64 << 10, 16 << 10];
        let release = self.release.as_deref().unwrap_or_default();
        if release.contains("64k") {
            return page.checked_mul(SIZES[1]);
        }
        let is_ram = |address: &u64| {
            let mut ram = self.iomem.iter().filter(|r| is_system_ram(&r.name));
            ram.any(|r| r.range.has(*address))
        };
        let mut all = SIZES.iter().filter_map(|size| page.checked_mul(*size));
        all.clone().find(is_ram).or_else(|| all.next())
    }
}

/// Notes that there are no memory blocks to be seen, which memory that drivers add is made of.
pub(crate) fn expect(scan: &Scan) {
    scan.expect(DIR);
}

pub(crate) fn read(scan: &Scan) -> Memory {
    // The one number in sysfs that is hexadecimal without a 0x.
    let block_size = scan
        .value(&format!("{DIR}/block_size_bytes"))
        .and_then(|v| parse_hex(&v))
        .filter(|&s| s != 0);
    let mut memory = Memory {
        block_size,
        auto_online: scan.value(&format!("{DIR}/auto_online_blocks")),
        blocks: Vec::new(),
        nodes: scan
            .list("sys/devices/system/node")
            .iter()
            .filter_map(|n| u32::try_from(index_of(n, "node")?).ok())
            .collect(),
    };
    let Some(size) = block_size else {
        return memory;
    };
    for name in scan.list(DIR) {
        let Some(range) = index_of(&name, "memory")
            .and_then(|i| i.checked_mul(size))
            .and_then(|start| Range::with_size(start, size))
        else {
            continue;
        };
        let Some(state) = scan.value(&format!("{DIR}/{name}/state")) else {
            continue;
        };
        // Nearly always the node of the block before; a large machine has tens of thousands.
        let likely = memory.blocks.last().and_then(|b| b.node);
        let node = likely
            .into_iter()
            .chain(memory.nodes.iter().copied())
            .find(|n| scan.link_name(&format!("{DIR}/{name}/node{n}")).is_some());
        match memory.blocks.last_mut() {
            Some(last)
                if last.range.touches(&range) && last.state == state && last.node == node =>
            {
                last.range.end = range.end;
            }
            _ => memory.blocks.push(Blocks { range, state, node }),
        }
    }
    memory
}
