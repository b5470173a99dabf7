#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>

#include "script/runner/runner.h"

namespace slipway::script {
namespace {

bool limit(__rlimit_resource what, rlim_t most) {
  rlimit both{most, most};
  return ::setrlimit(what, &both) == 0;
}

// What computing takes, reading a request and writing its answer. All else is refused to the caller: nothing here
// needs it, and a library that asks in vain goes on.
bool filter() {
  auto rules = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (rules == nullptr) return false;
  bool well = true;
  for (int call :
       {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(exit_group), SCMP_SYS(exit), SCMP_SYS(brk), SCMP_SYS(munmap),
        SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(setitimer),
        SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getrusage),
        SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall)})
    well = well && seccomp_rule_add(rules, SCMP_ACT_ALLOW, call, 0) == 0;
  // Memory, but none to run code in.
  for (int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
    well = well && seccomp_rule_add(rules, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
  well = well && seccomp_load(rules) == 0;
  seccomp_release(rules);
  return well;
}

}  // namespace

bool confine(std::size_t memory) { return limit(RLIMIT_AS, memory) && limit(RLIMIT_CORE, 0) && filter(); }

}  // namespace slipway::script
