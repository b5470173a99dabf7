#pragma once
// One curl transfer at a time, cancelled with its context; connections are kept from one to the next. Private to net.
#include <curl/curl.h>

#include "base/ctx.h"
#include "base/fd.h"

namespace slipway::net {

using CurlList = Owned<curl_slist, curl_slist_free_all>;

// Threads: one at a time.
class CurlLine {
 public:
  CurlLine();
  ~CurlLine();
  CurlLine(const CurlLine&) = delete;
  CurlLine& operator=(const CurlLine&) = delete;
  CURL* easy() { return easy_; }
  // When `moved` has not changed for `after`, the peer has stalled.
  struct Stall {
    Millis after{0};  // 0: never
    const std::uint64_t* moved = nullptr;
  };
  // Errors: unavailable, timeout, cancelled, denied, invalid.
  Result<> perform(const Ctx& ctx, const Stall& stall);
  Result<> perform(const Ctx& ctx) { return perform(ctx, {}); }
  // Forgets the request's options, keeps the connections.
  void reset();

 private:
  Result<> finished();
  CURLM* multi_;
  CURL* easy_;
  char error_[CURL_ERROR_SIZE] = "";
};

// Options that every transfer of ours has.
void set_common(CURL* easy);

}  // namespace slipway::net
