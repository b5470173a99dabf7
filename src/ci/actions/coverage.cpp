#include "ci/actions/coverage.h"

#include <algorithm>
#include <set>
#include <vector>

#include "base/text.h"

namespace slipway::ci {
namespace {

constexpr std::size_t max_files = 100'000, shown_files = 20;

using Lines = std::map<std::string, std::map<std::int64_t, bool>>;  // of a file: whether a line ran

Fail wrong(std::string_view source, std::size_t line, std::string_view what) {
  return fail(Kind::invalid, "{}:{}: {}", source, line, what);
}

Result<CoverageReport> counted(const Lines& lines_of, std::string_view source) {
  if (lines_of.size() > max_files) return wrong(source, 1, fmt::format("more than {} files", max_files));
  CoverageReport out;
  for (auto& [file, ran] : lines_of) {
    auto& count = out.files[file];
    count.total = ran.size();
    count.covered = static_cast<std::uint64_t>(std::count_if(ran.begin(), ran.end(), [](auto& l) { return l.second; }));
  }
  return out;
}

Result<CoverageReport> parse_lcov(std::string_view text, std::string_view source) {
  Lines all;
  std::string file;
  std::size_t number = 0;
  for (auto line : lines(text)) {
    ++number;
    line = trim(line);
    if (line.starts_with("SF:")) file = line.substr(3), all[file];
    if (line == "end_of_record") file.clear();
    if (!line.starts_with("DA:")) continue;
    if (file.empty()) return wrong(source, number, "DA: without an SF: before it");
    auto parts = split(line.substr(3), ',');
    auto at = to_int(parts[0]), count = parts.size() > 1 ? to_int(parts[1]) : std::nullopt;
    if (!at || !count) return wrong(source, number, fmt::format("\"{}\", want DA:LINE,COUNT", line.substr(0, 60)));
    all[file][*at] = all[file][*at] || *count > 0;
  }
  return counted(all, source);
}

// mode: set, then "file:1.2,3.4 STATEMENTS COUNT".
Result<CoverageReport> parse_go(std::string_view text, std::string_view source) {
  std::map<std::string, std::map<std::string, std::pair<std::uint64_t, bool>>> blocks;  // one may stand there twice
  std::size_t number = 0;
  for (auto line : lines(text)) {
    ++number;
    line = trim(line);
    if (line.empty() || line.starts_with("mode:")) continue;
    auto words = split(line, ' ');
    auto colon = words[0].rfind(':');
    auto statements = words.size() == 3 ? to_int(words[1]) : std::nullopt;
    auto count = words.size() == 3 ? to_int(words[2]) : std::nullopt;
    if (colon == std::string_view::npos || !statements || !count || *statements < 0)
      return wrong(source, number, fmt::format("\"{}\", want FILE:FROM,TO STATEMENTS COUNT", line.substr(0, 80)));
    auto& block = blocks[std::string(words[0].substr(0, colon))][std::string(words[0].substr(colon))];
    block.first = std::min<std::uint64_t>(static_cast<std::uint64_t>(*statements), 1'000'000);
    block.second = block.second || *count > 0;
    if (blocks.size() > max_files) return wrong(source, number, fmt::format("more than {} files", max_files));
  }
  CoverageReport out;
  for (auto& [file, all] : blocks)
    for (auto& [where, block] : all) {
      out.files[file].total += block.first;
      if (block.second) out.files[file].covered += block.first;
    }
  return out;
}

// Tags of XML one after the other, as far as these reports use them.
class Tags {
 public:
  Tags(std::string_view text, std::string_view source) : text_(text), source_(source) {}
  std::string_view name;
  bool closing = false, empty = false;
  // False at the end.
  Result<bool> next() {
    for (;;) {
      auto open = text_.find('<', at_);
      if (open == std::string_view::npos) return false;
      if (text_.substr(open).starts_with("<!--") || text_.substr(open).starts_with("<![CDATA[")) {
        std::string_view end_mark = text_[open + 2] == '-' ? "-->" : "]]>";
        auto over = text_.find(end_mark, open);
        if (over == std::string_view::npos) return wrong_here(fmt::format("\"{}\" is missing", end_mark));
        at_ = over + 3;
        continue;
      }
      auto close = end_of(open + 1);
      if (close == std::string_view::npos) return wrong_here("a tag is not closed");
      at_ = close + 1;
      auto inner = text_.substr(open + 1, close - open - 1);
      if (inner.starts_with('?') || inner.starts_with('!')) continue;
      closing = inner.starts_with('/');
      if (closing) inner.remove_prefix(1);
      empty = inner.ends_with('/');
      if (empty) inner.remove_suffix(1);
      auto blank = inner.find_first_of(" \t\r\n");
      name = inner.substr(0, blank);
      rest_ = blank == std::string_view::npos ? std::string_view() : inner.substr(blank);
      return true;
    }
  }
  std::string attribute(std::string_view wanted) const {
    for (std::size_t at = 0; (at = rest_.find(wanted, at)) != std::string_view::npos; at += wanted.size()) {
      auto after = rest_.substr(at + wanted.size());
      bool starts = at > 0 && std::string_view(" \t\r\n").contains(rest_[at - 1]);
      after = trim(after);
      if (!starts || !after.starts_with('=')) continue;
      after = trim(after.substr(1));
      if (after.empty() || (after[0] != '"' && after[0] != '\'')) continue;
      auto end = after.find(after[0], 1);
      if (end == std::string_view::npos) return {};
      return plain(after.substr(1, end - 1));
    }
    return {};
  }
  std::int64_t number(std::string_view wanted) const {
    return std::clamp<std::int64_t>(to_int(attribute(wanted)).value_or(0), 0, 1'000'000'000);
  }
  Fail wrong_here(std::string_view what) const {
    auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    return wrong(source_, static_cast<std::size_t>(line), what);
  }

 private:
  std::size_t end_of(std::size_t at) const {
    char quote = 0;
    for (; at < text_.size(); ++at) {
      char c = text_[at];
      if (quote != 0)
        quote = c == quote ? 0 : quote;
      else if (c == '"' || c == '\'')
        quote = c;
      else if (c == '>')
        return at;
    }
    return std::string_view::npos;
  }
  static std::string plain(std::string_view text) {
    std::string out(text);
    for (auto [from, to] :
         {std::pair{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&#39;", "'"}, {"&amp;", "&"}})
      out = replace_all(out, from, to);
    return out;
  }
  std::string_view text_, source_, rest_;
  std::size_t at_ = 0;
};

// <class filename="a.c"><lines><line number="3" hits="1"/>
Result<CoverageReport> parse_cobertura(std::string_view text, std::string_view source) {
  Tags tags(text, source);
  Lines all;
  std::string file;
  int methods = 0;  // their lines stand below the class once more
  for (;;) {
    TRY(bool there, tags.next());
    if (!there) return counted(all, source);
    if (tags.name == "class") {
      file = tags.closing ? std::string() : tags.attribute("filename");
      if (!file.empty()) all[file];
    }
    if (tags.name == "methods" && !tags.empty) methods += tags.closing ? -1 : 1;
    if (tags.name != "line" || tags.closing || file.empty() || methods > 0) continue;
    auto& ran = all[file][tags.number("number")];
    ran = ran || tags.number("hits") > 0;
  }
}

// <package name="a/b"><sourcefile name="C.java"><counter type="LINE" missed="1" covered="2"/>
Result<CoverageReport> parse_jacoco(std::string_view text, std::string_view source) {
  Tags tags(text, source);
  CoverageReport out;
  std::string package, file;
  for (;;) {
    TRY(bool there, tags.next());
    if (!there) return out;
    if (tags.name == "package") package = tags.closing ? std::string() : tags.attribute("name");
    if (tags.name == "sourcefile")
      file =
          tags.closing || tags.empty ? std::string() : (package.empty() ? "" : package + "/") + tags.attribute("name");
    if (tags.name != "counter" || file.empty() || tags.attribute("type") != "LINE") continue;
    auto& count = out.files[file];
    count.covered = static_cast<std::uint64_t>(tags.number("covered"));
    count.total = count.covered + static_cast<std::uint64_t>(tags.number("missed"));
    if (out.files.size() > max_files) return tags.wrong_here(fmt::format("more than {} files", max_files));
  }
}

// <file path="/a/b.js"><line num="3" type="stmt" count="1"/>
Result<CoverageReport> parse_clover(std::string_view text, std::string_view source) {
  Tags tags(text, source);
  Lines all;
  std::string file;
  for (;;) {
    TRY(bool there, tags.next());
    if (!there) return counted(all, source);
    if (tags.name == "file") {
      auto path = tags.attribute("path");
      file = tags.closing ? std::string() : path.empty() ? tags.attribute("name") : path;
      if (!file.empty()) all[file];
    }
    if (tags.name != "line" || tags.closing || file.empty()) continue;
    auto& ran = all[file][tags.number("num")];
    ran = ran || tags.number("count") > 0;
  }
}

}  // namespace

double CoverageReport::Count::percent() const {
  return total == 0 ? 100 : 100.0 * static_cast<double>(covered) / static_cast<double>(total);
}

CoverageReport::Count CoverageReport::all() const {
  Count out;
  for (auto& [file, count] : files) out.covered += count.covered, out.total += count.total;
  return out;
}

void CoverageReport::add(const CoverageReport& other) {
  for (auto& [file, count] : other.files) {
    auto& own = files[file];
    if (own.total < count.total || own.covered < count.covered) own = count;
  }
}

std::string CoverageReport::print() const {
  auto sum = all();
  auto out = fmt::format("### Coverage: {:.2f} %\n\n{} of {} lines in {} files\n", sum.percent(), sum.covered,
                         sum.total, files.size());
  std::vector<std::pair<std::string, Count>> worst(files.begin(), files.end());
  std::erase_if(worst, [](auto& f) { return f.second.covered == f.second.total; });
  std::stable_sort(worst.begin(), worst.end(), [](auto& a, auto& b) {
    return a.second.total - a.second.covered > b.second.total - b.second.covered;
  });
  if (worst.empty()) return out + "\n";
  out += "\n| file | covered | lines | not covered |\n| --- | --- | --- | --- |\n";
  for (std::size_t i = 0; i < std::min(worst.size(), shown_files); ++i) {
    auto& [file, count] = worst[i];
    out += fmt::format("| {} | {:.1f} % | {} | {} |\n", replace_all(replace_all(file, "|", "\\|"), "\n", " "),
                       count.percent(), count.total, count.total - count.covered);
  }
  if (worst.size() > shown_files) out += fmt::format("\nand {} more files\n", worst.size() - shown_files);
  return out + "\n";
}

Result<CoverageReport> parse_coverage(std::string_view text, std::string_view source) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  auto start = trim(text.substr(0, std::min<std::size_t>(text.size(), 4096)));
  if (start.starts_with("mode:")) return parse_go(text, source);
  if (!start.starts_with('<')) {
    if (text.contains("SF:")) return parse_lcov(text, source);
    return wrong(source, 1, "want lcov, Cobertura, JaCoCo, Clover or a profile of Go");
  }
  Tags tags(text, source);
  for (;;) {
    TRY(bool there, tags.next());
    if (!there) break;
    if (tags.name == "report") return parse_jacoco(text, source);
    if (tags.name != "coverage") break;
    return tags.attribute("line-rate").empty() && !tags.attribute("generated").empty() ? parse_clover(text, source)
                                                                                       : parse_cobertura(text, source);
  }
  return wrong(source, 1, "want lcov, Cobertura, JaCoCo, Clover or a profile of Go");
}

}  // namespace slipway::ci
