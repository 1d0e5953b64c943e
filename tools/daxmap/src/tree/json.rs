// SPDX-License-Identifier: GPL-2.0

//! The JSON of `cxl list` and `daxctl list`, as the sysfs files that it was made from.
//!
//! Objects are told by the key that names them, wherever they are nested. Sizes and addresses may be
//! numbers, hexadecimal strings, or the texts of `-u`, such as `256.00 GiB (274.88 GB)`.

mod documents;
mod size;

use serde_json::{Map, Value};

use super::archive::Archive;
use crate::scan::index_of;
pub(super) use documents::{documents, is_empty, Document};
use size::{number, power_of_two, size, Size, CAPACITY};

const ROOT: &str = "sys/devices/platform/ACPI0017:00/root0";

type Object = Map<String, Value>;

/// What an object lies in.
#[derive(Clone, Default)]
struct Place {
    /// The root decoder around a region.
    decoder: Option<String>,
    /// The memory device of an endpoint.
    memdev: Option<String>,
    /// The endpoint around a decoder.
    endpoint: Option<String>,
    /// The device directory around a dax device.
    dax: Option<String>,
    /// The last of its list, which was cut off: it may lack what stood behind.
    is_cut: bool,
}

/// Puts the files of a document into a tree; whether it held anything known.
pub(super) fn put(archive: &mut Archive, document: &Document) -> bool {
    let place = Place {
        is_cut: document.is_cut,
        ..Place::default()
    };
    walk(archive, &document.value, &place)
}

fn walk(archive: &mut Archive, value: &Value, place: &Place) -> bool {
    match value {
        Value::Array(all) => {
            let mut any = false;
            for (i, v) in all.iter().enumerate() {
                let place = Place {
                    is_cut: place.is_cut && i + 1 == all.len(),
                    ..place.clone()
                };
                any |= walk(archive, v, &place);
            }
            any
        }
        Value::Object(object) => {
            let mut inner = place.clone();
            let mut any = known(archive, object, &mut inner);
            for v in object.values() {
                any |= walk(archive, v, &inner);
            }
            any
        }
        _ => false,
    }
}

fn known(archive: &mut Archive, object: &Object, place: &mut Place) -> bool {
    if let Some(name) = name(object, "endpoint", "endpoint") {
        let inner = object.get("memdev").and_then(|m| m.get("memdev"));
        let host = inner.or(object.get("host")).and_then(Value::as_str);
        place.memdev = host
            .filter(|h| index_of(h, "mem").is_some())
            .map(str::to_string);
        place.endpoint = Some(name);
        return true;
    }
    if let Some(name) = name(object, "region", "region").filter(|_| is_region(object)) {
        region(archive, object, &name, place);
        return true;
    }
    if let Some(name) = name(object, "decoder", "decoder").filter(|_| object.contains_key("size")) {
        decoder(archive, object, &name, place);
        return true;
    }
    if let Some(name) = name(object, "memdev", "mem").filter(|_| is_memdev(object)) {
        memdev(archive, object, &name);
        return true;
    }
    if let Some(name) = name(object, "chardev", "dax") {
        dax(archive, object, &name, place);
        return true;
    }
    if let Some(path) = object.get("path").and_then(Value::as_str) {
        place.dax = parent_of_dax(path).map(|path| format!("sys/devices/{path}"));
        return object.contains_key("devices");
    }
    false
}

/// The path that `daxctl list` gives a dax region, if it names an hmem device or a CXL region.
fn parent_of_dax(path: &str) -> Option<&str> {
    let path = path.trim_matches('/');
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._:-/".contains(&b);
    let is_known = path.contains("hmem.") || path.contains("/dax_region");
    let is_clean = path.bytes().all(is_plain) && !path.contains("..");
    (is_known && is_clean).then_some(path)
}

/// A name that is one: it becomes a path.
fn name(object: &Object, key: &str, prefix: &str) -> Option<String> {
    let name = object.get(key)?.as_str()?;
    let rest = name.strip_prefix(prefix)?;
    let plain = rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !rest.contains("..");
    (plain && !rest.is_empty()).then(|| name.to_string())
}

fn is_region(object: &Object) -> bool {
    object.contains_key("size") && !object.contains_key("decoder")
}

fn is_memdev(object: &Object) -> bool {
    ["ram_size", "pmem_size", "serial", "host"]
        .iter()
        .any(|k| object.contains_key(*k))
        && !object.contains_key("decoder")
}

/// Writes a size; one that was rounded too much becomes its bounds, in files that sysfs has not.
fn write_size(archive: &mut Archive, dir: &str, file: &str, value: Option<Size>) {
    match value {
        Some(Size::Exact(n)) => write(archive, dir, file, Some(n)),
        Some(Size::Between(least, most)) => {
            write(archive, dir, &format!("{file}_from"), Some(least));
            write(archive, dir, &format!("{file}_to"), Some(most));
        }
        None => {}
    }
}

fn write(archive: &mut Archive, dir: &str, file: &str, value: Option<u64>) {
    if let Some(value) = value {
        archive.put(
            &format!("{dir}/{file}"),
            format!("{value:#x}\n").into_bytes(),
        );
    }
}

fn device(archive: &mut Archive, bus: &str, dir: &str, driver: Option<&str>) {
    let name = dir.rsplit('/').next().unwrap_or(dir);
    archive.link(&format!("sys/bus/{bus}/devices/{name}"), &format!("/{dir}"));
    archive.dir(dir);
    if let Some(driver) = driver {
        archive.link(
            &format!("{dir}/driver"),
            &format!("/sys/bus/{bus}/drivers/{driver}"),
        );
    }
}

fn get(object: &Object, key: &str) -> Option<u64> {
    object.get(key).and_then(number)
}

fn get_size(object: &Object, key: &str, unit: u64) -> Option<Size> {
    object.get(key).and_then(|value| size(value, unit))
}

/// What an interleave set is a multiple of.
fn unit_of_set(object: &Object) -> u64 {
    let ways = get(object, "interleave_ways").filter(|n| (1..=16).contains(n));
    CAPACITY * ways.unwrap_or(1)
}

fn is_disabled(object: &Object) -> bool {
    object.get("state").and_then(Value::as_str) == Some("disabled")
}

fn memdev(archive: &mut Archive, object: &Object, name: &str) {
    let host = object.get("host").and_then(Value::as_str).unwrap_or("host");
    let host = host.replace('/', "");
    let dir = format!("sys/devices/pci/{host}/{name}");
    let driver = (!is_disabled(object)).then_some("cxl_mem");
    device(archive, "cxl", &dir, driver);
    let ram = match object.contains_key("ram_size") {
        true => get_size(object, "ram_size", CAPACITY),
        false => Some(Size::Exact(0)),
    };
    write_size(archive, &dir, "ram/size", ram);
    let pmem = get_size(object, "pmem_size", CAPACITY);
    write_size(archive, &dir, "pmem/size", pmem);
    write(archive, &dir, "serial", get(object, "serial"));
    write(archive, &dir, "numa_node", get(object, "numa_node"));
}

fn decoder(archive: &mut Archive, object: &Object, name: &str, place: &mut Place) {
    let is_root = name.starts_with("decoder0.");
    let dir = match (&place.endpoint, &place.memdev) {
        _ if is_root => format!("{ROOT}/{name}"),
        (Some(endpoint), Some(memdev)) => {
            let port = format!("{ROOT}/port1/{endpoint}");
            archive.link(
                &format!("{port}/uport"),
                &format!("/sys/bus/cxl/devices/{memdev}"),
            );
            format!("{port}/{name}")
        }
        // Whose it is, is not in the document.
        _ => return,
    };
    if is_root {
        place.decoder = Some(name.to_string());
    }
    device(archive, "cxl", &dir, None);
    write(archive, &dir, "start", get(object, "resource").or(Some(0)));
    let all = get_size(object, "size", unit_of_set(object));
    write_size(archive, &dir, "size", all);
    let own = get_size(object, "dpa_size", CAPACITY);
    write_size(archive, &dir, "dpa_size", own);
    write(
        archive,
        &dir,
        "interleave_ways",
        get(object, "interleave_ways"),
    );
    // `cxl list` says of a window only what it takes.
    if is_root && object.get("volatile_capable") == Some(&Value::Bool(true)) {
        write(archive, &dir, "cap_ram", Some(1));
    }
    for (key, file) in [("mode", "mode"), ("region", "region")] {
        if let Some(text) = object.get(key).and_then(Value::as_str) {
            archive.put(&format!("{dir}/{file}"), format!("{text}\n").into_bytes());
        }
    }
}

fn region(archive: &mut Archive, object: &Object, name: &str, place: &mut Place) {
    let window = place.decoder.clone().unwrap_or_else(|| "decoder0".into());
    let dir = format!("{ROOT}/{window}/{name}");
    let driver = (!is_disabled(object)).then_some("cxl_region");
    device(archive, "cxl", &dir, driver);
    write(archive, &dir, "resource", get(object, "resource"));
    let all = get_size(object, "size", unit_of_set(object));
    write_size(archive, &dir, "size", all);
    let decoded = object.get("decode_state").and_then(Value::as_str);
    write(
        archive,
        &dir,
        "commit",
        decoded.map(|s| u64::from(s == "commit")),
    );
    if let Some(mode) = object.get("type").and_then(Value::as_str) {
        archive.put(&format!("{dir}/mode"), format!("{mode}\n").into_bytes());
    }
    members(archive, object, &dir, place.is_cut);
    place.dax = Some(format!("{dir}/dax_{name}"));
    if object.contains_key("daxregion") {
        device(
            archive,
            "cxl",
            &format!("{dir}/dax_{name}"),
            Some("cxl_dax_region"),
        );
    }
}

/// The members of a region, which are shown on demand only: without them none is missing; nor if they have no
/// decoder there, or the list ends before the last of them.
fn members(archive: &mut Archive, object: &Object, dir: &str, is_cut: bool) {
    let ways = get(object, "interleave_ways");
    write(archive, dir, "interleave_ways", ways);
    let members = object.get("mappings").and_then(Value::as_array);
    let has_decoder = |m: &Value| m.get("decoder").is_some_and(Value::is_string);
    let all = members.is_some_and(|all| all.iter().all(has_decoder));
    if !all || is_cut && members.map(Vec::len) != ways.and_then(|n| usize::try_from(n).ok()) {
        // In a file that sysfs has not.
        write(archive, dir, "targets_unknown", Some(1));
    }
    for m in members.into_iter().flatten() {
        let decoder = m.get("decoder").and_then(Value::as_str);
        let position = m.get("position").and_then(number);
        if let Some((decoder, position)) = decoder.zip(position) {
            let path = format!("{dir}/target{position}");
            archive.put(&path, format!("{decoder}\n").into_bytes());
            // Whose decoder it is, sysfs says elsewhere.
            let memdev = m.get("memdev").and_then(Value::as_str);
            if let Some(memdev) = memdev.filter(|m| index_of(m, "mem").is_some()) {
                let path = format!("{dir}/target{position}_memdev");
                archive.put(&path, format!("{memdev}\n").into_bytes());
            }
        }
    }
}

fn dax(archive: &mut Archive, object: &Object, name: &str, place: &Place) {
    let parent = place
        .dax
        .clone()
        .unwrap_or_else(|| "sys/devices/unknown".into());
    let dir = format!("{parent}/{name}");
    let driver = match object.get("mode").and_then(Value::as_str) {
        _ if is_disabled(object) => None,
        Some("system-ram") => Some("kmem"),
        Some("devdax") => Some("device_dax"),
        Some("famfs") => Some("fsdev_dax"),
        _ => None,
    };
    device(archive, "dax", &dir, driver);
    write(archive, &dir, "target_node", get(object, "target_node"));
    let align = object.get("align").and_then(power_of_two);
    write(archive, &dir, "align", align);
    let unit = align.filter(|&n| n > 0).unwrap_or(2 << 20);
    write_size(archive, &dir, "size", get_size(object, "size", unit));
    // In files that sysfs has not: the blocks themselves are in no list.
    for key in ["online_memblocks", "total_memblocks"] {
        write(archive, &dir, key, get(object, key));
    }
    let mappings = object.get("mappings").and_then(Value::as_array);
    for (i, m) in mappings.into_iter().flatten().enumerate() {
        for key in ["start", "end"] {
            write(
                archive,
                &format!("{dir}/mapping{i}"),
                key,
                m.get(key).and_then(number),
            );
        }
    }
}
