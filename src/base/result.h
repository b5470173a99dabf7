#pragma once
// Results and errors. Every function that can fail returns Result<T>; "not there" is Result<std::optional<T>>.
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace slipway {

// What the caller can do about an error, not where it came from.
enum class Kind : std::uint8_t {
  invalid,      // the input is wrong: mend it
  not_found,    // a thing that must exist does not
  conflict,     // somebody else changed it: read again and retry
  denied,       // policy or rights refuse it
  unavailable,  // cannot be reached or run now: retry later
  timeout,      // the deadline passed
  cancelled,    // the caller asked to stop
  corrupt,      // stored data is not what was stored
  internal      // a bug of ours
};
std::string_view to_string(Kind kind);

// One pointer wide. The message reads `<place>: <thing>: <what is wrong>, want <what is right>`, lower case,
// no full stop, never a secret; the hint is the exact next thing to do. Threads: as a value.
class [[nodiscard]] Error {
 public:
  Error(Kind kind, std::string what) : rep_(new Rep{kind, std::move(what), {}, {}}) {}
  Error(const Error& other) : rep_(new Rep(*other.rep_)) {}
  Error(Error&&) noexcept = default;
  Error& operator=(const Error& other) { return *this = Error(other); }
  Error& operator=(Error&&) noexcept = default;
  ~Error() = default;

  Kind kind() const noexcept { return rep_->kind; }
  const std::string& what() const noexcept { return rep_->what; }
  const std::string& hint() const noexcept { return rep_->hint; }
  std::optional<std::chrono::milliseconds> retry_after() const noexcept { return rep_->retry_after; }
  bool retryable() const noexcept { return kind() == Kind::unavailable || kind() == Kind::timeout; }
  bool is(Kind kind) const noexcept { return rep_->kind == kind; }

  // Puts one line of context before the message: `push config repo: ...`. Once per room border.
  Error in(std::string_view doing) && {
    rep_->what.insert(0, fmt::format("{}: ", doing));
    return std::move(*this);
  }
  Error with_hint(std::string hint) && {
    rep_->hint = std::move(hint);
    return std::move(*this);
  }
  Error with_retry_after(std::chrono::milliseconds after) && {
    rep_->retry_after = after;
    return std::move(*this);
  }
  Error as(Kind kind) && {
    rep_->kind = kind;
    return std::move(*this);
  }
  // The message and, when there is one, the hint on a line of its own.
  std::string print() const;

 private:
  struct Rep {
    Kind kind;
    std::string what, hint;
    std::optional<std::chrono::milliseconds> retry_after;
  };
  std::unique_ptr<Rep> rep_;
};

template <class T = void>
using Result = std::expected<T, Error>;
using Fail = std::unexpected<Error>;

template <class... Args>
Fail fail(Kind kind, fmt::format_string<Args...> format, Args&&... args) {
  return Fail(Error(kind, fmt::format(format, std::forward<Args>(args)...)));
}
// From errno: ENOENT becomes not_found, EACCES and EPERM denied, ENOSPC and the like unavailable.
Fail fail_errno(int error, std::string_view doing);

[[noreturn]] void assert_failed(const char* expression, const char* file, int line);

}  // namespace slipway

// A broken invariant of ours: aborts with the place, in all builds. Never on user input.
#define SLP_ASSERT(...) \
  ((__VA_ARGS__) ? static_cast<void>(0) : ::slipway::assert_failed(#__VA_ARGS__, __FILE__, __LINE__))

#define SLP_CAT2_(a, b) a##b
#define SLP_CAT_(a, b) SLP_CAT2_(a, b)
#define SLP_TRY_(t, decl, ...)                          \
  auto t = (__VA_ARGS__);                               \
  if (!t) return ::slipway::Fail(std::move(t).error()); \
  decl = *std::move(t)
// TRY(auto repo, open(path));
#define TRY(decl, ...) SLP_TRY_(SLP_CAT_(try_, __COUNTER__), decl, __VA_ARGS__)
#define SLP_TRY_IN_(t, decl, doing, ...)                          \
  auto t = (__VA_ARGS__);                                         \
  if (!t) return ::slipway::Fail(std::move(t).error().in(doing)); \
  decl = *std::move(t)
// TRY_IN(auto repo, "push config repo", open(path));
#define TRY_IN(decl, doing, ...) SLP_TRY_IN_(SLP_CAT_(try_, __COUNTER__), decl, doing, __VA_ARGS__)
#define SLP_TRY_OK_(t, ...) \
  if (auto t = (__VA_ARGS__); !t) return ::slipway::Fail(std::move(t).error())
// TRY_OK(write(path, text));
#define TRY_OK(...) SLP_TRY_OK_(SLP_CAT_(try_, __COUNTER__), __VA_ARGS__)
#define SLP_TRY_OK_IN_(t, doing, ...) \
  if (auto t = (__VA_ARGS__); !t) return ::slipway::Fail(std::move(t).error().in(doing))
#define TRY_OK_IN(doing, ...) SLP_TRY_OK_IN_(SLP_CAT_(try_, __COUNTER__), doing, __VA_ARGS__)
