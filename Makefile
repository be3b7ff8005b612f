# SPDX-License-Identifier: MIT
# One non-recursive Makefile.
#   make            the programs, in build/
#   make check      everything that has to pass (as root; installs what it lacks)
#   make unit       the unit tests alone (no root, no network)
#   make soak       what takes hours: the edge under TSan, and many rounds of what depends on time
#   make bench      the comparison with HAProxy, nginx and kernel DNAT
#   make bench-control  what the server does under a thousand edges
#   make fuzz       the fuzzers, FUZZ_SECONDS each (default 300)
#   make install    into $(DESTDIR)$(PREFIX)
#   make deb        Debian packages, in build/deb
#   make image      of these an OCI layout (no container engine), in build/image
# Variables: SAN=1 (ASan and UBSan, in build/san), SAN=thread (TSan, in build/tsan), WEB=0 (a server
# without its web page, which needs node and npm to build), V=1 (show the commands), CC, CLANG, BPFTOOL.

PREFIX  ?= /usr/local
CC      ?= gcc
CLANG   ?= clang-14
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
FORMAT  ?= clang-format-14
VERSION := 0.7.0
WEB     ?= 1

FUZZ_SECONDS ?= 300

ifeq ($(SAN),1)
B       := build/san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else ifeq ($(SAN),thread)
B       := build/tsan
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer
else
B       := build
endif

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)';)

pkgs := libbpf libevent libevent_openssl libevent_pthreads libnghttp2 libprotobuf-c openssl jansson \
	sqlite3 libarchive libcares libmnl libcurl libcap-ng mount smartcols libsystemd libseccomp ncursesw
# Asked once, and only when something is to be built.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(pkgs)))$(PKG_CFLAGS)

WARN   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	  -Wno-missing-field-initializers -Wno-unused-parameter -Wformat=2 -Wvla
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(CPPFLAGS) -DPORTUNUS_VERSION='"$(VERSION)"' $(WARN) $(CFLAGS) $(SANFLAGS) \
	     -fstack-protector-strong -pthread -I. -Iuserspace -I$(B)/gen $(PKG_CFLAGS)
CXXFLAGS_ALL = -std=c++17 -D_GNU_SOURCE $(CPPFLAGS) -Wall -Wextra -Werror -Wshadow -fno-rtti $(CFLAGS) $(SANFLAGS) \
	     -fstack-protector-strong -pthread -Iuserspace
ALL_LDFLAGS = $(SANFLAGS) $(LDFLAGS) -pthread -Wl,--as-needed

lib_libs    := -levent_core -levent_extra -levent_openssl -levent_pthreads -lnghttp2 -lprotobuf-c \
	       -lssl -lcrypto -ljansson -lunistring -lstdc++ -lsmartcols -lsystemd
edge_libs   := $(lib_libs) -lbpf -lelf -lz -lcares -lmnl -lcap-ng -lmount -lseccomp -lncursesw -ltinfo
server_libs := $(lib_libs) -lsqlite3 -lcurl -larchive

lib_src    := $(sort $(shell find userspace/lib -name '*.c' -o -name '*.cc'))
edge_src   := $(sort $(shell find userspace/edge userspace/ctl userspace/view -name '*.c'))
alone_src  := $(sort $(shell find userspace/standalone -name '*.c'))
server_src := $(sort $(shell find userspace/server api cli -name '*.c' ! -path 'api/web/*'))
proto_src  := $(sort $(shell find userspace/lib -name '*.proto'))
unit_src   := $(shell find selftests/unit -name 'test_*.c')
fuzz_src   := $(wildcard selftests/fuzz/fuzz_*.c)
tool_src   := $(wildcard selftests/net/*.c selftests/interop/*.c)
bench_src  := $(wildcard selftests/bench/*.c)

gen_c   := $(proto_src:userspace/%.proto=$(B)/gen/%.pb-c.c)
gen_h   := $(gen_c:.c=.h)
skel    := $(patsubst bpf/%.bpf.c,$(B)/gen/bpf/%.skel.h,$(wildcard bpf/*.bpf.c))

obj      = $(patsubst %.cc,$(B)/obj/%.o,$(filter %.cc,$(1))) \
	   $(patsubst %.c,$(B)/obj/%.o,$(filter-out $(B)/gen/% %.cc,$(1))) \
	   $(patsubst $(B)/gen/%.c,$(B)/obj/gen/%.o,$(filter $(B)/gen/%,$(1)))
lib_obj    := $(call obj,$(lib_src) $(gen_c))
edge_obj   := $(call obj,$(filter-out %/main.c,$(edge_src)))
alone_obj  := $(call obj,$(filter-out %/main.c,$(alone_src)))
server_obj := $(call obj,$(filter-out %/main.c,$(server_src)))
unit_bin   := $(unit_src:selftests/unit/%.c=$(B)/unit/%)
tool_bin   := $(patsubst selftests/net/preload/%.c,$(B)/tools/%.so,$(wildcard selftests/net/preload/*.c)) \
	      $(foreach t,$(tool_src),$(B)/tools/$(basename $(notdir $(t)))) $(if $(bench_src),$(B)/tools/load)

programs := $(B)/portunus-client $(B)/portunus-server $(B)/portunus-standalone

.PHONY: all check check-all soak unit tools bench bench-control fuzz fuzz-quick lint format install deb image clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(programs)

$(B)/libportunus.a: $(lib_obj)
$(B)/libedge.a: $(edge_obj)
$(B)/libstandalone.a: $(alone_obj)
$(B)/libserver.a: $(server_obj) $(B)/obj/web/assets.o $(B)/obj/gen/api/openapi.o
$(B)/%.a:
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(B)/portunus-client: $(B)/obj/userspace/edge/main.o $(B)/libedge.a $(B)/libportunus.a
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(edge_libs)

$(B)/portunus-standalone: $(B)/obj/userspace/standalone/main.o $(B)/libstandalone.a $(B)/libedge.a $(B)/libportunus.a
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(edge_libs)

$(B)/portunus-server: $(B)/obj/userspace/server/run/main.o $(B)/libserver.a $(B)/libportunus.a
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(server_libs)

# Generated headers exist before anything is compiled; after that the .d files know.
$(B)/obj/%.o: %.c | $(gen_h) $(skel)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The one file that a C++ library needs.
$(B)/obj/%.o: %.cc
	@mkdir -p $(@D)
	$(call say,CXX,$@)$(CXX) $(CXXFLAGS_ALL) -MMD -MP -c -o $@ $<

$(B)/obj/gen/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(ALL_CFLAGS) -w -MMD -MP -c -o $@ $<

$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h &: userspace/%.proto
	@mkdir -p $(@D)
	$(call say,PROTOC,$<)protoc-c --proto_path=userspace --c_out=$(B)/gen $<

# The description of the API, carried by the server as a string of its lines.
$(B)/gen/api/openapi.c: api/openapi.json
	@mkdir -p $(@D)
	$(call say,TEXT,$<){ echo 'extern const char openapi_text[]; const char openapi_text[] ='; \
		sed 's/[\\"]/\\&/g; s/^ *//; s/.*/"&"/' $<; echo ';'; } >$@

# BPF: C -> object (CO-RE) -> skeleton. bpftool wants the final path out of the object's way. The basic
# build is for kernels before 5.12, so its instruction set is v2: no compiler may make more of an atomic
# addition. test_account_kernel looks at what came out.
$(B)/gen/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h bpf/*.bpf.c)
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) -O2 -g -target bpf -mcpu=$(bpf_cpu) -D__TARGET_ARCH_$(bpf_arch) $(BPF_CFLAGS) $(bpf_flags) \
		-Wall -Werror -fdebug-compilation-dir=. -I. -I/usr/include/$(multiarch) -c -o $@ $<
$(B)/gen/bpf/%.skel.h: $(B)/gen/bpf/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@
bpf_cpu  := v3
$(B)/gen/bpf/account_basic.bpf.o: bpf_cpu := v2
# Header fields are summed in other widths than they are written.
$(B)/gen/bpf/relay.bpf.o: bpf_flags := -fno-strict-aliasing
multiarch = $(eval multiarch := $(shell $(CC) -print-multiarch))$(multiarch)
bpf_arch  = $(eval bpf_arch := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/'))$(bpf_arch)

# The web page: bundled once for all variants, carried by the server as C arrays.
web_src := $(shell find api/web/src -type f) $(addprefix api/web/,build.mjs index.html package-lock.json)
web_c   := $(if $(filter 0,$(WEB)),api/web/none.c,build/web/assets.c)

build/web/assets.c: $(web_src)
	$(Q)api/web/packages build
	$(call say,WEB,$@)node api/web/build.mjs build/web

# With or without: what was built the other way is out of date.
$(B)/obj/web/kind: FORCE
	@mkdir -p $(@D); echo $(WEB) | cmp -s - $@ || echo $(WEB) >$@
FORCE:
$(B)/obj/web/assets.o: $(web_c) $(B)/obj/web/kind api/routes/assets.h
	$(call say,CC,$@)$(CC) $(ALL_CFLAGS) -Wno-overlength-strings -c -o $@ $<

# Tests and tools
$(B)/unit/%: $(B)/obj/selftests/unit/%.o $(B)/libserver.a $(B)/libstandalone.a $(B)/libedge.a $(B)/libportunus.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(edge_libs) $(server_libs) -lcmocka

define tool_rule
$(B)/tools/$(basename $(notdir $(1))): $(B)/obj/$(1:.c=.o) $(B)/libedge.a $(B)/libportunus.a
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(edge_libs)
endef
$(foreach t,$(tool_src),$(eval $(call tool_rule,$(t))))

# What tests put between a program and its C library.
$(B)/tools/%.so: selftests/net/preload/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -O2 -Wall -Werror -shared -fPIC -o $@ $<

# The benchmark's load generator is one program of several files.
$(B)/tools/load: $(call obj,$(bench_src)) $(B)/libportunus.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^

# What a fuzzer calls is instrumented as well. Most include the file under test, which then is not
# taken from the archive; fuzz_http has the whole server behind it, fuzz_standalone what reads the file.
fuzz_alone := $(patsubst %,userspace/standalone/%.c,blake3 config convert problems settings span_text)
fuzz_bin := $(fuzz_src:selftests/fuzz/%.c=$(B)/fuzz/%)
fuzz_obj := $(patsubst $(B)/obj/%,$(B)/obj/fuzz/%,$(lib_obj) \
	    $(call obj,$(filter-out %/main.c cli/%,$(server_src)) $(fuzz_alone) api/web/none.c) $(B)/obj/gen/api/openapi.o)
FUZZ_CC = $(CLANG) -std=gnu11 -D_GNU_SOURCE -DPORTUNUS_VERSION='"$(VERSION)"' -g -O1 \
	  -fsanitize=address,undefined -fno-sanitize-recover=undefined -pthread \
	  -I. -Iuserspace -I$(B)/gen $(PKG_CFLAGS) -MMD -MP

$(B)/obj/fuzz/%.o: %.cc
	@mkdir -p $(@D)
	$(call say,FUZZCC,$@)$(CLANG) -x c++ -std=c++17 -D_GNU_SOURCE -fno-rtti -g -O1 -fsanitize=address,undefined \
		-fno-sanitize=function -fno-sanitize-recover=undefined -fsanitize=fuzzer-no-link -Iuserspace -MMD -MP -c -o $@ $<
$(B)/obj/fuzz/gen/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	$(call say,FUZZCC,$@)$(FUZZ_CC) -fsanitize=fuzzer-no-link -c -o $@ $<
$(B)/obj/fuzz/%.o: %.c | $(gen_h)
	@mkdir -p $(@D)
	$(call say,FUZZCC,$@)$(FUZZ_CC) -fsanitize=fuzzer-no-link -c -o $@ $<

$(B)/libfuzzed.a: $(fuzz_obj)

$(B)/fuzz/%: $(B)/obj/fuzz/selftests/fuzz/%.o $(B)/libfuzzed.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(FUZZ_CC) -fsanitize=fuzzer -o $@ $^ $(server_libs)

tools: $(tool_bin)

unit: $(unit_bin)
	$(Q)scripts/run-unit $(unit_bin)

lint: all
	$(Q)scripts/check-layers --build $(B)
	$(Q)scripts/check-shape
	$(Q)scripts/check-format $(FORMAT)

format:
	$(Q)git ls-files '*.c' '*.cc' '*.h' | xargs $(FORMAT) -i

check:
	$(Q)scripts/install-deps check
	$(Q)scripts/check

soak:
	$(Q)scripts/install-deps check
	$(Q)scripts/check soak

fuzz: $(fuzz_bin)
	$(Q)scripts/run-fuzz $(FUZZ_SECONDS) $(fuzz_bin)

bench:
	$(Q)scripts/install-deps bench
	$(Q)$(MAKE) --no-print-directory all tools
	$(Q)selftests/bench/run

bench-control: all tools
	$(Q)selftests/bench/control

bindir  = $(DESTDIR)$(PREFIX)/bin
docdir  = $(DESTDIR)$(PREFIX)/share/doc/portunus
mandir  = $(DESTDIR)$(PREFIX)/share/man
compdir = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
zshdir  = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
fishdir = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
unitdir = $(DESTDIR)$(PREFIX)/lib/systemd/system
userdir = $(DESTDIR)$(PREFIX)/lib/sysusers.d
watchdir = $(DESTDIR)$(PREFIX)/share/portunus
units   = portunus-client.service portunus-standalone.service portunus-server.service \
	  portunus-server-backup.service portunus-server-backup.timer

install: all
	$(Q)install -d $(bindir) $(docdir)/Documentation/images $(mandir)/man5 $(mandir)/man8 $(compdir) \
		$(zshdir) $(fishdir) $(unitdir) $(userdir) \
		$(watchdir)/prometheus $(watchdir)/grafana
	$(Q)install -m 755 $(programs) $(bindir)
	$(Q)install -m 644 README.md LICENSE $(docdir)
	$(Q)install -m 644 Documentation/*.md $(docdir)/Documentation
	$(Q)install -m 644 Documentation/images/*.png $(docdir)/Documentation/images
	$(Q)install -m 644 man/*.5 $(mandir)/man5
	$(Q)install -m 644 man/*.8 $(mandir)/man8
	$(Q)for p in client standalone; do \
		install -m 644 packaging/completion/portunus-$$p $(compdir) && \
		install -m 644 packaging/completion/_portunus-$$p $(zshdir) && \
		install -m 644 packaging/completion/portunus-$$p.fish $(fishdir) || exit 1; done
	$(Q)$(B)/portunus-server completion bash >$(compdir)/portunus-server
	$(Q)$(B)/portunus-server completion zsh >$(zshdir)/_portunus-server
	$(Q)$(B)/portunus-server completion fish >$(fishdir)/portunus-server.fish
	$(Q)for u in $(units); do sed 's,@BINDIR@,$(PREFIX)/bin,' packaging/systemd/$$u >$(unitdir)/$$u; done
	$(Q)install -m 644 packaging/sysusers.d/portunus.conf $(userdir)
	$(Q)install -m 644 packaging/prometheus/alerts.yml $(watchdir)/prometheus
	$(Q)install -m 644 packaging/grafana/*.json $(watchdir)/grafana
	@echo "installed below $(DESTDIR)$(PREFIX)"

deb:
	$(Q)scripts/install-deps deb
	$(call say,DEB,build/deb)WEB=$(WEB) scripts/build-deb build/deb

image: deb
	$(call say,IMAGE,build/image)scripts/build-image build/deb build/image

clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
