#pragma once
// A write to a peer that is gone is an error of that write, not the end of the process. sendfile, OpenSSL and curl
// have no flag for it. Children get the default back (base/process.h).
#include <signal.h>

namespace slipway::net {

inline void ignore_sigpipe() {
  static const bool once = [] {
    struct sigaction now{};
    if (::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
    return true;
  }();
  (void)once;
}

}  // namespace slipway::net
