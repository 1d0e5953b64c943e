// SPDX-License-Identifier: GPL-2.0

//! What `tools/check-layout.sh` says of kernels that have other structures than
//! `include/kernel_private.h` declares. pahole and pfunct are made up here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const HEADER: &str = "\
enum color {
	RED = 1,
};
struct cxl_region {
	struct device dev;
	enum color type;
	DAX_REST;
};
struct whole {
	int id;
};
/* Prototypes. */
struct whole *make_whole(struct device *dev,
			 unsigned long flags);
";

const BINDINGS: &str = r#"
const _: () = { ["Size of cxl_region"][::core::mem::size_of::<cxl_region>() - 800usize];
["Offset of field: cxl_region::dev"][::core::mem::offset_of!(cxl_region, dev) - 0usize];
["Offset of field: cxl_region::type_"][::core::mem::offset_of!(cxl_region, type_) - 792usize];
    ["Offset of field: cxl_region::dax_rest"]
        [::core::mem::offset_of!(cxl_region, dax_rest) - 796usize];
["Size of whole"][::core::mem::size_of::<whole>() - 4usize]; ["Offset of field: whole::id"][::core::mem::offset_of!(whole, id) - 0usize]; };
pub const color_RED: color = 1;
"#;

const PAHOLE: &str = "\
enum color {
	RED  = 1,
};

struct cxl_region {
	struct device              dev;                  /*     0   792 */

	/* XXX last struct has 1 hole */

	enum color                 type;                 /*   792     4 */
	int                        (*more)(int);         /*   800     8 */

	/* size: 808, cachelines: 13, members: 3 */
};

struct whole {
	int                        id;                   /*     0     4 */

	/* size: 4, cachelines: 1, members: 1 */
};
";

const PFUNCT: &str = "struct whole * make_whole(struct device  * dev, long unsigned int flags);\n";

struct Kernel(TempDir);

impl Kernel {
    fn new(pahole: &str, pfunct: &str) -> Self {
        let kernel = Self(tempfile::tempdir().unwrap());
        kernel.file("kernel_private.h", HEADER);
        kernel.file("bindings.rs", BINDINGS);
        kernel.file("vmlinux", "");
        kernel.file("include/config/kernel.release", "0.0-made-up\n");
        kernel.file("include/config/auto.conf", "CONFIG_CXL_BUS=y\n");
        kernel.file(
            "Module.symvers",
            "0x0\tmake_whole\tvmlinux\tEXPORT_SYMBOL_GPL\t\n",
        );
        kernel.file("pahole.out", pahole);
        kernel.file("pfunct.out", pfunct);
        for name in ["pahole", "pfunct"] {
            let text = format!(
                "#!/bin/sh\ncat {}\n",
                kernel.path(name).with_extension("out").display()
            );
            kernel.file(&format!("bin/{name}"), &text);
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(kernel.path(&format!("bin/{name}")), mode).unwrap();
        }
        kernel
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What is said; empty if all is as declared.
    fn check(&self) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../check-layout.sh");
        let output = Command::new(script)
            .args([self.path("kernel_private.h"), self.path("bindings.rs")])
            .env("KDIR", self.0.path())
            .env("SRCTREE", self.path("none"))
            .env("CC", "false")
            .env("SYSROOT", self.path("root"))
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("bin").display()),
            )
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), text.is_empty(), "{text}");
        text
    }
}

#[track_caller]
fn refused(pahole: &str, pfunct: &str, words: &str) {
    let text = Kernel::new(pahole, pfunct).check();
    assert!(text.contains(words), "{text}");
}

#[test]
fn a_kernel_as_declared_passes() {
    assert_eq!(Kernel::new(PAHOLE, PFUNCT).check(), "");
}

#[test]
fn a_field_that_moved_is_named() {
    let moved = PAHOLE.replace(
        "type;                 /*   792",
        "type;                 /*   800",
    );
    refused(
        &moved,
        PFUNCT,
        "cxl_region: type is 800 in this kernel, 792 in",
    );
    let gone = PAHOLE.replace("type; ", "kind; ");
    refused(&gone, PFUNCT, "cxl_region: this kernel has no type in it");
}

#[test]
fn a_structure_that_grew_or_went_is_named() {
    let grown = PAHOLE.replace("size: 4,", "size: 8,");
    refused(&grown, PFUNCT, "whole: has 8 bytes in this kernel, 4 in");
    let gone = PAHOLE.replace("struct whole {", "struct part {");
    refused(&gone, PFUNCT, "whole: this kernel has no such type");
    // What ends with DAX_REST may be longer there.
    let longer = PAHOLE.replace("size: 808,", "size: 900,");
    assert_eq!(Kernel::new(&longer, PFUNCT).check(), "");
}

#[test]
fn a_kernel_without_cxl_needs_no_types_of_it() {
    let without = PAHOLE.replace("cxl_region", "other");
    refused(&without, PFUNCT, "cxl_region: this kernel has no such type");
    let kernel = Kernel::new(&without, PFUNCT);
    kernel.file("include/config/auto.conf", "");
    assert_eq!(kernel.check(), "");
}

#[test]
fn a_constant_that_changed_is_named() {
    let other = PAHOLE.replace("RED  = 1", "RED  = 2");
    refused(&other, PFUNCT, "color: RED is 2 in this kernel, 1 in");
}

#[test]
fn a_function_with_another_prototype_is_named() {
    let other = PFUNCT.replace("flags", "flags, int more");
    refused(PAHOLE, &other, "make_whole()");
}

/// As on kernels whose CXL is a module: its BTF is beside that of the kernel.
#[test]
fn a_module_brings_its_own_btf() {
    let kernel = Kernel::new(PAHOLE, PFUNCT);
    kernel.file(
        "include/config/auto.conf",
        "CONFIG_CXL_BUS=m\nCONFIG_DAX=y\n",
    );
    let text = kernel.check();
    assert!(
        text.contains("the BTF of cxl_core, a module of this kernel, is not here"),
        "{text}"
    );
    kernel.file(
        "root/lib/modules/0.0-made-up/kernel/drivers/cxl/core/cxl_core.ko",
        "",
    );
    assert_eq!(kernel.check(), "");
}

/// As with headers that have no vmlinux: that of the debug symbols, or of the kernel that runs, is taken.
#[test]
fn headers_without_vmlinux() {
    let kernel = Kernel::new(PAHOLE, PFUNCT);
    fs::remove_file(kernel.path("vmlinux")).unwrap();
    assert!(kernel.check().contains("cannot tell the layout"));
    kernel.file("root/usr/lib/debug/boot/vmlinux-0.0-made-up", "");
    assert_eq!(kernel.check(), "");
}

#[test]
fn a_kernel_without_btf_and_source_is_refused() {
    let kernel = Kernel::new("", "");
    assert!(kernel.check().contains("cannot tell the layout"));
}
