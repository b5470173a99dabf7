#include "gitops/actions/table.h"

#include "base/text.h"
#include "gitops/rules/book.h"

namespace slipway::gitops::actions {
namespace {

constexpr std::string_view conditions = ".status.conditions";

// Words of a line; "quoted ones" are one.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!(text = trim(text)).empty()) {
    bool quoted = text.front() == '"';
    auto end = quoted ? text.find('"', 1) : text.find(' ');
    words.push_back(text.substr(quoted ? 1 : 0, end == text.npos ? end : end - (quoted ? 1 : 0)));
    text = end == text.npos ? std::string_view() : text.substr(end + (quoted ? 1 : 0));
  }
  return words;
}

// .spec.template.annotations["a.b/c"]; empty: it cannot be read.
std::vector<std::string> keys_of(std::string_view path) {
  if (path.starts_with('@')) return {"metadata", "annotations", std::string(path.substr(1))};
  if (path.starts_with('%')) return {"metadata", "labels", std::string(path.substr(1))};
  std::vector<std::string> keys;
  while (!path.empty()) {
    if (path.starts_with("[\"")) {
      auto end = path.find("\"]");
      if (end == path.npos) return {};
      keys.emplace_back(path.substr(2, end - 2));
      path.remove_prefix(end + 2);
    } else if (path.starts_with('.')) {
      auto end = std::min(path.find_first_of(".[", 1), path.size());
      keys.emplace_back(path.substr(1, end - 1));
      path.remove_prefix(end);
    } else {
      return {};
    }
  }
  return keys;
}

struct Reader {
  const rules::Line& line;
  Program& program;

  void wrong(std::string_view what) { program.problems.push_back(fmt::format("line {}: {}", line.number, what)); }
  std::vector<rules::Term> terms(std::string_view text) {
    std::vector<std::string> problems;
    auto read = rules::read_terms(text, conditions, problems);
    for (const auto& problem : problems) wrong(problem);
    return read;
  }

  Change change(std::string_view text) {
    Change change;
    if (auto parts = cut(text, " if ")) text = parts->first, change.wants = terms(parts->second);
    if (text.starts_with("use ")) {
      change.what = Change::What::use, change.function = find_function(trim(text.substr(4)));
      if (change.function == nullptr) wrong(fmt::format("there is no function {}", text.substr(4)));
      return change;
    }
    auto path = text;
    if (text.starts_with("delete "))
      change.what = Change::What::remove, path = text.substr(7);
    else if (auto parts = cut(text, " = "))
      path = parts->first, change.value = trim(parts->second);
    else
      wrong(fmt::format("{} changes nothing", text));
    change.path = keys_of(trim(path));
    if (change.path.empty()) wrong(fmt::format("cannot read {}", path));
    return change;
  }

  void read() {
    auto colon = line.text.find(" : ");
    if (colon == line.text.npos) return wrong("want NAME [if ...] : CHANGE");
    Row row;
    auto head = line.text.substr(0, colon);
    if (auto parts = cut(head, " if ")) {
      head = parts->first;
      for (auto rest = parts->second; !rest.empty();) {
        auto end = std::min(rest.find(" or "), rest.size());
        row.enabled.push_back(terms(rest.substr(0, end)));
        rest.remove_prefix(std::min(end + 4, rest.size()));
      }
    }
    auto words = words_of(head);
    row.name = words.front();
    for (std::size_t i = 1; i < words.size(); ++i) {
      bool icon = words[i] == "icon", title = words[i] == "title";
      if (!icon && !title)
        row.parameters.push_back(words[i]);
      else if (++i < words.size())
        (icon ? row.icon : row.title) = words[i];
    }
    for (auto rest = line.text.substr(colon + 3); !rest.empty();) {
      auto end = std::min(rest.find(" ; "), rest.size());
      row.changes.push_back(change(trim(rest.substr(0, end))));
      rest.remove_prefix(std::min(end + 3, rest.size()));
    }
    program.rows.push_back(std::move(row));
  }
};

Program read_block(const rules::Block& block) {
  Program program;
  for (const auto& line : block.lines()) Reader{line, program}.read();
  if (program.rows.empty()) program.problems.push_back(fmt::format("line {}: no action", block.line));
  return program;
}

}  // namespace

const Program* program_of(const kube::Object& object) {
  static const rules::Book book(written_actions());
  static const rules::Programs<Program> programs(book.blocks().size());
  auto type = object.type();
  const auto* block = book.find(type.group(), type.kind);
  return block == nullptr ? nullptr : &programs.of(*block, read_block);
}

std::vector<std::string> problems_of(std::string_view text) { return rules::problems_in(text, read_block); }

}  // namespace slipway::gitops::actions
