#include "ci/actions/catalog.h"
#include "ci/detail/lint.h"

namespace slipway::ci {
namespace {

// Actions that many workflows use: their versions ("*" any), inputs ("!" required, "~" deprecated), outputs. "..."
// among them: there are more. "=": those of the built-in action (actions/catalog.h), with what is said here instead of
// what is said there.
struct Entry {
  std::string_view name, versions, inputs, outputs;
};
constexpr Entry entries[] = {
    {"actions/checkout", "v4 v5 v6", "=", "ref commit"},
    {"actions/cache", "v4 v5", "= save-always~", "cache-hit"},
    {"actions/cache/restore", "v4 v5", "=", "cache-hit cache-primary-key cache-matched-key"},
    {"actions/cache/save", "v4 v5", "=", ""},
    {"actions/setup-node", "v4 v5 v6", "=", "cache-hit node-version"},
    {"actions/setup-python", "v5 v6", "=", "python-version cache-hit python-path"},
    {"actions/setup-go", "v5 v6", "=", "go-version cache-hit"},
    {"actions/setup-java", "v4 v5", "= distribution!", "distribution version path cache-hit"},
    {"actions/upload-artifact", "v4 v5 v6 v7", "=", "artifact-id artifact-url artifact-digest"},
    {"actions/download-artifact", "v4 v5 v6 v7 v8", "=", "download-path"},
    {"actions/github-script", "v7 v8", "=", "result ..."},
    {"docker/login-action", "v3 v4", "=", ""},
    {"octokit/request-action", "*", "...", "status headers data"},
    {"pypa/gh-action-pypi-publish", "release/v1",
     "user password repository-url repository_url~ packages-dir packages_dir~ verify-metadata verify_metadata~ "
     "skip-existing skip_existing~ verbose print-hash print_hash~ attestations",
     "..."},
    {"reviewdog/action-actionlint", "v1",
     "github_token actionlint_flags tool_name level reporter filter_mode fail_level fail_on_error~ reviewdog_flags",
     "..."},
    {"rhysd/action-setup-vim", "v1", "version neovim configure-args token", "executable vim-dir"},
};

// The newest version whose runner (node16 or older) GitHub no longer has.
struct Old {
  std::string_view name;
  int version;
};
constexpr Old too_old[] = {
    {"actions/checkout", 3},
    {"actions/cache", 3},
    {"actions/setup-node", 3},
    {"actions/setup-python", 4},
    {"actions/setup-go", 4},
    {"actions/setup-java", 3},
    {"actions/setup-dotnet", 3},
    {"actions/upload-artifact", 3},
    {"actions/github-script", 6},
    {"actions/stale", 8},
    {"actions/labeler", 4},
    {"actions/configure-pages", 3},
    {"actions/download-artifact", 3},
    {"docker/login-action", 2},
    {"docker/setup-buildx-action", 2},
    {"docker/setup-qemu-action", 2},
    {"docker/metadata-action", 4},
    {"docker/build-push-action", 4},
    {"codecov/codecov-action", 3},
    {"azure/login", 1},
    {"golangci/golangci-lint-action", 3},
};

void add_input(ActionFacts& facts, ActionInput input) {
  for (auto& known : facts.inputs)
    if (known.name == input.name) {
      known = std::move(input);
      return;
    }
  facts.inputs.push_back(std::move(input));
}

// There "~" means without effect here, which is none of a workflow's faults.
void add_built_in(ActionFacts& facts) {
  auto* built_in = find_entry(facts.name);
  SLP_ASSERT(built_in != nullptr);
  for (auto word : split(built_in->inputs, ' ')) {
    if (word == "*") facts.any_input = true;
    if (word.empty() || word == "*") continue;
    ActionInput input;
    input.required = word.ends_with('!');
    if (input.required || word.ends_with('~')) word.remove_suffix(1);
    input.name = word;
    add_input(facts, std::move(input));
  }
}

ActionFacts facts_of(const Entry& entry) {
  ActionFacts out;
  out.name = entry.name;
  for (auto word : split(entry.inputs, ' ')) {
    if (word == "...") out.any_input = true;
    if (word == "=") add_built_in(out);
    if (word.empty() || word == "..." || word == "=") continue;
    ActionInput input;
    input.required = word.ends_with('!'), input.deprecated = word.ends_with('~');
    if (input.required || input.deprecated) word.remove_suffix(1);
    input.name = word;
    add_input(out, std::move(input));
  }
  for (auto word : split(entry.outputs, ' ')) {
    if (word == "...") out.any_output = true;
    if (!word.empty() && word != "...") out.outputs.emplace_back(word);
  }
  return out;
}

// "v4", "v4.1.2" and "4" are of the major "v4".
bool covers(std::string_view versions, std::string_view ref) {
  if (versions == "*") return true;
  for (auto version : split(versions, ' '))
    if (ref == version || (ref.starts_with(version) && ref[version.size()] == '.')) return true;
  return false;
}

}  // namespace

const ActionFacts* known_action(std::string_view uses) {
  static const std::vector<ActionFacts> all = [] {
    std::vector<ActionFacts> made;
    for (auto& entry : entries) made.push_back(facts_of(entry));
    return made;
  }();
  auto parts = cut(uses, "@");
  if (!parts) return nullptr;
  for (std::size_t i = 0; i < std::size(entries); ++i)
    if (iequals(entries[i].name, parts->first) && covers(entries[i].versions, parts->second)) return &all[i];
  return nullptr;
}

std::string_view outdated_action(std::string_view uses) {
  auto parts = cut(uses, "@");
  if (!parts || !parts->second.starts_with('v')) return {};
  auto digits = parts->second.substr(1);
  auto major = to_int(digits.substr(0, digits.find('.')));
  for (auto& old : too_old)
    if (major && iequals(old.name, parts->first) && *major <= old.version)
      return "it is made for a version of Node.js that runners no longer have";
  return {};
}

}  // namespace slipway::ci
