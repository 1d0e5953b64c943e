// SPDX-License-Identifier: GPL-2.0

//! An administrator who unbinds and binds a single device hmem.N.

use crate::{
    host::{Departing, Hold, Served},
    protocol::Protocol,
    queue::Who,
    state::{Known, State},
    step::{Actor, Step},
    units::Units,
    universe::{Trouble, REGIONS},
};

impl Protocol {
    /// What an administrator may do to single devices.
    pub(crate) fn hand_choices(&self, state: &State, steps: &mut Vec<Step>) {
        if !self.universe.troubles.contains(&Trouble::UnbindDevice) {
            return;
        }
        for (n, device) in state.devices().enumerate() {
            match device.hold {
                Hold::Bound if self.may(state, Trouble::UnbindDevice) => {
                    steps.push(Step::DeviceUnbound(n as u8));
                }
                Hold::Idle => steps.push(Step::BindDevice(n as u8)),
                _ => {}
            }
        }
    }

    /// What the probes that were started by hand do.
    pub(crate) fn hand_steps(&self, state: &State, steps: &mut Vec<Step>) {
        for (n, device) in state.devices().enumerate().filter(|(_, d)| d.hand) {
            let actor = Actor::Hand(n as u8);
            match device.hold {
                Hold::Probing if self.may_claim(state, device) => {
                    steps.push(Step::DeviceClaims(actor));
                }
                Hold::Claimed if state.hotplug_is_free() => steps.push(Step::DeviceBound(actor)),
                _ => {}
            }
        }
    }

    /// Device `n` is unbound by hand.
    pub(crate) fn device_unbound(&self, state: &mut State, n: u8) {
        let mut units = Units::NONE;
        if let Some(device) = state.devices_mut().nth(n.into()) {
            device.unbind();
            units = device.units;
        };
        state.note_by_hand(units, &self.universe);
    }

    /// Device `n` is bound by hand: its probe looks it up.
    pub(crate) fn bind_device(&self, state: &mut State, n: u8) {
        state.ghost.before = None;
        let departing = self.departing_of(state, n.into());
        let mut units = Units::NONE;
        if let Some(device) = state.devices_mut().nth(n.into()) {
            if !self.is_departing(departing, device.units) {
                device.hold = Hold::Probing;
                device.hand = true;
                units = device.units;
            }
        };
        state.note_probe(units, Known::Followed, &self.universe);
    }

    /// What departs below the devices of the binding that device `n` is of.
    fn departing_of(&self, state: &State, n: usize) -> [Departing; REGIONS] {
        let host = |who| state.host(who);
        let devices = |who| {
            let records = host(who).into_iter().flat_map(|h| h.records.iter());
            records.flatten().flat_map(|r| r.served.iter().flatten())
        };
        let who = if n < devices(Who::Current).count() {
            Who::Current
        } else {
            Who::Old
        };
        host(who).map_or(Default::default(), |h| h.departing)
    }

    /// Whether a probe by hand holds the lock of a device that closing is to remove.
    pub(crate) fn is_probed_by_hand(&self, state: &State) -> bool {
        let records = state.old.iter().flat_map(|h| h.records.iter().flatten());
        let mut devices = records.flat_map(|r| r.served.iter().flatten());
        devices.any(|d: &Served| d.hold.is_probing())
    }
}
