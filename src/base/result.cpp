#include "base/result.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace slipway {

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::invalid:
      return "invalid";
    case Kind::not_found:
      return "not found";
    case Kind::conflict:
      return "conflict";
    case Kind::denied:
      return "denied";
    case Kind::unavailable:
      return "unavailable";
    case Kind::timeout:
      return "timeout";
    case Kind::cancelled:
      return "cancelled";
    case Kind::corrupt:
      return "corrupt";
    case Kind::internal:
      return "internal";
  }
  return "internal";
}

std::string Error::print() const { return hint().empty() ? what() : fmt::format("{}\nhint: {}", what(), hint()); }

Fail fail_errno(int error, std::string_view doing) {
  Kind kind = Kind::internal;
  switch (error) {
    case ENOENT:
      kind = Kind::not_found;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      kind = Kind::denied;
      break;
    case EEXIST:
      kind = Kind::conflict;
      break;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EBUSY:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EADDRINUSE:
    case ENETUNREACH:
    case EHOSTUNREACH:
      kind = Kind::unavailable;
      break;
    case ETIMEDOUT:
      kind = Kind::timeout;
      break;
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EINVAL:
      kind = Kind::invalid;
      break;
    default:
      break;
  }
  return fail(kind, "{}: {}", doing, std::generic_category().message(error));
}

void assert_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "slipway: broken invariant at %s:%d: %s\n", file, line, expression);
  std::abort();
}

}  // namespace slipway
