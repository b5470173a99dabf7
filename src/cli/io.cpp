#include <unistd.h>

#include <cstdlib>

#include "base/fd.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/printable.h"
#include "doc/json.h"

namespace slipway::cli {
namespace {

// Columns a string takes on a terminal: UTF-8 code points, escapes not counted.
std::size_t width(std::string_view text) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\033') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      ++n;
    }
  }
  return n;
}

}  // namespace

std::string Arguments::get(const std::string& name, std::string_view fallback) const {
  auto found = values_.find(name);
  return found == values_.end() ? std::string(fallback) : found->second.back();
}

std::vector<std::string> Arguments::all(const std::string& name) const {
  auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

Io::Io(bool json) : json_(json), terminal_(::isatty(1) == 1 && std::getenv("NO_COLOR") == nullptr) {}

void Io::print(std::string_view text) {
  if (failure_) return;
  errno = 0;
  if (auto written = write_all(1, text); !written && errno != EPIPE)
    failure_ = std::move(written).error().in("standard output");
}
void Io::line(std::string_view text) { print(printable(text, Lines::many) + "\n"); }
void Io::note(std::string_view text) { (void)write_all(2, printable(text, Lines::many) + "\n"); }
void Io::said(std::string_view text, const doc::Value& value) {
  if (json_)
    document(value);
  else
    line(text);
}
void Io::document(const doc::Value& value) { line(doc::print_json_pretty(value)); }

void Io::table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& written) {
  auto rows = written;
  for (auto& row : rows)
    for (auto& cell : row) cell = printable(cell, Lines::one);
  std::vector<std::size_t> widths;
  for (const auto& cell : head) widths.push_back(width(cell));
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  auto put = [&](const std::vector<std::string>& cells, bool bold) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += bold ? paint(Paint::bold, cells[i]) : cells[i];
      if (i + 1 < cells.size()) text.append(widths[i] - std::min(widths[i], width(cells[i])) + 3, ' ');
    }
    line(text);
  };
  put(head, true);
  for (const auto& row : rows) put(row, false);
}

std::string Io::paint(Paint paint, std::string_view text) const {
  if (!terminal_) return std::string(text);
  static constexpr const char* codes[] = {"32", "31", "33", "2", "1"};
  return fmt::format("\033[{}m{}\033[0m", codes[static_cast<int>(paint)], text);
}

}  // namespace slipway::cli
