// The workflow: the repository's own when it builds an image for us, else one that tests and builds.
#include <algorithm>

#include "base/text.h"
#include "doc/view.h"
#include "doc/yaml.h"
#include "starter/detail/look.h"

namespace slipway::starter {
namespace {

// The image that a step builds for a registry of ours: a literal name without a host.
std::string image_of(doc::View step) {
  if (!step["uses"].text().starts_with("docker/build-push-action@")) return "";
  auto tags = step["with"]["tags"].text();
  auto first = std::string(trim(tags.substr(0, tags.find_first_of(",\n"))));
  auto name = first.substr(0, first.rfind(':'));
  bool host = name.substr(0, name.find('/')).find_first_of(".:") != std::string::npos && name.contains('/');
  return name.empty() || host || name.contains("${{") ? "" : name;
}

bool on_push(doc::View on) {
  if (on.text() == "push" || on["push"].exists()) return true;
  auto events = on.items();
  return std::any_of(events.begin(), events.end(), [](const auto& e) { return e.text() == "push"; });
}

std::string as_yaml(std::string_view text) {
  doc::Value value(text);
  return std::string(trim(doc::print_yaml(value)));
}

void print_test(std::string& out, const Facts& facts, const Module& module) {
  auto several =
      std::count_if(facts.modules.begin(), facts.modules.end(), [](const auto& m) { return !m.commands.empty(); }) > 1;
  static constexpr std::string_view suffix[] = {"c", "go", "java", "node", "python", "rust"};
  out += fmt::format("  test{}:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n",
                     several ? fmt::format("-{}", suffix[static_cast<int>(module.language)]) : "");
  if (!module.setup.empty()) {
    out += fmt::format("      - uses: {}\n        with:\n", module.setup);
    for (const auto& [name, value] : module.with) out += fmt::format("          {}: {}\n", name, as_yaml(value));
  }
  for (const auto& command : module.commands) {
    if (!command.contains('\n'))
      out += fmt::format("      - run: {}\n", as_yaml(command));
    else {
      out += "      - run: |\n";
      for (auto line : lines(command)) out += fmt::format("          {}\n", line);
    }
    if (!module.folder.empty()) out += fmt::format("        working-directory: {}\n", as_yaml(module.folder));
  }
}

}  // namespace

namespace detail {

void look_at_workflows(const Tree& tree, Facts& facts) {
  std::vector<std::string> others;
  for (const auto& file : tree.files()) {
    if (folder_of(file) != ".github/workflows" || (!file.ends_with(".yml") && !file.ends_with(".yaml"))) continue;
    others.push_back(file);
    auto parsed = doc::parse_yaml(tree.text(file), {.dialect = doc::Dialect::actions, .source = file});
    if (!parsed || facts.has_workflow) continue;
    doc::View workflow(*parsed, file);
    if (!on_push(workflow["on"])) continue;
    for (const auto& [key, job] : workflow["jobs"].members())
      for (const auto& step : job["steps"].items()) {
        auto image = image_of(step);
        if (image.empty()) continue;
        facts.has_workflow = true, facts.workflow = file, facts.image = image;
        facts.reasons.push_back({"workflow", file, fmt::format("the repository's own: it builds {}", image)});
      }
    if (facts.has_workflow) return;
  }
  facts.workflow = ".github/workflows/slipway.yml";
  facts.reasons.push_back(
      {"workflow", facts.workflow,
       others.empty()
           ? "the repository has none"
           : fmt::format("beside {}: none of them builds an image for a registry of ours", join(others, ", "))});
}

}  // namespace detail

std::optional<File> workflow_file(const Facts& facts) {
  if (facts.has_workflow) return std::nullopt;
  std::string out = fmt::format(
      "# Written by `slipway init`: what is pushed is tested, and its image built. Yours to change.\nname: {}\non:\n  "
      "push:\n    branches: [main]\n  pull_request:\n\njobs:\n",
      facts.name);
  for (const auto& module : facts.modules)
    if (!module.commands.empty()) print_test(out, facts, module);
  out +=
      "  image:\n    runs-on: ubuntu-latest\n    outputs:\n      digest: ${{ steps.build.outputs.digest }}\n    "
      "steps:\n      - uses: actions/checkout@v4\n      - id: build\n        uses: docker/build-push-action@v6\n       "
      " with:\n";
  out += fmt::format("          context: {}\n", facts.context);
  if (facts.dockerfile != (facts.context == "." ? "Dockerfile" : facts.context + "/Dockerfile"))
    out += fmt::format("          file: {}\n", as_yaml(facts.dockerfile));
  if (!facts.target.empty()) out += fmt::format("          target: {}\n", as_yaml(facts.target));
  out += fmt::format("          push: true\n          tags: {}:sha-${{{{ github.sha }}}}\n", facts.image);
  if (facts.takes_version) out += "          build-args: VERSION=${{ github.sha }}\n";
  return File{facts.workflow, std::move(out), "tests and the image, on pushes to main and on pull requests"};
}

}  // namespace slipway::starter
