// The GitLab front end: whatever the text, it says what is wrong or makes a plan that can be printed. The input may be
// several files: "=== NAME" lines begin those that are included.
#include "base/text.h"
#include "ci/front_end.h"
#include "ci/gitlab/expression.h"
#include "ci/gitlab/inputs.h"
#include "ci/gitlab/read.h"
#include "ci/gitlab/variables.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  using namespace slipway::ci;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::map<std::string, std::string> files;
  std::string name(gitlab_file);
  for (auto line : lines(text)) {
    if (line.starts_with("=== "))
      name = std::string(line.substr(4));
    else
      files[name] += std::string(line) + "\n";
  }
  SourceTree tree;
  tree.read = [&](const std::string& path) -> Result<std::optional<std::string>> {
    auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
  tree.files = [&]() -> Result<std::vector<std::string>> {
    std::vector<std::string> out;
    for (auto& [path, content] : files) out.push_back(path);
    return out;
  };
  // Files of other repositories: the same ones.
  tree.other = [&](const std::string&, const std::string&, const std::string& path) { return tree.read(path); };
  auto& main = files[std::string(gitlab_file)];
  auto problems = check_gitlab(main, gitlab_file, tree);
  for (auto& problem : problems) (void)problem.print();
  Event event;
  event.sha = std::string(40, 'a');
  event.paths = {"src/a.cpp", "README.md"};
  for (auto* kind : {"push", "pull_request", "schedule"}) {
    event.name = kind;
    auto plan = gitlab_plan(main, gitlab_file, event, tree);
    if (!plan || !*plan) continue;
    (void)(*plan)->print();
    (void)(*plan)->to_doc();
    (void)concurrency_of(**plan);
    std::set<std::string> before;
    for (auto& job : (*plan)->jobs) {
      for (auto& need : job.needs) SLP_ASSERT(before.contains(need));
      SLP_ASSERT(before.insert(job.id).second);
    }
  }
  if (auto expression = gitlab::RuleExpression::parse(text.substr(0, 2000)))
    (void)expression->holds([](std::string_view v) { return std::optional(std::string(v)); });
  (void)gitlab::seconds_of(text.substr(0, 200));
  if (auto parts = gitlab::split_spec(text)) SLP_ASSERT(parts->body.size() <= text.size() && !parts->head.empty());
  gitlab::Scoped scoped;
  scoped.set("A", gitlab::Text::of("x"));
  (void)scoped.expand(text.substr(0, 2000)).plain();
  return 0;
}
