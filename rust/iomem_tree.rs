// SPDX-License-Identifier: GPL-2.0

//! A picture of the iomem tree at one moment, with the names of its entries.
//!
//! What can be reserved in the tree depends on every entry of a range and on how they nest. The
//! kernel exports walkers that find entries of one kind, without their names and with nothing of
//! how they nest, and nothing that holds the lock of the tree. `allocate_resource()` does: it calls
//! the alignment function that its caller passes while it holds that lock, for each gap of the tree
//! it searches. Here that is a tree of one empty root on the stack, so the function is called once.
//! A walker of `iomem_resource` that is exported would end this; see `Documentation/upstream.md`.
//!
//! C header: [`include/linux/ioport.h`](srctree/include/linux/ioport.h)

use crate::ownership::Range;
use core::{
    fmt::Write,
    ptr, //
};
use kernel::{
    bindings,
    fmt,
    prelude::*, //
};

// CAST: As in `iomem.rs`.
const MEM: usize = bindings::IORESOURCE_MEM as usize;
const SYSTEM_RAM: usize = bindings::IORESOURCE_SYSTEM_RAM as usize;
const BUSY: usize = bindings::IORESOURCE_BUSY as usize;
const DRIVER_MANAGED: usize = bindings::IORESOURCE_SYSRAM_DRIVER_MANAGED as usize;
const WINDOW: usize = bindings::IORESOURCE_WINDOW as usize;
const DESC_CXL: usize = bindings::IORES_DESC_CXL as usize;
const DESC_SOFT_RESERVED: usize = bindings::IORES_DESC_SOFT_RESERVED as usize;

/// What an entry is to those who hand out memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A CXL window.
    Window,
    /// The CXL region of that number.
    Region(c_int),
    /// "Soft Reserved".
    SoftReserved,
    /// System RAM.
    SystemRam {
        /// A driver made it so, as kmem does, rather than firmware.
        managed: bool,
    },
    /// The reservation of a dax device whose memory kmem has made System RAM.
    Dax,
    /// An entry that holds others and keeps nobody from its addresses: what a host bridge passes
    /// on, or what has a CXL window inside.
    Container,
    /// Anything else: its owner alone may use the addresses.
    Other,
}

/// The name of an entry, cut to what tells it from others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name([u8; Name::LEN]);

impl Name {
    const LEN: usize = 24;

    /// The name that begins with these bytes.
    pub fn new(text: &[u8]) -> Self {
        let mut name = [0; Self::LEN];
        for (to, from) in name.iter_mut().zip(text) {
            *to = *from;
        }
        Self(name)
    }

    /// The bytes in front of the first NUL.
    pub fn bytes(&self) -> &[u8] {
        let len = self.0.iter().position(|&c| c == 0).unwrap_or(Self::LEN);
        self.0.get(..len).unwrap_or(&[])
    }

    /// The `N` of a name that is `prefix` and a number.
    fn number(&self, prefix: &[u8]) -> Option<c_int> {
        let digits = self.bytes().strip_prefix(prefix)?;
        core::str::from_utf8(digits).ok()?.parse().ok()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &c in self.bytes() {
            f.write_char(if c.is_ascii_graphic() || c == b' ' {
                c.into()
            } else {
                '?'
            })?;
        }
        Ok(())
    }
}

/// An entry of the tree.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its addresses.
    pub range: Range,
    /// What it is.
    pub kind: Kind,
    /// What it is called.
    pub name: Name,
    depth: usize,
    flags: usize,
    desc: usize,
}

/// All entries of the tree at one moment, parents before their children.
pub struct Tree(KVVec<Entry>);

impl Tree {
    /// Takes the picture. Fails with `ENOMEM`.
    pub fn new() -> Result<Self> {
        let mut entries = KVVec::new();
        let mut wanted = count();

        // The tree may grow between counting and looking, but not for ever.
        loop {
            entries.reserve(wanted.saturating_add(16), GFP_KERNEL)?;
            wanted = 0;
            with_tree_locked(|root| {
                entries.clear();
                for_each_entry(root, |res, depth| {
                    wanted += 1;
                    if let Some(entry) = Entry::read(res, depth) {
                        // What does not fit is counted, and leads to another round.
                        let _ = entries.push_within_capacity(entry);
                    }
                });
            });
            if wanted <= entries.capacity() {
                break;
            }
        }
        let mut this = Self(entries);
        this.classify();
        Ok(this)
    }

    /// All entries.
    pub fn iter(&self) -> core::slice::Iter<'_, Entry> {
        self.0.iter()
    }

    /// The entries that share a byte with `range`.
    pub fn within<'a>(&'a self, range: &'a Range) -> impl Iterator<Item = &'a Entry> + 'a {
        self.0.iter().filter(|e| e.range.intersects(range))
    }

    /// The addresses of CXL region `number`, if the tree has them.
    pub fn region(&self, number: c_int) -> Option<Range> {
        let found = self.0.iter().find(|e| e.kind == Kind::Region(number));
        found.map(|e| e.range)
    }

    /// The System RAM in `range` that a driver has made so, as far as it lies in `range`.
    pub fn managed_ram<'a>(&'a self, range: &'a Range) -> impl Iterator<Item = Range> + 'a {
        self.within(range)
            .filter(|e| e.kind == Kind::SystemRam { managed: true })
            .filter_map(|e| e.range.intersection(range))
    }

    /// Says what each entry is. What holds a window is no obstacle to what lies in the window.
    fn classify(&mut self) {
        for i in 0..self.0.len() {
            let Some(entry) = self.0.get(i).copied() else {
                return;
            };
            let kind = if entry.kind == Kind::Other && self.holds_window(i, entry.depth) {
                Kind::Container
            } else {
                entry.kind
            };
            if let Some(slot) = self.0.get_mut(i) {
                slot.kind = kind;
            }
        }
    }

    fn holds_window(&self, at: usize, depth: usize) -> bool {
        self.0
            .iter()
            .skip(at.saturating_add(1))
            .take_while(|e| e.depth > depth)
            .any(|e| e.kind == Kind::Window)
    }
}

impl Entry {
    /// Reads an entry; [`None`] for one that is no memory, or is empty.
    fn read(res: &bindings::resource, depth: usize) -> Option<Self> {
        if res.flags & MEM == 0 {
            return None;
        }
        let name = if res.name.is_null() {
            c""
        } else {
            // SAFETY: The tree is locked, so the entry stays, and with it its name, which is
            // NUL-terminated.
            unsafe { CStr::from_char_ptr(res.name) }
        };
        let mut entry = Self {
            range: Range::new(res.start, res.end)?,
            kind: Kind::Other,
            name: Name::new(name.to_bytes()),
            depth,
            flags: res.flags,
            desc: res.desc,
        };
        entry.kind = entry.kind_alone();
        Some(entry)
    }

    /// What it is, as far as that can be told without those around it.
    fn kind_alone(&self) -> Kind {
        let has = |flags| self.flags & flags == flags;

        if has(SYSTEM_RAM | BUSY) {
            Kind::SystemRam {
                managed: has(SYSTEM_RAM | DRIVER_MANAGED),
            }
        } else if has(SYSTEM_RAM) && self.name.bytes().starts_with(b"dax") {
            Kind::Dax
        } else if has(BUSY) {
            // What is requested has the description of what it was requested from.
            Kind::Other
        } else if self.desc == DESC_CXL {
            Kind::Window
        } else if self.desc == DESC_SOFT_RESERVED {
            Kind::SoftReserved
        } else if let Some(number) = self.name.number(b"region") {
            Kind::Region(number)
        } else if has(WINDOW) {
            Kind::Container
        } else {
            Kind::Other
        }
    }
}

/// How many entries the tree has.
fn count() -> usize {
    let mut count = 0;
    with_tree_locked(|root| for_each_entry(root, |_, _| count += 1));
    count
}

/// Calls `f` for each entry below `root`, parents before their children, with how deep it lies.
fn for_each_entry(root: &bindings::resource, mut f: impl FnMut(&bindings::resource, usize)) {
    let mut depth = 0usize;
    let mut next = root.child;

    // SAFETY: The tree is locked, so each pointer in it is to a valid entry, or NULL.
    while let Some(res) = unsafe { next.as_ref() } {
        f(res, depth);
        if !res.child.is_null() {
            depth += 1;
            next = res.child;
            continue;
        }
        let mut at = res;
        next = loop {
            if !at.sibling.is_null() || depth == 0 {
                break at.sibling;
            }
            // SAFETY: As above. What lies below the top level has a parent.
            match unsafe { at.parent.as_ref() } {
                Some(parent) => at = parent,
                None => return,
            }
            depth -= 1;
        };
    }
}

/// Calls `f` with the root of the iomem tree while its lock is held. `f` must not sleep, allocate
/// or touch the tree.
fn with_tree_locked<F>(f: F)
where
    F: FnOnce(&bindings::resource),
{
    /// # Safety
    ///
    /// `arg` points to an `Option<F>` that nobody else uses, and the lock of the tree is held.
    unsafe extern "C" fn locked<F>(
        arg: *mut c_void,
        _avail: *const bindings::resource,
        _full: *const bindings::resource,
        _size: bindings::resource_size_t,
        _align: bindings::resource_size_t,
    ) -> bindings::resource_size_t
    where
        F: FnOnce(&bindings::resource),
    {
        // SAFETY: By the safety requirements of this function. The root is static.
        let (f, root) = unsafe {
            (
                (*arg.cast::<Option<F>>()).take(),
                (&raw const bindings::iomem_resource).as_ref(),
            )
        };
        if let (Some(f), Some(root)) = (f, root) {
            f(root);
        }
        // Beyond the root that is searched: nothing is allocated there.
        bindings::resource_size_t::MAX
    }

    let mut f = Some(f);
    // Without the flag of memory, so that nothing is kept free for firmware in it.
    let mut root = bindings::resource {
        start: 0,
        end: 1,
        ..Default::default()
    };
    let mut new = bindings::resource::default();
    // SAFETY: Both resources are valid and unlinked, and stay unlinked: the place that `locked`
    // answers with is none, so the call fails. `locked` is called with `f` only while it lasts,
    // under the lock that all resource trees share.
    let ret = unsafe {
        bindings::allocate_resource(
            &mut root,
            &mut new,
            1,
            0,
            1,
            1,
            Some(locked::<F>),
            ptr::from_mut(&mut f).cast(),
        )
    };
    debug_assert!(ret != 0 && f.is_none());
}
