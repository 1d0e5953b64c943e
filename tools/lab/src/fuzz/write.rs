// SPDX-License-Identifier: GPL-2.0

//! Writes the layouts of a guest as a scenario.

use std::fmt::Write;

use super::generate::Guest;
use super::generate::WINDOW;
use crate::scenario::MIB;

/// Destroys the region at $start, and has the decision made again.
const DESTROY: &str = r#"
for region in /sys/bus/cxl/devices/region*; do
    [ $(($(< $region/resource))) -ne $((start)) ] || victim=${region##*/}
done
# What HMEM has goes offline, and what the region has.
cd /sys/bus/dax/devices
for device in dax*; do
    case $(readlink -f $device) in
    */hmem.*|*/dax_$victim/*) offline $device ;;
    esac
done
cxl disable-region -f $victim
cxl destroy-region -f $victim
echo hmem_platform.0 > /sys/bus/platform/drivers/hmem_platform/unbind
settle
echo hmem_platform.0 > /sys/bus/platform/drivers/hmem_platform/bind
settle
"#;

/// The scenario file.
pub fn scenario(guest: &Guest) -> String {
    let mut text = String::from(
        "# SPDX-License-Identifier: GPL-2.0\n\
         description = \"Random layouts\"\ntimeout = 300\n\n[machine]\nram = \"1536M\"\n",
    );
    hardware(guest, &mut text);
    let groups = guest.groups();
    for (number, (range, _)) in groups.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n[[soft_reserved]]\nname = \"r{number}\"\nbase = \"{}\"\nsize = \"{:#x}\"\n\
             unbacked = true\n",
            place(range.start),
            range.size(),
        );
    }
    others(guest, &mut text);
    let now = guest.surroundings().judge(&guest.ranges);
    if let Some(destroyed) = guest.destroyed {
        let start = place(guest.regions[destroyed].span.start);
        let _ = write!(
            text,
            "\n[[step]]\nname = \"the first decision\"\ncapture = \"first\"\n\n\
             [[step]]\nname = \"a region goes, and the decision is made again\"\nwithin = 120\n\
             run = '''\nstart=$(addr {start}){DESTROY}'''\n",
        );
        let later = guest.surroundings_later().judge(&guest.ranges);
        text.push_str(&later.tables(&groups, "", WINDOW));
        text.push_str(&now.tables(&groups, "at.first.", WINDOW));
    } else {
        text.push_str(&now.tables(&groups, "", WINDOW));
    }
    text
}

/// An address as a scenario has it.
fn place(address: u64) -> String {
    format!("window{}+{:#x}", address / WINDOW, address % WINDOW)
}

fn hardware(guest: &Guest, text: &mut String) {
    let bridges = guest.windows.last().map_or(0, |last| last + 1);
    for bridge in 0..bridges {
        let _ = write!(text, "\n[[bridge]]\nname = \"hb{bridge}\"\n");
    }
    for (number, device) in guest.devices.iter().enumerate() {
        let _ = write!(
            text,
            "\n[[device]]\nname = \"mem{number}\"\nserial = {:#x}\non = \"hb{}\"\nsize = \"{}M\"\n",
            0x1000 + number,
            device.bridge,
            device.size / MIB,
        );
    }
    for bridge in &guest.windows {
        let _ = write!(
            text,
            "\n[[window]]\nsize = \"{}M\"\ntargets = [\"hb{bridge}\"]\n",
            WINDOW / MIB
        );
    }
    for region in &guest.regions {
        let devices: Vec<String> = region
            .devices
            .iter()
            .map(|device| format!("\"mem{device}\""))
            .collect();
        let _ = write!(
            text,
            "\n[[region]]\nat = \"{}\"\nsize = \"{}M\"\ndevices = [{}]\n",
            place(region.span.start),
            region.span.size() / MIB,
            devices.join(", "),
        );
    }
}

/// What has to be there before dax_hmem looks: seams, and what somebody else has.
fn others(guest: &Guest, text: &mut String) {
    let seams: Vec<String> = guest
        .seams()
        .iter()
        .map(|&seam| format!("$(addr {})", place(seam)))
        .collect();
    if seams.is_empty() && guest.foreign.is_none() {
        return;
    }
    text.push_str(
        "\n[modules]\nhold = [\"dax_hmem\", \"dax_cxl\"]\n\
         test = [\"split_range\", \"take_memory\"]\n\n\
         [[step]]\nname = \"adjacent ranges, and what somebody else has\"\nwithin = 120\n\
         run = '''\nmodprobe -a kmem device_dax\n",
    );
    if !seams.is_empty() {
        let _ = writeln!(
            text,
            "insmod /lab/in/modules/split_range.ko at={}",
            seams.join(",")
        );
    }
    if let Some(foreign) = guest.foreign {
        let _ = writeln!(
            text,
            "insmod /lab/in/modules/take_memory.ko at=$(addr {}) size={}",
            place(foreign.start),
            foreign.size(),
        );
    }
    text.push_str("release dax_hmem dax_cxl\nmodprobe -a dax_hmem dax_cxl\nsettle\n'''\n");
}
