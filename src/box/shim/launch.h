// Makes a container of a plan: what an OCI runtime does, in a millisecond. Private to the guardian.
#pragma once
#include <sys/types.h>

// A plan is a file of records: NAME 0 COUNT 0 ARGUMENT 0 ... (detail/launch.cpp writes it; the names are said there).
struct Plan {
  char* text = nullptr;
  size_t size = 0;
};
bool read_plan(const char* file, Plan& plan);

// Field 22 of /proc/PID/stat: with the pid it names a process for good. 0: there is none.
unsigned long long start_time(int pid);

// What came of a launch.
struct Launched {
  pid_t pid = -1;   // of the container's first process; -1: it was not started, and `why` says it
  int master = -1;  // of its terminal, if it wants one
  char why[512] = {};
};
// `out`, `err`: what becomes its descriptors 1 and 2; -1: ours.
Launched launch(const Plan& plan, int out, int err);

// Runs a process in a container that is there. Gives its exit status; 255 with the reason in LOG: it was not started.
//   shim exec PLAN LOG PIDFILE
int run_inside(const char* plan, const char* log, const char* pid_file);
