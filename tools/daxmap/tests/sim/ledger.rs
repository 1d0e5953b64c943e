// SPDX-License-Identifier: GPL-2.0

//! The ledger of the Rust dax_hmem on such a machine.

use super::{region_name, Machine};
use daxmap::Range;

impl Machine {
    /// Its text, where there is one.
    pub fn ledger(&self) -> Option<String> {
        if !self.rust || !self.is_loaded("dax_hmem") || self.platform_unbound {
            return None;
        }
        let mut out = String::from("# dax_hmem ledger 1\n");
        let mut had: Vec<Range> = Vec::new();
        let mut say = |range: Range, words: String| {
            had.push(range);
            out.push_str(&format!(
                "range={:#x}-{:#x} node=1 {words} errno=0\n",
                range.start, range.end
            ));
        };
        for h in self.hmems.iter().filter(|h| h.bound) {
            let words = format!("state=hmem reason=no-region dev=hmem.{}", h.id);
            say(h.range, words);
        }
        for h in self.hmems.iter().filter(|h| !h.bound) {
            let words = format!("state=failed reason=not-bound dev=hmem.{}", h.id);
            say(h.range, words);
        }
        for (i, region) in self.live().filter(|(_, r)| r.served) {
            let parts = self.declared.iter();
            for part in parts.filter_map(|d| d.overlap(&region.range)) {
                let words = format!("state=cxl reason=covered region={}", region_name(i));
                say(part, words);
            }
        }
        let taken = had.clone();
        let is_free = |r: &Range| !taken.iter().any(|t| t.overlaps(r));
        let mut say = |range: Range, words: String| {
            out.push_str(&format!(
                "range={:#x}-{:#x} node=1 {words} errno=0\n",
                range.start, range.end
            ));
        };
        for free in self.free.iter().filter(|f| is_free(&f.range)) {
            let dev = free.hmem.map_or("-".into(), |id| format!("hmem.{id}"));
            say(
                free.range,
                format!("state=free reason={} dev={dev}", free.reason),
            );
        }
        for range in self.deferred.iter().filter(|r| is_free(r)) {
            say(*range, "state=deferred reason=awaiting-cxl dev=-".into());
        }
        Some(out)
    }
}
