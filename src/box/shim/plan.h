// What a container's plan says, and what both halves of its making share. Private to the guardian.
#pragma once
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "launch.h"

// One record of a plan while it is read.
struct Record {
  const char* name = nullptr;
  int count = 0;
  const char* argument[8] = {};  // of longer ones the first

  bool is(const char* other) const { return strcmp(name, other) == 0; }
  long number(int i) const { return strtol(argument[i], nullptr, 10); }
  unsigned long long unsigned_number(int i) const { return strtoull(argument[i], nullptr, 10); }
};

class Reader {
 public:
  explicit Reader(const Plan& plan) : at_(plan.text), end_(plan.text + plan.size) {}
  bool next(Record& record) {
    if (at_ >= end_) return false;
    record = {};
    record.name = take();
    record.count = at_ < end_ ? atoi(take()) : 0;
    for (int i = 0; i < record.count && at_ < end_; ++i) {
      const char* text = take();
      if (i < 8) record.argument[i] = text;
    }
    return true;
  }

 private:
  const char* take() {
    const char* text = at_;
    at_ += strlen(at_) + 1;
    return text;
  }
  const char* at_;
  const char* end_;
};

extern int g_channel;  // to the guardian; -1 in an exec
extern int g_log;      // where an exec says why not

// Says why and ends: the first process of a container that cannot be.
[[noreturn]] __attribute__((format(printf, 1, 2))) void give_up(const char* format, ...);
[[noreturn]] void fail_at(const char* what, const char* where = "");
#define MUST(call, ...)                   \
  do {                                    \
    if ((call) < 0) fail_at(__VA_ARGS__); \
  } while (0)

// tree.cpp: the file system of a container.
// What has to be opened while the host's files are still in sight.
constexpr int kMostBinds = 512;
struct Sources {
  int bind[kMostBinds];
  int binds = 0, null = -1, seccomp = -1;
};
void open_sources(const Plan& plan, Sources& sources);
// The new root is a mount of its own from here on, and nothing that is mounted is seen outside.
void open_root(const char* root);
void build_tree(const Plan& plan, Sources& sources);
void enter_root();
void make_root_read_only();
// A detached mount at its place; `system`: one that every container has.
void place(int mounted, const char* path, bool folder, bool system);
int clone_mount(const char* path);

// process.cpp: the process of a container.
struct Process {
  uid_t uid = 0;
  gid_t gid = 0;
  gid_t groups[64];
  size_t group_count = 0;
  bool set_groups = true;
  unsigned long long capabilities = 0;
  bool no_new_privileges = false, tty = false;
  const char* cwd = "/";
  char** argv = nullptr;
  char** env = nullptr;
};
Process read_process(const Plan& plan);
void set_limits(const Plan& plan);
void reset_signals();
// From root with everything to the process as it was asked for.
[[noreturn]] void become(const Process& process, int filter);
