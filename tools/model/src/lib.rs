// SPDX-License-Identifier: GPL-2.0

//! A model of the ownership protocol, and a search through all that can happen in it.
//!
//! What is modelled, what is left out and why, and how to read what comes out is told in
//! `Documentation/model.md`. In short: [`state`], [`host`] and [`queue`] say what every actor is
//! at; [`step`] what can happen next; the private modules what it does, one for each part of the
//! drivers; [`properties`] what must hold; [`code`] which faults can be put in.

#![forbid(unsafe_code)]

mod bare;
mod binding;
pub mod code;
pub mod collect;
mod dax;
mod decision;
pub mod ends;
mod follow;
pub mod ghost;
mod hand;
mod hmem;
pub mod host;
mod notifier;
pub mod outcome;
mod pieces;
pub mod properties;
pub mod protocol;
pub mod queue;
mod region;
pub mod report;
mod serve;
mod settling;
mod show;
pub mod state;
pub mod step;
pub mod units;
pub mod universe;
