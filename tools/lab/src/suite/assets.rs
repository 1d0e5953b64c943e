// SPDX-License-Identifier: GPL-2.0

//! Kernels and modules for many guests: each is made once, also when making it fails.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use anyhow::anyhow;
use anyhow::Result;

use crate::guest::Assets;
use crate::provision::Ctx;
use crate::scenario::Drivers;

/// What was made, or why not.
type Made = Arc<OnceLock<Result<Arc<Assets>, String>>>;

/// Makes assets on demand.
pub struct Store {
    ctx: Ctx,
    kdir: Option<PathBuf>,
    known: Mutex<HashMap<(String, Drivers), Made>>,
}

impl Store {
    /// For the caller's own kernel, or for one of each flavour.
    pub fn new(ctx: &Ctx, kdir: Option<PathBuf>) -> Self {
        Self {
            ctx: ctx.clone(),
            kdir,
            known: Mutex::default(),
        }
    }

    /// The assets; others that ask for the same wait.
    pub fn get(&self, flavor: &str, drivers: Drivers) -> Result<Arc<Assets>> {
        let made = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known
                .entry((flavor.to_owned(), drivers))
                .or_default()
                .clone()
        };
        made.get_or_init(|| {
            Assets::new(&self.ctx, flavor, self.kdir.as_deref(), drivers)
                .map(Arc::new)
                .map_err(|error| format!("{error:#}"))
        })
        .clone()
        .map_err(|error| anyhow!(error))
    }
}
