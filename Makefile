# SPDX-License-Identifier: GPL-2.0
#
# Rust dax_hmem and dax_cxl, and the lab that tries them out.
#
#   make KDIR=<built CONFIG_RUST kernel tree>      build dax_hmem.ko and dax_cxl.ko
#   make KDIR=... modules_install [INSTALL_MOD_PATH=<root>]
#                                                  put them in updates/, and what
#                                                  modprobe is to know beside them
#   make KDIR=... clean | rust-analyzer            as in any kernel module
#   make rustfmt | rustfmtcheck                    format the kernel side, or check it
#   make deb                                       Debian packages, in dist/
#   make run | check | bench | shell               the lab, see tools/lab.mk
#
# CLIPPY=1, MO=<dir>, V=1 and LLVM= have their usual meaning. Without LLVM= the
# toolchain is the one that the kernel tree was configured with.
# CONFIG_DAX_HMEM_REPORT=n leaves out the log of decisions, the ledger and the trace
# events.

.DEFAULT_GOAL := modules

KDIR ?= /lib/modules/$(shell uname -r)/build

RUSTFMT ?= rustfmt
# rustfmt follows the modules from the crate roots.
rust-roots := $(addprefix $(CURDIR)/drivers/dax/,hmem/hmem.rs cxl/cxl.rs kunit/kunit.rs)

# Checks the tree and says with which toolchain to build; or says what is missing.
kbuild = toolchain=$$($(CURDIR)/tools/check-kdir.sh '$(KDIR)' '$(origin LLVM)') && \
	$(MAKE) -C '$(KDIR)' M='$(CURDIR)' $$toolchain

.PHONY: modules modules_install clean rust-analyzer rustfmt rustfmtcheck deb help

modules rust-analyzer:
	+@$(kbuild) $@

# Beside lib/modules, where modprobe looks for what software brings along; /etc
# is the administrator's.
modules_install:
	+@$(kbuild) $@
	@install -D -m 644 -t '$(INSTALL_MOD_PATH)/lib/modprobe.d' \
		$(CURDIR)/drivers/dax/modprobe.d/dax_hmem.conf

# No check: what was built with another tree is to go as well.
clean:
	+@$(MAKE) -C '$(KDIR)' M='$(CURDIR)' $@

rustfmt:
	@$(RUSTFMT) --edition 2021 $(rust-roots)

rustfmtcheck:
	@$(RUSTFMT) --edition 2021 --check $(rust-roots)

deb:
	@$(CURDIR)/tools/make-deb

help:
	@sed -n '3,18s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

# Packages of the modules do not have the lab.
-include tools/lab.mk
