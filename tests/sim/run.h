// Whole runs of the kernel, checked: what most tests on the simulated machine are written with.
//
//     struct sim_config config = sim_machine("kvm-invtsc");
//     config.options = "window=20ms precision=0";
//     run(&config);
//     expect(find("verdict", "source", "leaf-0x40000010"), "verdict", "ok");
//     expect_end("pass");
//
// Each function fails the cmocka test that calls it, and says why.
#pragma once

#include "tests/sim/records.h"
#include "tests/sim/sim.h"

// Of the last run.
extern struct sim_result result;

// Runs the kernel, and checks what holds for every run: it ends, breaks no rule of the machine, and
// every line of COM2 is a sound record, and of COM1 fit to be read.
void run(const struct sim_config *config);

// The first record of this name in COM2 in which `key` is the string `value`; `key` NULL: the first
// one.
struct record find(const char *name, const char *key, const char *value);

// Is `key` of the record this string?
void expect(struct record record, const char *key, const char *value);

// Is this the result in the end record?
void expect_end(const char *outcome);

// The integer under `key`.
int64_t number(struct record record, const char *key);

// Fails unless exactly these checks of the audit failed: their ids, with a space behind each.
void expect_failed(const char *ids);
