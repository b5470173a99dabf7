// What the Dockerfile says: where its context is, what it starts from, which port it names, how it checks its health.
#include <algorithm>
#include <map>

#include "base/text.h"
#include "image/expand.h"
#include "image/stages.h"
#include "starter/detail/look.h"

namespace slipway::starter::detail {
namespace {

using image::Instruction;

// The root's own first, then the shallowest; never one of an example.
std::string find_dockerfile(const Tree& tree, std::vector<std::string>& others) {
  std::string found;
  for (const auto& file : tree.files()) {
    if (!iequals(base_of(file), "dockerfile") || is_aside(file) || file.contains(".devcontainer")) continue;
    if (found.empty()) found = file;
    else others.push_back(file);
  }
  return found;
}

// Sources of COPY and ADD that come from the context, as they start: "src/." is "src".
std::vector<std::string> copied(const image::StagePlan& plan) {
  std::vector<std::string> sources;
  for (const auto& stage : plan.stages)
    for (const auto& step : stage.steps) {
      if ((step.name != "copy" && step.name != "add") || step.flag("from") || step.args.size() < 2) continue;
      for (std::size_t i = 0; i + 1 < step.args.size(); ++i) {
        auto first = step.args[i];
        while (first.starts_with("./") || first.starts_with("/")) first.erase(0, first.find('/') + 1);
        first = first.substr(0, first.find('/'));
        if (!first.empty() && first != "." && first.find_first_of("$*?[:<") == std::string::npos) sources.push_back(first);
      }
    }
  return sources;
}

std::string choose_context(const Tree& tree, const std::string& dockerfile, const std::vector<std::string>& sources, std::string& why) {
  auto folder = folder_of(dockerfile);
  if (folder.empty()) return why = "the folder of the Dockerfile", ".";
  auto found_in = [&](const std::string& root) {
    return std::count_if(sources.begin(), sources.end(), [&](const auto& s) { return tree.has(in_folder(root, s)) || tree.has_folder(in_folder(root, s)); });
  };
  if (found_in(folder) > found_in("")) return why = "what it copies lies beside the Dockerfile", folder;
  return why = sources.empty() ? "the root, as `docker build -f` is used" : "what it copies is named from the root", ".";
}

// The stages that the image is made of: the last, and those it starts from.
std::vector<const image::Stage*> final_chain(const image::StagePlan& plan) {
  std::vector<const image::Stage*> chain;
  for (const auto* stage = plan.stages.empty() ? nullptr : &plan.stages.back(); stage != nullptr;) {
    chain.push_back(stage);
    const auto* below = plan.find(stage->base);
    stage = below != nullptr && below->index < stage->index ? below : nullptr;
  }
  return chain;
}

class Variables {
 public:
  void set(const Instruction& step) {
    if (step.name == "arg")
      for (const auto& arg : step.args) {
        if (auto pair = cut(arg, "=")) values_[std::string(pair->first)] = value(pair->second);
      }
    if (step.name == "env")
      for (std::size_t i = 0; i + 1 < step.args.size(); i += 3) values_[step.args[i]] = value(step.args[i + 1]);
  }
  std::string value(std::string_view text) const {
    auto expanded = image::expand(text, [&](std::string_view name) -> std::optional<std::string> {
      auto found = values_.find(std::string(name));
      return found == values_.end() ? std::nullopt : std::optional(found->second);
    });
    return expanded.value_or(std::string(text));
  }
  std::string get(const std::string& name) const {
    auto found = values_.find(name);
    return found == values_.end() ? "" : found->second;
  }

 private:
  std::map<std::string, std::string> values_;
};

int port_in(std::string_view text) {
  auto number = to_int(text.substr(0, text.find('/')));
  return number && *number > 0 && *number < 65536 ? static_cast<int>(*number) : 0;
}

// "curl -f http://localhost:8080/healthz || exit 1" asks for /healthz.
std::string path_of_check(std::string_view command) {
  for (std::string_view host : {"localhost", "127.0.0.1", "0.0.0.0", "[::1]"}) {
    auto at = command.find(host);
    if (at == std::string_view::npos) continue;
    auto rest = command.substr(at + host.size());
    rest = rest.substr(0, rest.find_first_of(" \t\"'|;,)]"));
    auto slash = rest.find('/');
    return slash == std::string_view::npos ? "/" : std::string(rest.substr(slash));
  }
  return "";
}

}  // namespace

Result<> look_at_dockerfile(const Tree& tree, Facts& facts, int& port, std::string& health) {
  std::vector<std::string> others;
  facts.dockerfile = find_dockerfile(tree, others);
  if (facts.dockerfile.empty())
    return Fail(Error(Kind::not_found, "no Dockerfile here, want one: it says what runs").with_hint("write a Dockerfile at the root of the repository, then try again"));
  std::string why_this = others.empty() ? "the only one" : fmt::format("nearest to the root; {} more: {}", others.size(), join(others, ", "));
  facts.reasons.push_back({"Dockerfile", facts.dockerfile, why_this});
  TRY(auto file, image::parse_dockerfile(tree.text(facts.dockerfile), facts.dockerfile));
  TRY(auto plan, image::plan_stages(file));
  std::string why;
  facts.context = choose_context(tree, facts.dockerfile, copied(plan), why);
  facts.reasons.push_back({"build context", facts.context, why});

  Variables globals;
  for (const auto& arg : plan.global_args) globals.set(arg);
  for (const auto& stage : plan.stages) {
    auto base = globals.value(stage.base);
    if (base == "scratch" || (plan.find(base) != nullptr && plan.find(base)->index < stage.index)) continue;
    if (std::find(facts.bases.begin(), facts.bases.end(), base) == facts.bases.end()) facts.bases.push_back(base);
  }
  facts.reasons.push_back({"base images", facts.bases.empty() ? "none" : join(facts.bases, ", "), "FROM in " + facts.dockerfile});

  for (const auto& stage : plan.stages)
    for (const auto& step : stage.steps)
      if (step.name == "arg") facts.takes_version = facts.takes_version || std::any_of(step.args.begin(), step.args.end(), [](const auto& a) { return a == "VERSION" || a.starts_with("VERSION="); });

  for (const auto* stage : final_chain(plan)) {
    auto variables = globals;
    for (const auto& step : stage->steps) {
      variables.set(step);
      if (step.name == "expose" && port == 0 && !step.args.empty()) {
        port = port_in(variables.value(step.args[0]));
        if (port != 0) facts.reasons.push_back({"port", std::to_string(port), fmt::format("EXPOSE in {}:{}", facts.dockerfile, step.line)});
      }
      if (step.name == "healthcheck" && health.empty()) {
        health = path_of_check(variables.value(step.rest));
        if (!health.empty()) facts.reasons.push_back({"health", health, fmt::format("HEALTHCHECK in {}:{}", facts.dockerfile, step.line)});
      }
    }
    if (port == 0) {
      port = port_in(variables.get("PORT"));
      if (port != 0) facts.reasons.push_back({"port", std::to_string(port), "ENV PORT in " + facts.dockerfile});
    }
  }
  return {};
}

}  // namespace slipway::starter::detail
