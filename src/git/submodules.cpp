// Rules: git's documentation of its configuration's syntax and of gitmodules; which names, paths and urls are refused:
// what `git fsck` calls gitmodulesName, gitmodulesPath and gitmodulesUrl.
#include "git/submodules.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.h"

namespace slipway::git {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool is_key(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'; }

bool leads_out(std::string_view text) {
  auto steps = split(text, '/');
  return std::find(steps.begin(), steps.end(), "..") != steps.end();
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
  }

  Result<std::vector<Submodule>> all() {
    while (true) {
      skip_blank();
      if (at_ == text_.size()) break;
      TRY_OK(text_[at_] == '[' ? section() : setting());
    }
    for (const auto& module : found_) TRY_OK(check(module));
    return std::move(found_);
  }

 private:
  Fail wrong(std::string_view what) const { return fail(Kind::invalid, ".gitmodules:{}: {}", line_, what); }
  bool ended() const { return at_ == text_.size() || text_[at_] == '\n'; }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  void skip_comment() {
    while (!ended()) ++at_;
  }
  void skip_blank() {
    while (at_ < text_.size()) {
      if (text_[at_] == '\n')
        ++line_, ++at_;
      else if (is_space(text_[at_]))
        ++at_;
      else if (text_[at_] == '#' || text_[at_] == ';')
        skip_comment();
      else
        return;
    }
  }

  // [submodule "name"]; other sections are none of ours.
  Result<> section() {
    ++at_;
    auto begin = at_;
    while (!ended() && (is_key(text_[at_]) || text_[at_] == '.')) ++at_;
    auto kind = lower(text_.substr(begin, at_ - begin));
    skip_space();
    std::string name;
    bool named = !ended() && text_[at_] == '"';
    if (named) {
      for (++at_; !ended() && text_[at_] != '"'; ++at_) {
        if (text_[at_] == '\\') ++at_;
        if (ended()) break;
        name += text_[at_];
      }
      if (ended()) return wrong("the section's name has no end");
      ++at_;
    } else if (kind.starts_with("submodule.")) {  // as older gits wrote it
      name = kind.substr(10), kind = "submodule", named = true;
    }
    if (ended() || text_[at_] != ']') return wrong("want a section such as [submodule \"name\"]");
    ++at_;
    current_ = nullptr;
    if (kind != "submodule" || !named) return {};
    auto [place, fresh] = by_name_.try_emplace(name, found_.size());
    if (fresh) found_.push_back({name, "", ""});
    current_ = &found_[place->second];
    return {};
  }

  Result<> setting() {
    auto begin = at_;
    while (!ended() && is_key(text_[at_])) ++at_;
    auto key = lower(text_.substr(begin, at_ - begin));
    if (key.empty()) return wrong("want `key = value`");
    skip_space();
    std::string value;
    if (!ended() && text_[at_] == '=') {
      ++at_;
      TRY(value, value_text());
    } else if (!ended() && text_[at_] != '#' && text_[at_] != ';') {
      return wrong("want `key = value`");
    }
    if (current_ == nullptr) return {};
    if (key == "path") {
      while (value.ends_with('/')) value.pop_back();
      current_->path = value;
    }
    if (key == "url") current_->url = value;
    return {};
  }

  // Quotes keep blanks and comments' signs, a backslash at the end goes on with the next line.
  Result<std::string> value_text() {
    skip_space();
    std::string value, blanks;
    bool quoted = false;
    for (; at_ < text_.size() && text_[at_] != '\n'; ++at_) {
      char c = text_[at_];
      if (!quoted && (c == '#' || c == ';')) {
        skip_comment();
        break;
      }
      if (!quoted && is_space(c)) {
        blanks += c;
        continue;
      }
      value += std::exchange(blanks, {});
      if (c == '"') {
        quoted = !quoted;
      } else if (c == '\\') {
        TRY_OK(escaped(value));
      } else {
        value += c;
      }
    }
    if (quoted) return wrong("a quotation has no end");
    return value;
  }

  Result<> escaped(std::string& value) {
    ++at_;
    if (at_ < text_.size() && text_[at_] == '\r' && text_.substr(at_ + 1).starts_with('\n')) ++at_;
    if (at_ == text_.size()) return wrong("a backslash ends the file");
    switch (text_[at_]) {
      case '\n':
        ++line_;
        return {};
      case 'n':
        value += '\n';
        return {};
      case 't':
        value += '\t';
        return {};
      case 'b':
        value += '\b';
        return {};
      case '"':
      case '\\':
        value += text_[at_];
        return {};
      default:
        return wrong("unknown escape, want one of \\n \\t \\b \\\" \\\\");
    }
  }

  static Result<> check(const Submodule& module) {
    auto refuse = [&](std::string_view what, std::string_view value) -> Result<> {
      return fail(Kind::invalid, ".gitmodules: submodule {:?}: {} {:?} is refused", module.name, what, value);
    };
    if (module.name.empty() || leads_out(replace_all(module.name, "\\", "/")) || has_control(module.name))
      return refuse("the name", module.name);
    const auto& path = module.path;
    if (path.starts_with('/') || path.starts_with('-') || leads_out(path) || has_control(path))
      return refuse("the path", path);
    if (module.url.starts_with('-') || has_control(module.url)) return refuse("the url", module.url);
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Submodule> found_;
  std::map<std::string, std::size_t> by_name_;
  Submodule* current_ = nullptr;
};

// Where the part of an address begins that ".." may take away: behind the host.
std::size_t path_begin(std::string_view address) {
  if (auto scheme = address.find("://"); scheme != std::string_view::npos) {
    auto slash = address.find('/', scheme + 3);
    return slash == std::string_view::npos ? address.size() : slash;
  }
  return address.find(':') + 1;
}

// user@host:path, without a scheme; a colon behind a slash is one of a folder's name.
bool is_scp_form(std::string_view text) {
  auto colon = text.find(':');
  return !text.contains("://") && colon != std::string_view::npos && colon > 0 && text.find('/') > colon;
}

// What no address of a repository holds, and would mean something to a program on the way: "ext::", options of ssh, a
// line break that is spelled out, the fragment by which repositories are told apart here.
bool is_address(std::string_view text) {
  if (has_control(text) || text.contains("::") || text.contains(' ') || text.contains('#')) return false;
  auto small = lower(text);  // percent signs' digits may be either
  if (small.contains("%0a") || small.contains("%0d") || small.contains("%00")) return false;
  bool known = is_scp_form(text);
  for (auto scheme : {"http://", "https://", "ssh://", "git+ssh://", "git://"}) known |= text.starts_with(scheme);
  if (!known) return false;
  auto scheme = text.find("://");
  auto from = scheme == std::string_view::npos ? 0 : scheme + 3;
  auto end = scheme == std::string_view::npos ? text.find(':') : path_begin(text);
  auto authority = text.substr(from, end - from);
  auto at = authority.rfind('@');
  auto host = at == std::string_view::npos ? authority : authority.substr(at + 1);
  auto path = text.substr(std::min(path_begin(text), text.size()));
  return !authority.starts_with('-') && !host.empty() && !host.starts_with('-') && !path.starts_with('-');
}

}  // namespace

Result<std::vector<Submodule>> read_gitmodules(std::string_view text) {
  if (text.size() > largest_gitmodules)
    return fail(Kind::invalid, ".gitmodules: larger than {} KiB", largest_gitmodules >> 10);
  return Reader(text).all();
}

const Submodule* submodule_at(const std::vector<Submodule>& all, std::string_view path) {
  auto found = std::find_if(all.rbegin(), all.rend(), [&](const Submodule& module) { return module.path == path; });
  return path.empty() || found == all.rend() ? nullptr : &*found;
}

Result<std::string> submodule_url(std::string_view repository, std::string_view url) {
  auto refused = [&] {
    return Fail(Error(Kind::invalid, fmt::format("{:?} is no address that a submodule is fetched from", url))
                    .with_hint("want a http, https or ssh URL, or one relative to the repository's own (../lib.git)"));
  };
  if (url.empty()) return fail(Kind::invalid, "has no url");
  if (!url.starts_with("./") && !url.starts_with("../")) {
    if (url.starts_with('-') || !is_address(url)) return refused();
    return std::string(url);
  }
  auto address = std::string(repository);
  if (!is_address(address)) return refused();
  while (address.ends_with('/')) address.pop_back();
  auto begin = path_begin(address);
  auto rest = url;
  bool at_colon = false;  // what is left is host: of host:path
  while (rest.starts_with("./") || rest.starts_with("../")) {
    bool up = rest.starts_with("../");
    rest.remove_prefix(up ? 3 : 2);
    if (!up) continue;
    if (address.size() <= begin) return refused();
    auto slash = address.rfind('/');
    at_colon = slash == std::string::npos || slash < begin;
    address.resize(at_colon ? begin : slash);
  }
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || leads_out(rest)) return refused();
  if (!at_colon) address += '/';
  address += rest;
  if (!is_address(address)) return refused();
  return address;
}

}  // namespace slipway::git
