#include "ci/run/commands.h"

#include "base/text.h"

namespace slipway::ci {
namespace {

std::string unescape_data(std::string text) {
  text = replace_all(replace_all(std::move(text), "%0D", "\r"), "%0A", "\n");
  return replace_all(std::move(text), "%25", "%");
}
std::string unescape_property(std::string text) {
  text = replace_all(replace_all(std::move(text), "%0D", "\r"), "%0A", "\n");
  text = replace_all(replace_all(std::move(text), "%3A", ":"), "%2C", ",");
  return replace_all(std::move(text), "%25", "%");
}

}  // namespace

std::optional<WorkflowCommand> parse_command(std::string_view line) {
  while (!line.empty() && (line[0] == ' ' || line[0] == '\t')) line.remove_prefix(1);
  if (!line.starts_with("::")) return {};
  auto end = line.find("::", 2);
  if (end == std::string_view::npos) return {};
  auto head = line.substr(2, end - 2);
  WorkflowCommand out;
  auto blank = head.find(' ');
  out.name = lower(head.substr(0, blank));
  if (out.name.empty()) return {};
  if (blank != std::string_view::npos) {
    for (auto property : split(trim(head.substr(blank)), ',')) {
      auto pair = cut(property, "=");
      if (pair && !trim(pair->first).empty())
        out.properties[lower(trim(pair->first))] = unescape_property(std::string(pair->second));
    }
  }
  out.data = unescape_data(std::string(trim_end(line.substr(end + 2))));
  return out;
}

Result<Pairs> parse_env_file(std::string_view text, std::string_view file_name) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Pairs out;
  std::size_t number = 0;
  auto next = [&](bool& ended) {
    auto end = text.find('\n');
    ended = end != std::string_view::npos;
    auto line = text.substr(0, end);
    text.remove_prefix(ended ? end + 1 : text.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    return line;
  };
  while (!text.empty()) {
    bool ended = false;
    auto line = next(ended);
    if (line.empty()) continue;
    auto equals = line.find('='), heredoc = line.find("<<");
    // Whichever comes first decides.
    if (equals != std::string_view::npos && (heredoc == std::string_view::npos || equals < heredoc)) {
      if (equals == 0)
        return fail(Kind::invalid, "{}:{}: Invalid format '{}'. Name must not be empty", file_name, number, line);
      out.emplace_back(line.substr(0, equals), line.substr(equals + 1));
      continue;
    }
    if (heredoc == std::string_view::npos)
      return fail(Kind::invalid, "{}:{}: Invalid format '{}'", file_name, number, line);
    std::string name(line.substr(0, heredoc)), delimiter(line.substr(heredoc + 2)), value;
    if (name.empty() || delimiter.empty())
      return fail(Kind::invalid, "{}:{}: Invalid format '{}'. Name must not be empty and delimiter must not be empty",
                  file_name, number, line);
    for (bool first = true;; first = false) {
      if (text.empty())
        return fail(Kind::invalid, "{}:{}: Invalid value. Matching delimiter not found '{}'", file_name, number,
                    delimiter);
      auto part = next(ended);
      if (part == delimiter) break;
      if (!ended)
        return fail(Kind::invalid, "{}:{}: Invalid value. EOF value must contain end of line", file_name, number);
      if (!first) value += '\n';
      value += part;
    }
    out.emplace_back(std::move(name), std::move(value));
  }
  return out;
}

std::string strip_colours(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b' && i + 1 < text.size() && text[i + 1] == '[') {
      i += 2;
      while (i < text.size() && !(text[i] >= '@' && text[i] <= '~')) ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace slipway::ci
