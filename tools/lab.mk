# SPDX-License-Identifier: GPL-2.0
#
# The targets that drive the lab; included by the Makefile at the top.
#
#   make run [SCENARIO=<name, file or capture>] [DRIVERS=c] [FLAVOR=debian] [KDIR=<kernel tree>] [V=1]
#   make check [ONLY=<regular expression>] [ALL=1] [FLAVOR=debian]
#   make check-flavors [ONLY=...]
#   make check-debug [ONLY=...]
#   make check-configs [ONLY=...]
#   make check-packages [INSTALLED=<directory>]
#   make shell [SCENARIO=...]
#   make compare
#   make captures [ONLY=<regular expression>]
#   make cxl-test [ONLY=<regular expression>]
#   make bench [N=3] [ONLY=<regular expression>]
#   make fuzz-layouts [N=300] [SEED=<as printed>]
#   make fuzz-host [N=500] [SEED=<as printed>]
#   make fuzz-operations [N=20] [STEPS=30] [SEED=<as printed>]
#   make deps

LAB := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))/bootstrap.sh

# Only what the caller has set is passed on: a default for building is none for the lab.
lab-given = $(if $(filter command environment,$(firstword $(origin $(1)))),$($(1)))
lab-vars := V SCENARIO DRIVERS FLAVOR KDIR MODULES INSTALLED N STEPS SEED ONLY ALL JOBS TIMEOUT
lab-env = env $(foreach v,$(lab-vars),$(if $(call lab-given,$(v)),,-u $(v))) \
	$(foreach v,$(lab-vars),$(if $(call lab-given,$(v)),$(v)='$(call lab-given,$(v))'))

.PHONY: run check check-packages check-flavors check-debug check-configs shell compare cxl-test bench captures fuzz-host fuzz-layouts fuzz-operations deps

run check check-packages shell compare cxl-test bench captures fuzz-host fuzz-layouts fuzz-operations deps:
	@$(lab-env) $(LAB) $@

# Scenarios about kernels with CXL built in, without CXL regions, or with the kernel's own CXL unit
# tests; "check ALL=1" runs them too.
check-flavors:
	@$(lab-env) $(LAB) check --flavors

# Every scenario on the kernel with all checkers: an hour or two. "check ALL=1" runs turmoil on it.
check-debug:
	@$(lab-env) $(LAB) check --debug

# The modules against kernels of many configurations, which are only prepared: a few minutes each,
# once.
check-configs:
	@$(lab-env) $(LAB) check --configs
