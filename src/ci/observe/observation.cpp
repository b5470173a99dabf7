#include "ci/observe/observation.h"

#include <fmt/format.h>

#include "base/encode.h"
#include "base/text.h"

namespace slipway::ci {
namespace {

constexpr std::string_view first_line = "slipway observation 1";
constexpr std::string_view looks = "pcmnaw";

// Paths may hold any byte: what would end a field is escaped.
std::string escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\t')
      out += "\\t";
    else if (c == '\n')
      out += "\\n";
    else if (c == '\\')
      out += "\\\\";
    else
      out += c;
  }
  return out;
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) return fail(Kind::invalid, "a lone backslash at the end");
    if (text[i] == 't')
      out += '\t';
    else if (text[i] == 'n')
      out += '\n';
    else if (text[i] == '\\')
      out += '\\';
    else
      return fail(Kind::invalid, "unknown escape \\{}", text[i]);
  }
  return out;
}

void put(std::string& out, std::string_view kind, const std::vector<Fact>& facts) {
  for (auto& fact : facts) {
    out += kind;
    out += static_cast<char>(fact.look);
    out += '\t' + escape(fact.path) + '\t' + escape(fact.was) + '\n';
  }
}

Result<> take(std::string_view line, Observation& out) {
  auto words = split(line, '\t');
  auto kind = words[0];
  if (kind == "open" && words.size() == 2) {
    TRY(auto why, unescape(words[1]));
    out.open_ends.push_back(std::move(why));
    return {};
  }
  if (words.size() != 3) return fail(Kind::invalid, "want kind, name and value");
  TRY(auto name, unescape(words[1]));
  TRY(auto value, unescape(words[2]));
  if (kind == "value") {
    out.values[std::move(name)] = std::move(value);
    return {};
  }
  if (kind.size() != 2 || (kind[0] != 't' && kind[0] != 'h') || !looks.contains(kind[1]))
    return fail(Kind::invalid, "unknown kind {:?}", kind);
  (kind[0] == 't' ? out.tree : out.host).push_back({static_cast<Look>(kind[1]), std::move(name), std::move(value)});
  return {};
}

}  // namespace

std::string print(const Observation& o) {
  std::string out(first_line);
  out += '\n';
  put(out, "t", o.tree);
  put(out, "h", o.host);
  for (auto& [name, value] : o.values) out += "value\t" + escape(name) + '\t' + escape(value) + '\n';
  for (auto& why : o.open_ends) out += "open\t" + escape(why) + '\n';
  return out;
}

Result<Observation> parse_observation(std::string_view text) {
  Observation out;
  int number = 0;
  for (auto line : split(text, '\n')) {
    ++number;
    if (number == 1) {
      if (line != first_line) return fail(Kind::invalid, "line 1: want {:?}", first_line);
    } else if (!line.empty()) {
      TRY_OK_IN(fmt::format("line {}", number), take(line, out));
    }
  }
  return out;
}

}  // namespace slipway::ci
