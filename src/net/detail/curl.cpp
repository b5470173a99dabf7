#include "net/detail/curl.h"

#include "net/detail/sigpipe.h"

namespace slipway::net {
namespace {

constexpr long connect_millis = 15000;

Kind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_FUNCTION_ARGUMENT:
      return Kind::invalid;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_LOGIN_DENIED:
    case CURLE_USE_SSL_FAILED:
    case CURLE_REMOTE_ACCESS_DENIED:
      return Kind::denied;
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
      return Kind::internal;
    // A connect that takes too long is a peer that cannot be reached; the deadline of the context is told apart.
    default:
      return Kind::unavailable;
  }
}

}  // namespace

CurlLine::CurlLine() {
  static const CURLcode once = (ignore_sigpipe(), curl_global_init(CURL_GLOBAL_DEFAULT));
  SLP_ASSERT(once == CURLE_OK);
  multi_ = curl_multi_init();
  easy_ = curl_easy_init();
  SLP_ASSERT(multi_ != nullptr && easy_ != nullptr);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 8L);
}

CurlLine::~CurlLine() {
  curl_easy_cleanup(easy_);
  curl_multi_cleanup(multi_);
}

void CurlLine::reset() { curl_easy_reset(easy_); }

Result<> CurlLine::finished() {
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    auto code = message->data.result;
    if (code == CURLE_OK) return {};
    std::string_view what = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
    return fail(kind_of(code), "{}", what);
  }
  return fail(Kind::internal, "curl ended without a result");
}

namespace {

// Measured on the real clock: a peer does not live in a simulation.
class Watch {
 public:
  explicit Watch(const CurlLine::Stall& stall) : stall_(stall) {}
  // Milliseconds until it is time to look again. Errors: timeout.
  Result<int> look() {
    constexpr int at_most = 60'000;
    if (stall_.after.count() <= 0) return at_most;
    auto now = real_clock().now();
    if (*stall_.moved != seen_) seen_ = *stall_.moved, since_ = now;
    auto left = std::chrono::duration_cast<Millis>(since_ + stall_.after - now).count();
    if (left <= 0) return fail(Kind::timeout, "the peer did nothing for {} ms", stall_.after.count());
    return static_cast<int>(std::min<std::int64_t>(left + 1, at_most));
  }

 private:
  const CurlLine::Stall& stall_;
  std::uint64_t seen_ = 0;
  Clock::time_point since_ = real_clock().now();
};

}  // namespace

Result<> CurlLine::perform(const Ctx& ctx, const Stall& stall) {
  error_[0] = '\0';
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_);
  curl_multi_add_handle(multi_, easy_);
  Finally remove([&] { curl_multi_remove_handle(multi_, easy_); });
  std::stop_callback wake(ctx.stop, [this] { curl_multi_wakeup(multi_); });
  Watch watch(stall);
  for (;;) {
    int running = 0;
    if (auto code = curl_multi_perform(multi_, &running); code != CURLM_OK)
      return fail(Kind::internal, "curl: {}", curl_multi_strerror(code));
    if (running == 0) return finished();
    TRY_OK(ctx.alive());
    TRY(int wait, watch.look());
    int left = ctx.millis_left();
    curl_multi_poll(multi_, nullptr, 0, left < 0 ? wait : std::min(left, wait), nullptr);
    TRY_OK(ctx.alive());
  }
}

void set_common(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_millis);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 15L);
}

}  // namespace slipway::net
