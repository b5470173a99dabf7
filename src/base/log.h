#pragma once
// A small structured log. LOG(info, "oci.pull.done", {"ref", ref}, {"bytes", n}, {"ms", ms});
// error = a person must act; warn = degraded, heals itself; info = one line a stage change; debug = free.
#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace slipway {

enum class Level { debug, info, warn, error };

struct Field {
  std::string_view name;
  std::string value;
  template <class T>
  Field(std::string_view field, const T& v) : name(field), value(text(v)) {}

 private:
  template <class T>
  static std::string text(const T& v) {
    if constexpr (std::is_convertible_v<T, std::string_view>)
      return std::string(std::string_view(v));
    else
      return fmt::format("{}", v);
  }
};

void log_write(Level level, std::string_view event, std::initializer_list<Field> fields);
bool log_enabled(Level level);
void set_log_level(Level level);
enum class LogFormat { text, json };
void set_log_format(LogFormat format);
// Every line passes through it before it is written; the secret room installs its redaction set here.
void set_log_redaction(std::function<std::string(std::string)> redact);

}  // namespace slipway

#define LOG(level, event, ...)                                             \
  do {                                                                     \
    if (::slipway::log_enabled(::slipway::Level::level))                   \
      ::slipway::log_write(::slipway::Level::level, event, {__VA_ARGS__}); \
  } while (false)
