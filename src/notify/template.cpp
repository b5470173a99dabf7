#include "notify/template.h"

#include "base/text.h"

namespace slipway::notify {

class TemplateReader {
 public:
  explicit TemplateReader(std::string_view text) : text_(text) {}

  Result<Template> read() {
    Template made;
    TRY(made.parts_, parts(""));
    return made;
  }

 private:
  using Part = Template::Part;

  Fail wrong(std::size_t at, std::string_view what) const {
    auto before = text_.substr(0, at);
    auto line = std::count(before.begin(), before.end(), '\n') + 1;
    auto column = at - (before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1) + 1;
    return fail(Kind::invalid, "template:{}:{}: {}", line, column, what);
  }

  Result<std::vector<Part>> parts(const std::string& until) {
    std::vector<Part> list;
    auto opened = at_;
    if (++depth_ > 32) return wrong(at_, "sections are nested deeper than 32");
    while (true) {
      auto open = text_.find("{{", at_);
      if (auto text = text_.substr(at_, open == text_.npos ? text_.npos : open - at_); !text.empty())
        list.push_back({Part::Kind::text, std::string(text), {}, {}});
      if (open == text_.npos) {
        if (!until.empty())
          return wrong(opened, fmt::format("section {} does not end: want {{{{/{}}}}}", until, until));
        at_ = text_.size();
        --depth_;
        return list;
      }
      auto close = text_.find("}}", open);
      if (close == text_.npos) return wrong(open, "\"{{\" without \"}}\"");
      auto tag = trim(text_.substr(open + 2, close - open - 2));
      at_ = close + 2;
      if (tag.starts_with('/')) {
        if (trim(tag.substr(1)) != until)
          return wrong(open, fmt::format("\"/{}\" ends no open section", trim(tag.substr(1))));
        --depth_;
        return list;
      }
      TRY(auto part, one(open, tag));
      list.push_back(std::move(part));
    }
  }

  Result<Part> one(std::size_t open, std::string_view tag) {
    Part part;
    part.kind = tag.starts_with('#')   ? Part::Kind::section
                : tag.starts_with('^') ? Part::Kind::inverted
                                       : Part::Kind::field;
    if (part.kind != Part::Kind::field) tag = trim(tag.substr(1));
    if (auto pipe = cut(tag, "|")) {
      part.filter = trim(pipe->second);
      tag = trim(pipe->first);
      if (part.filter != "short" && part.filter != "upper" && part.filter != "lower")
        return wrong(open, fmt::format("unknown filter {}, want short, upper or lower", part.filter));
    }
    part.name = tag;
    bool good = !tag.empty() && std::all_of(tag.begin(), tag.end(), [](unsigned char c) {
      return std::isalnum(c) || c == '.' || c == '_' || c == '-';
    });
    if (!good) return wrong(open, fmt::format("\"{}\" is no field name", tag.substr(0, 60)));
    if (part.kind != Part::Kind::field) {
      TRY(part.inside, parts(part.name));
    }
    return part;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

namespace {

std::string filtered(std::string value, std::string_view filter) {
  if (filter == "lower") return lower(value);
  if (filter == "upper") {
    for (char& c : value)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  } else if (filter == "short") {
    // A digest keeps its algorithm out of the twelve digits.
    if (value.starts_with("sha256:")) value.erase(0, 7);
    value.resize(std::min<std::size_t>(value.size(), 12));
  }
  return value;
}

}  // namespace

std::string field_of(const path::Notice& notice, std::string_view name) {
  if (name == "id") return notice.id;
  if (name == "event") return notice.event;
  if (name == "severity") return std::string(to_string(notice.severity));
  if (name == "title") return notice.title;
  if (name == "text") return notice.text;
  if (name == "link") return notice.link;
  if (name.starts_with("facts.")) name.remove_prefix(6);
  auto it = notice.facts.find(std::string(name));
  return it == notice.facts.end() ? std::string() : it->second;
}

Result<Template> Template::parse(std::string_view text) { return TemplateReader(text).read(); }

void Template::render_parts(const std::vector<Part>& parts, const path::Notice& notice,
                            const std::function<std::string(std::string)>& escape, std::string& out) {
  for (const auto& part : parts) {
    if (part.kind == Part::Kind::text) {
      out += part.name;
      continue;
    }
    auto value = field_of(notice, part.name);
    if (part.kind == Part::Kind::field) {
      value = filtered(std::move(value), part.filter);
      out += escape ? escape(std::move(value)) : value;
    } else if (value.empty() == (part.kind == Part::Kind::inverted)) {
      render_parts(part.inside, notice, escape, out);
    }
  }
}

std::string Template::render(const path::Notice& notice, const std::function<std::string(std::string)>& escape) const {
  std::string out;
  render_parts(parts_, notice, escape, out);
  return out;
}

}  // namespace slipway::notify
