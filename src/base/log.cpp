#include "base/log.h"

#include <atomic>
#include <chrono>
#include <mutex>

#include "base/fd.h"
#include "base/time.h"

namespace slipway {
namespace {

std::atomic<Level> threshold = Level::info;
std::atomic<LogFormat> format = LogFormat::text;
std::mutex redaction_mutex;
std::function<std::string(std::string)> redaction;

std::string quoted(std::string_view value, bool always) {
  bool plain = !always && !value.empty() && value.find_first_of(" \t\r\n\"=\\") == std::string_view::npos;
  if (plain) return std::string(value);
  std::string text = "\"";
  for (unsigned char c : value) {
    if (c == '"' || c == '\\')
      text += '\\', text += static_cast<char>(c);
    else if (c == '\n')
      text += "\\n";
    else if (c == '\t')
      text += "\\t";
    else if (c < 0x20)
      text += fmt::format("\\u{:04x}", c);
    else
      text += static_cast<char>(c);
  }
  return text + "\"";
}

constexpr std::string_view names[] = {"debug", "info", "warn", "error"};

}  // namespace

bool log_enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }
void set_log_level(Level level) { threshold = level; }
void set_log_format(LogFormat f) { format = f; }
void set_log_redaction(std::function<std::string(std::string)> redact) {
  std::lock_guard lock(redaction_mutex);
  redaction = std::move(redact);
}

void log_write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  auto now = rfc3339_millis(std::chrono::system_clock::now());
  auto name = names[static_cast<int>(level)];
  std::string line;
  if (format == LogFormat::json) {
    line = fmt::format(R"({{"time":"{}","level":"{}","event":{})", now, name, quoted(event, true));
    for (const auto& field : fields) line += fmt::format(",{}:{}", quoted(field.name, true), quoted(field.value, true));
    line += "}";
  } else {
    line = fmt::format("{} {:5} {}", now, name, event);
    for (const auto& field : fields) line += fmt::format(" {}={}", field.name, quoted(field.value, false));
  }
  {
    std::lock_guard lock(redaction_mutex);
    if (redaction) line = redaction(std::move(line));
  }
  line += '\n';
  (void)write_all(2, line);
}

}  // namespace slipway
