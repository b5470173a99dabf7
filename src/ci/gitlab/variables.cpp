#include "ci/gitlab/variables.h"

#include <cctype>

#include "base/text.h"

namespace slipway::ci::gitlab {
namespace {

constexpr std::size_t longest = 64 * 1024;

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

}  // namespace

Text Text::of(std::string literal) {
  Text out;
  if (!literal.empty()) out.pieces.push_back({false, std::move(literal)});
  return out;
}
Text Text::computed(std::string expression) {
  Text out;
  out.pieces.push_back({true, std::move(expression)});
  return out;
}
bool Text::known() const {
  return std::none_of(pieces.begin(), pieces.end(), [](const Piece& p) { return p.expression; });
}
std::string Text::plain() const {
  std::string out;
  for (const auto& piece : pieces)
    if (!piece.expression) out += piece.text;
  return out;
}
std::size_t Text::size() const {
  std::size_t out = 0;
  for (const auto& piece : pieces) out += piece.text.size();
  return out;
}
void Text::add(const Text& more) {
  for (const auto& piece : more.pieces) {
    if (!piece.expression && !pieces.empty() && !pieces.back().expression)
      pieces.back().text += piece.text;
    else
      pieces.push_back(piece);
  }
}

std::string as_string(std::string_view text) { return "'" + replace_all(std::string(text), "'", "''") + "'"; }

Template literal(std::string text, doc::Mark mark) {
  Template out;
  out.sort = Template::Sort::string, out.text = std::move(text), out.mark = mark;
  return out;
}

Result<Template> computed(std::string expression, doc::Mark mark) {
  Template out;
  out.sort = Template::Sort::expression, out.mark = mark;
  TRY(out.expression, Expression::parse(expression, full_vocabulary()));
  out.text = std::move(expression);
  return out;
}

Result<Template> to_template(const Text& text, doc::Mark mark) {
  if (text.known()) return literal(text.plain(), mark);
  if (text.pieces.size() == 1) return computed(text.pieces[0].text, mark);
  std::string format, arguments;
  std::size_t count = 0;
  for (const auto& piece : text.pieces) {
    if (piece.expression) {
      format += fmt::format("{{{}}}", count++);
      arguments += ", " + piece.text;
    } else {
      format += replace_all(replace_all(piece.text, "{", "{{"), "}", "}}");
    }
  }
  return computed(fmt::format("format({}{})", as_string(format), arguments), mark);
}

void Scoped::set(const std::string& name, Text value) {
  entries_[name] = Entry{std::move(value), {}, false};
  done_.clear();
}

void Scoped::set(const Variables& variables) {
  for (const auto& variable : variables) {
    // A value that names itself means the one of the level below.
    std::set<std::string> open;
    if (variable.expand && entries_.contains(variable.name) && variable.value.contains(variable.name)) {
      auto below = entries_.at(variable.name);
      auto text = expand(variable.value, open);
      entries_[variable.name] = Entry{std::move(text), {}, false};
    } else {
      entries_[variable.name] = Entry{std::nullopt, variable.value, variable.expand};
    }
    done_.clear();
  }
}

const Text* Scoped::value(const std::string& name, std::set<std::string>& open) const {
  auto entry = entries_.find(name);
  if (entry == entries_.end()) return nullptr;
  if (entry->second.fixed) return &*entry->second.fixed;
  if (auto known = done_.find(name); known != done_.end()) return &known->second;
  if (!open.insert(name).second) return nullptr;
  auto text = entry->second.expand ? expand(entry->second.raw, open) : Text::of(entry->second.raw);
  open.erase(name);
  return &(done_[name] = std::move(text));
}

Text Scoped::expand(std::string_view text) const {
  std::set<std::string> open;
  return expand(text, open);
}

Text Scoped::expand(std::string_view text, std::set<std::string>& open) const {
  Text out;
  std::size_t size = 0;
  auto add = [&](const Text& more) {
    size += more.size();
    if (size <= longest) out.add(more);
  };
  for (std::size_t i = 0; i < text.size();) {
    auto dollar = std::min(text.find('$', i), text.size());
    if (dollar > i) add(Text::of(std::string(text.substr(i, dollar - i))));
    if (dollar == text.size()) break;
    i = dollar + 1;
    if (i < text.size() && text[i] == '$') {
      add(Text::of("$"));
      ++i;
      continue;
    }
    bool braces = i < text.size() && text[i] == '{';
    auto start = i + (braces ? 1 : 0), end = start;
    while (end < text.size() && is_name(text[end])) ++end;
    bool closed = !braces || (end < text.size() && text[end] == '}');
    if (end == start || !closed) {
      add(Text::of("$"));
      continue;
    }
    std::string name(text.substr(start, end - start));
    i = end + (braces ? 1 : 0);
    if (open.contains(name)) {
      add(Text::of("$" + name));
    } else if (const auto* known = value(name, open)) {
      add(*known);
    } else if (!sources_.empty()) {
      std::string from;
      for (const auto& source : sources_) from += fmt::format("{}.{} || ", source, name);
      bool expressible = std::isdigit(static_cast<unsigned char>(name[0])) == 0;
      if (expressible) add(Text::computed(fmt::format("({}'')", from)));
    }
  }
  return out;
}

std::vector<std::pair<std::string, Text>> Scoped::all() const {
  std::vector<std::pair<std::string, Text>> out;
  for (const auto& [name, entry] : entries_) {
    std::set<std::string> open;
    if (const auto* text = value(name, open)) out.emplace_back(name, *text);
  }
  return out;
}

Lookup Scoped::lookup() const {
  return [this](std::string_view name) -> std::optional<std::string> {
    std::set<std::string> open;
    const auto* text = value(std::string(name), open);
    if (!text) return {};
    // What is made by expressions alone is not there yet.
    if (text->plain().empty() && !text->known()) return {};
    return text->plain();
  };
}

std::string slug(std::string_view text) {
  std::string out;
  for (char c : text.substr(0, 63))
    out += std::isalnum(static_cast<unsigned char>(c)) != 0
               ? static_cast<char>(std::tolower(static_cast<unsigned char>(c)))
               : '-';
  auto first = out.find_first_not_of('-');
  if (first == std::string::npos) return {};
  return out.substr(first, out.find_last_not_of('-') - first + 1);
}

std::vector<std::pair<std::string, Text>> predefined(const Event& event, const std::string& source) {
  std::vector<std::pair<std::string, Text>> out;
  auto set = [&](std::string name, std::string value) {
    out.emplace_back(std::move(name), Text::of(std::move(value)));
  };
  auto compute = [&](std::string name, std::string expression) {
    out.emplace_back(std::move(name), Text::computed(std::move(expression)));
  };
  bool merge = event.name.starts_with("pull_request");
  bool tag = !merge && event.ref.starts_with("refs/tags/");
  std::string name = tag                                    ? event.ref.substr(10)
                     : event.ref.starts_with("refs/heads/") ? event.ref.substr(11)
                     : merge                                ? event.head_ref
                                                            : event.ref;
  set("CI", "true"), set("GITLAB_CI", "true"), set("CI_SERVER", "yes"), set("CI_SERVER_NAME", "Slipway");
  set("CI_PIPELINE_SOURCE", merge                               ? "merge_request_event"
                            : event.name == "workflow_dispatch" ? "web"
                            : event.name == "schedule"          ? "schedule"
                            : event.name == "workflow_call"     ? "parent_pipeline"
                                                                : "push");
  set("CI_COMMIT_SHA", event.sha), set("CI_COMMIT_SHORT_SHA", event.sha.substr(0, 8));
  set("CI_COMMIT_BEFORE_SHA", event.before.empty() ? std::string(40, '0') : event.before);
  set("CI_COMMIT_REF_NAME", name), set("CI_COMMIT_REF_SLUG", slug(name)), set("CI_COMMIT_REF_PROTECTED", "false");
  if (tag)
    set("CI_COMMIT_TAG", name);
  else if (!merge)
    set("CI_COMMIT_BRANCH", name);
  std::string_view message = event.subject;
  auto title = message.substr(0, message.find('\n'));
  set("CI_COMMIT_MESSAGE", event.subject), set("CI_COMMIT_TITLE", std::string(title));
  set("CI_COMMIT_DESCRIPTION", std::string(trim(message.substr(title.size())))), set("CI_COMMIT_AUTHOR", event.actor);
  set("CI_DEFAULT_BRANCH", event.default_branch), set("CI_CONFIG_PATH", source);
  auto slash = event.repository.rfind('/');
  auto space = slash == std::string::npos ? event.owner : event.repository.substr(0, slash);
  auto project = event.repository.substr(slash == std::string::npos ? 0 : slash + 1);
  set("CI_PROJECT_PATH", event.repository), set("CI_PROJECT_NAME", project), set("CI_PROJECT_TITLE", project);
  set("CI_PROJECT_NAMESPACE", space), set("CI_PROJECT_ROOT_NAMESPACE", space.substr(0, space.find('/')));
  set("CI_PROJECT_PATH_SLUG", slug(event.repository));
  set("GITLAB_USER_LOGIN", event.actor), set("GITLAB_USER_NAME", event.actor);
  if (merge) {
    auto number = std::to_string(event.number);
    set("CI_MERGE_REQUEST_ID", number), set("CI_MERGE_REQUEST_IID", number);
    set("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", event.head_ref);
    set("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", event.sha);
    set("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", event.base_ref);
    set("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", event.base_sha);
    set("CI_MERGE_REQUEST_DIFF_BASE_SHA", event.base_sha), set("CI_MERGE_REQUEST_TITLE", std::string(title));
    set("CI_MERGE_REQUEST_PROJECT_PATH", event.repository),
        set("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", event.repository);
    set("CI_MERGE_REQUEST_REF_PATH", fmt::format("refs/merge-requests/{}/head", number));
    set("CI_MERGE_REQUEST_EVENT_TYPE", "detached");
  }
  compute("CI_PIPELINE_ID", "github.run_id"), compute("CI_PIPELINE_IID", "github.run_number");
  compute("CI_SERVER_URL", "github.server_url");
  compute("CI_PROJECT_URL", fmt::format("format('{{0}}/{{1}}', github.server_url, {})", as_string(event.repository)));
  compute("CI_PIPELINE_URL", "format('{0}/#/run/{1}', github.server_url, github.run_id)");
  compute("CI_PROJECT_DIR", "github.workspace"), compute("CI_BUILDS_DIR", "runner.workspace");
  compute("CI_JOB_TOKEN", "github.token");
  return out;
}

}  // namespace slipway::ci::gitlab
