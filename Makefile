# The only entry for building and checking: `make help` lists the targets.
# Sources are found by folder, so a new file needs no line here.

BUILD   ?= build
CC      ?= gcc
CLANG   ?= clang
NODE    ?= node
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
STD     := -std=c11 -D_GNU_SOURCE -fPIC
SAN     :=
# What Debian builds its own packages with; a sanitizer watches more closely than FORTIFY does.
HARDEN   = -fstack-protector-strong -fstack-clash-protection -Wformat -Werror=format-security $(if $(SAN),,-D_FORTIFY_SOURCE=2)
LINK    := -Wl,-z,relro,-z,now
INC     := -Icore -Iadapters/mapping -Iadapters/transports -Iadapters/dispatcher
PKGS    := jansson yaml-0.1 libcrypto libpcre2-8 libxml-2.0
APKGS   := libcurl hiredis libjwt
PCFLAGS := $(shell pkg-config --cflags jansson yaml-0.1 libcrypto libpcre2-8 libcurl libxml-2.0 2>/dev/null)
LIBS    := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lunistring
ALIBS   := $(shell pkg-config --libs libcurl libjwt 2>/dev/null) -lhiredis -lodbc
ALLC     = $(STD) $(WARN) $(CFLAGS) $(HARDEN) $(SAN) $(INC) $(PCFLAGS)

CORE_SRC := $(sort $(wildcard core/*.c))
ADAP_SRC := $(sort $(filter-out %/ym_main_dispatcher.c,$(wildcard adapters/dispatcher/*.c adapters/mapping/*.c adapters/transports/*.c)))
TOOL_SRC := $(sort $(wildcard adapters/tools/*.c))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
MOD_SRC  := $(sort $(wildcard ngx_module/*.c ngx_module/*.h)) ngx_module/config

CORE_OBJ := $(CORE_SRC:%.c=$(BUILD)/obj/%.o)
ADAP_OBJ := $(ADAP_SRC:%.c=$(BUILD)/obj/%.o)
TOOL_OBJ := $(TOOL_SRC:%.c=$(BUILD)/obj/%.o)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)

FUZZ_SECONDS ?= 60

.PHONY: all help portal module unit fuzz lint format asan crash bench docs clean test
all: $(BUILD)/yimen $(BUILD)/yimen-dispatcher module

help:
	@echo "make            build everything into $(BUILD)/"
	@echo "make portal     build the portal into $(BUILD)/portal"
	@echo "make unit       unit tests of core and adapters (cmocka)"
	@echo "make asan       the same under AddressSanitizer and UBSan"
	@echo "make fuzz       every fuzz target for FUZZ_SECONDS=$(FUZZ_SECONDS) seconds"
	@echo "make lint       banned calls, complexity, length, warnings, shell, spelling"
	@echo "make crash      kill everything at random: RECORDS= KILLS= SEED="
	@echo "make bench      measure against ceilings and peers, writes $(BUILD)/bench.json"
	@echo "make docs       regenerate the generated references"
	@echo "make test       all of it: what scripts/test runs"

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALLC) -MMD -MP -c $< -o $@

# The function library is part of the program (.incbin in ym_access.c).
$(BUILD)/obj/adapters/dispatcher/ym_access.o: $(wildcard core/ym_store*.lua)

$(BUILD)/libym_core.a: $(CORE_OBJ)
	@rm -f $@; ar rcs $@ $^

$(BUILD)/libym_adapters.a: $(ADAP_OBJ)
	@rm -f $@; ar rcs $@ $^

$(BUILD)/yimen: $(TOOL_OBJ) $(BUILD)/libym_adapters.a $(BUILD)/libym_core.a
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) $(SAN) $(LINK) $(TOOL_OBJ) $(BUILD)/libym_adapters.a $(BUILD)/libym_core.a $(ALIBS) $(LIBS) -o $@

$(BUILD)/yimen-dispatcher: $(BUILD)/obj/adapters/dispatcher/ym_main_dispatcher.o $(BUILD)/libym_adapters.a $(BUILD)/libym_core.a
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) $(SAN) $(LINK) $^ $(ALIBS) $(LIBS) -o $@

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libym_adapters.a $(BUILD)/libym_core.a
	@mkdir -p $(@D)
	@$(CC) $(ALLC) $< $(BUILD)/libym_adapters.a $(BUILD)/libym_core.a $(ALIBS) $(LIBS) -lcmocka -o $@

# --- transports' probe: a program that lets tests/adapters/transports.test.mjs drive one transport.
# Built with sanitizers from the sources it needs, so that a leak or a bad access fails the test.
PROBE_SRC := tests/adapters/transport_probe.c $(wildcard adapters/transports/*.c) $(CORE_SRC)
$(BUILD)/tests/transport_probe: $(PROBE_SRC) $(wildcard core/*.h adapters/*/*.h)
	@mkdir -p $(@D)
	@echo "  PROBE $@"
	@$(CC) $(STD) $(WARN) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined $(INC) $(PCFLAGS) \
	  $(PROBE_SRC) $(ALIBS) $(LIBS) -o $@
# --- end of the transports' probe

unit: $(UNIT_BIN)
	@for t in $(UNIT_BIN); do $$t || exit 1; done

asan:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SAN="-fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined" unit

# Fuzz targets are linked with clang against objects that carry coverage and sanitizers themselves.
# ngx_http_yimen_reply.c is the one file of the module that needs no nginx.
FUZZ_OBJ := $(CORE_SRC:%.c=$(BUILD)/fuzzobj/%.o) $(ADAP_SRC:%.c=$(BUILD)/fuzzobj/%.o) \
            $(BUILD)/fuzzobj/ngx_module/ngx_http_yimen_reply.o
FUZZC     = $(CLANG) $(STD) -O1 -g $(INC) -Ingx_module $(PCFLAGS)

$(BUILD)/fuzzobj/%.o: %.c
	@mkdir -p $(@D)
	@$(FUZZC) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@

.SECONDARY: $(FUZZ_OBJ)
-include $(FUZZ_OBJ:.o=.d)

$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_OBJ)
	@mkdir -p $(@D)
	@echo "  FUZZ  $<"
	@$(FUZZC) -fsanitize=fuzzer,address,undefined $< $(FUZZ_OBJ) $(ALIBS) $(LIBS) -o $@

fuzz: $(FUZZ_BIN)
	@scripts/fuzz $(BUILD)/fuzz $(FUZZ_SECONDS) $(FUZZ_GATE_SECONDS)

# nginx's own build, against the headers of Debian's nginx-dev.
module: $(BUILD)/nginx/ngx_http_yimen_module.so
$(BUILD)/nginx/ngx_http_yimen_module.so: $(MOD_SRC) $(CORE_SRC) $(wildcard core/*.h)
	@scripts/build-module $(abspath $(BUILD)/nginx)

lint:
	@scripts/lint

format:
	@clang-format -i $(wildcard core/*.[ch] adapters/*/*.[ch] tests/unit/*.c tests/fuzz/*.c)

crash: all
	@scripts/crash

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libym_adapters.a $(BUILD)/libym_core.a
	@mkdir -p $(@D)
	@$(CC) $(ALLC) $< $(BUILD)/libym_adapters.a $(BUILD)/libym_core.a $(ALIBS) $(LIBS) -o $@

bench: all
	@scripts/bench

portal:
	@scripts/build-portal $(abspath $(BUILD)/portal)

docs: $(BUILD)/yimen
	@scripts/docs $(BUILD)/yimen

test:
	@scripts/test

clean:
	rm -rf $(BUILD)

-include $(CORE_OBJ:.o=.d) $(ADAP_OBJ:.o=.d) $(TOOL_OBJ:.o=.d)
