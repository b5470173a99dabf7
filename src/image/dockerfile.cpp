#include "image/dockerfile.h"

#include <set>

#include "base/text.h"
#include "image/detail/line.h"
#include "image/detail/utf8.h"
#include "image/expand.h"

namespace slipway::image {

namespace {

constexpr std::size_t max_line = 65535;

std::string_view trim_start(std::string_view text) {
  while (!text.empty() && detail::is_space(text.front())) text.remove_prefix(1);
  return text;
}
std::string_view without_end(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}
bool is_comment(std::string_view line) { return trim_start(line).starts_with('#'); }

std::vector<Heredoc> heredocs_of(std::string_view line) {
  std::vector<Heredoc> out;
  Lookup nothing = [](std::string_view) { return std::nullopt; };
  auto words = expand_words(line, nothing, {.keep_quotes = true, .keep_escapes = true, .keep_unset = true});
  if (!words) return out;
  for (const auto& word : *words)
    if (auto doc = detail::heredoc_of(word)) out.push_back(std::move(*doc));
  return out;
}

bool may_have_heredocs(const Instruction& instruction) {
  const auto& i = instruction.trigger ? *instruction.trigger : instruction;
  return !i.json && (i.name == "run" || i.name == "copy" || i.name == "add");
}

class Parser {
 public:
  explicit Parser(Dockerfile& file) : file_(file) {
    std::string_view text = file.source;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    while (!text.empty()) {
      auto end = text.find('\n');
      auto n = end == std::string_view::npos ? text.size() : end + 1;
      lines_.push_back(text.substr(0, n));
      text.remove_prefix(n);
    }
  }

  Result<> run() {
    while (at_ < lines_.size()) TRY_OK(one());
    if (file_.instructions.empty()) return file_.wrong(1, 1, "no instructions, want at least a FROM");
    return {};
  }

 private:
  Result<std::string_view> take() {
    auto line = lines_[at_++];
    if (line.size() > max_line)
      return file_.wrong(static_cast<int>(at_), 1, fmt::format("line is longer than {} bytes", max_line));
    if (line.find('\0') != std::string_view::npos)
      return file_.wrong(static_cast<int>(at_), 1, "line holds a zero byte: no text file");
    return line;
  }
  // `#name=value` before anything else. The first line that is none ends them.
  Result<bool> directive(std::string_view line) {
    if (directives_over_) return false;
    auto wrong = [&](std::string_view what) { return file_.wrong(static_cast<int>(at_), 1, what); };
    auto over = [&] {
      directives_over_ = true;
      return false;
    };
    if (!line.starts_with('#')) return over();
    auto parts = cut(line.substr(1), "=");
    if (!parts) return over();
    auto key = lower(trim(parts->first));
    auto value = std::string(trim(parts->second));
    if (value.empty() || (key != "syntax" && key != "escape" && key != "check")) return over();
    if (!seen_.insert(key).second) return wrong(fmt::format("only one {} directive can be used", key));
    if (key == "syntax") file_.syntax = value;
    if (key == "check") file_.check = value;
    if (key == "escape") {
      if (value != "\\" && value != "`") return wrong(fmt::format("escape directive {:?}, want \\ or `", value));
      file_.escape = value[0];
    }
    return true;
  }
  // Drops a continuation character at the end; false: the line goes on.
  bool ends(std::string_view& line) const {
    auto cut_at = line.size();
    while (cut_at > 0 && (line[cut_at - 1] == ' ' || line[cut_at - 1] == '\t')) --cut_at;
    if (cut_at == 0 || line[cut_at - 1] != file_.escape) return true;
    if (cut_at >= 2 && line[cut_at - 2] == file_.escape) return true;
    line = line.substr(0, cut_at - 1);
    return false;
  }

  Result<> one() {
    TRY(auto raw, take());
    auto body = without_end(raw);
    auto first = trim_start(body);
    TRY(bool is_directive, directive(first));
    if (is_comment(body)) {
      if (!is_directive) comments_.emplace_back(trim(first.substr(1)));
      return {};
    }
    int start = static_cast<int>(at_), column = static_cast<int>(body.size() - first.size()) + 1;
    bool done = ends(first);
    if (done && first.empty()) {
      comments_.clear();
      return {};
    }
    std::string line(first);
    bool empty_inside = false;
    while (!done && at_ < lines_.size()) {
      TRY(raw, take());
      auto more = without_end(raw);
      if (is_comment(more)) continue;
      if (trim_start(more).empty()) {
        empty_inside = true;
        continue;
      }
      done = ends(more);
      line += more;
      if (line.size() > (std::size_t{4} << 20)) return file_.wrong(start, column, "instruction is longer than 4 MiB");
    }
    if (empty_inside) file_.remarks.push_back({start, "empty line inside a continuation: will be an error one day"});
    if (trim(line).empty()) return {};
    auto instruction = detail::parse_line(line, file_.escape);
    if (!instruction) return file_.wrong(start, column, instruction.error().what());
    instruction->line = start;
    instruction->column = column;
    instruction->comments = std::exchange(comments_, {});
    TRY_OK(heredocs(*instruction, line));
    instruction->end_line = static_cast<int>(at_);
    if (instruction->trigger) {
      auto trigger = std::make_shared<Instruction>(*instruction->trigger);
      trigger->line = start;
      trigger->column = column;
      trigger->end_line = instruction->end_line;
      trigger->heredocs = instruction->heredocs;
      instruction->trigger = std::move(trigger);
    }
    file_.instructions.push_back(*std::move(instruction));
    return {};
  }
  Result<> heredocs(Instruction& instruction, std::string_view line) {
    if (!may_have_heredocs(instruction) || line.find("<<") == std::string_view::npos) return {};
    for (auto& doc : heredocs_of(line)) {
      bool closed = false;
      while (!closed && at_ < lines_.size()) {
        TRY(auto raw, take());
        auto tabless = raw;
        if (doc.strip_tabs)
          while (tabless.starts_with('\t')) tabless.remove_prefix(1);
        closed = without_end(tabless) == doc.name;
        if (!closed) doc.content += raw;
      }
      if (!closed)
        return file_.wrong(instruction, fmt::format("heredoc is not closed: no line {:?} follows", doc.name));
      instruction.heredocs.push_back(std::move(doc));
    }
    return {};
  }

  Dockerfile& file_;
  std::vector<std::string_view> lines_;
  std::size_t at_ = 0;
  bool directives_over_ = false;
  std::set<std::string> seen_;
  std::vector<std::string> comments_;
};

// Go's strconv.Quote, as far as Dockerfiles need it.
std::string go_quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\a':
        out += "\\a";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\v':
        out += "\\v";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
          out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        else
          out += c;
    }
  }
  return out + "\"";
}

std::string print_one(const Instruction& i) {
  std::string out = i.name;
  if (!i.flags.empty()) {
    out += " [";
    for (std::size_t n = 0; n < i.flags.size(); ++n) out += (n == 0 ? "" : " ") + go_quote(i.flags[n]);
    out += "]";
  }
  if (i.trigger) out += " (" + print_one(*i.trigger) + ")";
  for (const auto& arg : i.args) out += " " + go_quote(arg);
  return out;
}

}  // namespace

std::optional<std::string_view> Instruction::flag(std::string_view wanted) const {
  auto all = flags_named(wanted);
  return all.empty() ? std::nullopt : std::optional(all.back());
}

std::vector<std::string_view> Instruction::flags_named(std::string_view wanted) const {
  std::vector<std::string_view> out;
  for (std::string_view flag : flags) {
    auto body = flag.substr(2);
    if (body == wanted)
      out.emplace_back();
    else if (body.starts_with(wanted) && body.size() > wanted.size() && body[wanted.size()] == '=')
      out.push_back(body.substr(wanted.size() + 1));
  }
  return out;
}

Fail Dockerfile::wrong(int line, int column, std::string_view what, std::string hint) const {
  auto text = fmt::format("{}:{}:{}: {}", this->name, line, column, what);
  auto all = lines(source);
  if (line >= 1 && static_cast<std::size_t>(line) <= all.size() && !all[static_cast<std::size_t>(line) - 1].empty())
    text += fmt::format("\n  {} | {}", line, all[static_cast<std::size_t>(line) - 1].substr(0, 200));
  auto error = Error(Kind::invalid, std::move(text));
  return Fail(hint.empty() ? std::move(error) : std::move(error).with_hint(std::move(hint)));
}

Result<Dockerfile> parse_dockerfile(std::string_view text, std::string name) {
  Dockerfile file;
  file.name = std::move(name);
  if (text.size() > (std::size_t{16} << 20))
    return fail(Kind::invalid, "{}: {} bytes, want at most 16 MiB", file.name, text.size());
  file.source = text;
  TRY_OK(Parser(file).run());
  return file;
}

Result<Dockerfile> parse_trigger(std::string_view line, std::string_view image) {
  return parse_dockerfile(line, fmt::format("ONBUILD of {}", image));
}

std::string print_tree(const Dockerfile& file) {
  std::string out;
  for (const auto& i : file.instructions) out += "(" + print_one(i) + ")\n";
  return out;
}

}  // namespace slipway::image
