// The part of XML that JUnit reports use.
#include <cmath>
#include <map>

#include "base/text.h"
#include "ci/report.h"

namespace slipway::ci {
namespace {

constexpr int max_depth = 64;
constexpr std::size_t max_cases = 1'000'000;

struct Tag {
  std::string name;
  std::map<std::string, std::string> attributes;
  bool closing = false, empty = false;
};

class Reader {
 public:
  Reader(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  Result<TestReport> run() {
    std::vector<std::string> open;
    while (at_ < text_.size()) {
      if (text_[at_] != '<') {
        TRY_OK(characters());
        continue;
      }
      if (starts("<?")) {
        TRY_OK(skip_to("?>"));
        continue;
      }
      if (starts("<!--")) {
        TRY_OK(skip_to("-->"));
        continue;
      }
      if (starts("<![CDATA[")) {
        TRY_OK(cdata());
        continue;
      }
      if (starts("<!")) return wrong("document types are not read");
      TRY(auto tag, read_tag());
      if (tag.closing) {
        if (open.empty() || open.back() != tag.name) return wrong(fmt::format("</{}> closes nothing", tag.name));
        open.pop_back();
        end(tag.name);
        continue;
      }
      TRY_OK(begin(tag));
      if (tag.empty) {
        end(tag.name);
      } else {
        open.push_back(tag.name);
        if (open.size() > max_depth) return wrong("nested too deep");
      }
    }
    if (!open.empty()) return wrong(fmt::format("<{}> is not closed", open.back()));
    if (!any_) return wrong("holds no testsuite");
    return std::move(report_);
  }

 private:
  bool starts(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  Fail wrong(std::string_view what) const {
    auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())), '\n');
    return fail(Kind::invalid, "{}:{}: {}", source_, line, what);
  }
  Result<> skip_to(std::string_view end) {
    auto found = text_.find(end, at_);
    if (found == std::string_view::npos) return wrong(fmt::format("\"{}\" is missing", end));
    at_ = found + end.size();
    return {};
  }
  Result<> cdata() {
    auto start = at_ + 9;
    TRY_OK(skip_to("]]>"));
    if (detail_) *detail_ += text_.substr(start, at_ - 3 - start);
    return {};
  }
  Result<> characters() {
    auto end = std::min(text_.find('<', at_), text_.size());
    if (detail_) {
      TRY(auto decoded, decode(text_.substr(at_, end - at_)));
      *detail_ += decoded;
    }
    at_ = end;
    return {};
  }

  Result<std::string> decode(std::string_view raw) const {
    std::string out;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '&') {
        out += raw[i];
        continue;
      }
      auto end = raw.find(';', i);
      auto name = end == std::string_view::npos ? std::string_view() : raw.substr(i + 1, end - i - 1);
      if (name == "lt")
        out += '<';
      else if (name == "gt")
        out += '>';
      else if (name == "amp")
        out += '&';
      else if (name == "quot")
        out += '"';
      else if (name == "apos")
        out += '\'';
      else if (name.starts_with('#') && name.size() < 10)
        put_character(out, name.substr(1));
      else
        return wrong("an entity that XML does not have");
      i = end;
    }
    return out;
  }
  static void put_character(std::string& out, std::string_view number) {
    long c = number.starts_with('x') ? std::strtol(std::string(number.substr(1)).c_str(), nullptr, 16)
                                     : to_int(number).value_or(0);
    if (c < 0x80)
      out += c >= 0x20 || c == '\n' || c == '\t' ? static_cast<char>(c) : ' ';
    else
      out += '?';  // names and messages stay readable without
  }

  Result<Tag> read_tag() {
    Tag tag;
    ++at_;
    if (at_ < text_.size() && text_[at_] == '/') tag.closing = true, ++at_;
    tag.name = word();
    if (tag.name.empty()) return wrong("a tag without a name");
    for (;;) {
      blanks();
      if (at_ >= text_.size()) return wrong("a tag that does not end");
      if (text_[at_] == '>') {
        ++at_;
        return tag;
      }
      if (starts("/>")) {
        tag.empty = true, at_ += 2;
        return tag;
      }
      auto name = word();
      blanks();
      if (name.empty() || !starts("=")) return wrong("an attribute without a value");
      ++at_;
      blanks();
      char quote = at_ < text_.size() ? text_[at_] : 0;
      auto end = quote == '"' || quote == '\'' ? text_.find(quote, at_ + 1) : std::string_view::npos;
      if (end == std::string_view::npos) return wrong("an attribute whose value does not end");
      TRY(auto value, decode(text_.substr(at_ + 1, end - at_ - 1)));
      tag.attributes[name] = std::move(value);
      at_ = end + 1;
    }
  }
  std::string word() {
    auto start = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || std::string_view("-_.:").contains(text_[at_])))
      ++at_;
    return std::string(text_.substr(start, at_ - start));
  }
  void blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  Result<> begin(Tag& tag) {
    if (tag.name == "testsuites" || tag.name == "testsuite") {
      any_ = true;
      if (tag.name == "testsuite") suites_.push_back(tag.attributes["name"]);
    } else if (tag.name == "testcase") {
      if (report_.cases.size() >= max_cases) return wrong("too many tests");
      test_ = TestCase{};
      test_.name = tag.attributes["name"];
      test_.suite =
          tag.attributes["classname"].empty() && !suites_.empty() ? suites_.back() : tag.attributes["classname"];
      test_.place = {tag.attributes["file"], static_cast<int>(to_int(tag.attributes["line"]).value_or(0)), 0};
      auto seconds = to_double(tag.attributes["time"]).value_or(0);
      if (std::isfinite(seconds) && seconds > 0 && seconds < 1e7)
        test_.time = Millis(static_cast<long>(seconds * 1000));
    } else if (tag.name == "failure" || tag.name == "error") {
      test_.outcome = TestCase::Outcome::failed;
      test_.message = tag.attributes["message"];
      if (!tag.empty) detail_ = &test_.detail;
    } else if (tag.name == "skipped") {
      if (test_.outcome == TestCase::Outcome::passed) test_.outcome = TestCase::Outcome::skipped;
      test_.message = tag.attributes["message"];
    }
    return {};
  }
  void end(const std::string& name) {
    if (name == "failure" || name == "error") {
      test_.detail = std::string(trim(test_.detail));
      detail_ = nullptr;
    } else if (name == "testcase") {
      report_.add(std::move(test_));
    } else if (name == "testsuite" && !suites_.empty()) {
      suites_.pop_back();
    }
  }

  std::string_view text_, source_;
  std::size_t at_ = 0;
  TestReport report_;
  TestCase test_;
  std::vector<std::string> suites_;
  std::string* detail_ = nullptr;
  bool any_ = false;
};

}  // namespace

Result<TestReport> parse_junit(std::string_view xml, std::string_view source) { return Reader(xml, source).run(); }

}  // namespace slipway::ci
