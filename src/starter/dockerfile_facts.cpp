// What the Dockerfile says: where its context is, what it starts from, which port it names, how it checks its health.
#include <algorithm>
#include <map>
#include <set>

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
    if (found.empty())
      found = file;
    else
      others.push_back(file);
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
        if (!first.empty() && first != "." && first.find_first_of("$*?[:<") == std::string::npos)
          sources.push_back(first);
      }
    }
  return sources;
}

std::string choose_context(const Tree& tree, const std::string& dockerfile, const std::vector<std::string>& sources,
                           std::string& why) {
  auto folder = folder_of(dockerfile);
  if (folder.empty()) return why = "the folder of the Dockerfile", ".";
  auto found_in = [&](const std::string& root) {
    return std::count_if(sources.begin(), sources.end(), [&](const auto& s) {
      return tree.has(in_folder(root, s)) || tree.has_folder(in_folder(root, s));
    });
  };
  if (found_in(folder) > found_in("")) return why = "what it copies lies beside the Dockerfile", folder;
  return why = sources.empty() ? "the root, as `docker build -f` is used" : "what it copies is named from the root",
         ".";
}

const image::Stage* final_stage(const image::StagePlan& plan, const std::string& target) {
  if (const auto* named = target.empty() ? nullptr : plan.find(target)) return named;
  return plan.stages.empty() ? nullptr : &plan.stages.back();
}

// The stages that the image is made of: the last, and those it starts from.
std::vector<const image::Stage*> final_chain(const image::StagePlan& plan, const image::Stage* stage) {
  std::vector<const image::Stage*> chain;
  while (stage != nullptr) {
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

// Images that a build of the stage reads: those its stages start from, and those they copy from or mount.
class Bases {
 public:
  Bases(const image::StagePlan& plan, const Variables& globals) : plan_(plan), globals_(globals) {}
  void visit(const image::Stage* stage) {
    if (stage == nullptr || !seen_.insert(stage->index).second) return;
    take(globals_.value(stage->base), stage);
    for (const auto& step : stage->steps) {
      if (auto from = step.flag("from")) take(globals_.value(*from), stage);
      for (auto mount : step.flags_named("mount"))
        for (auto part : split(mount, ','))
          if (part.starts_with("from=")) take(globals_.value(part.substr(5)), stage);
    }
  }
  std::vector<std::string> images;

 private:
  void take(const std::string& name, const image::Stage* by) {
    const auto* below = plan_.find(name);
    if (below != nullptr && below->index < by->index) return visit(below);
    if (name != "scratch" && std::find(images.begin(), images.end(), name) == images.end()) images.push_back(name);
  }
  const image::StagePlan& plan_;
  const Variables& globals_;
  std::set<std::size_t> seen_;
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
    return Fail(Error(Kind::not_found, "no Dockerfile here, want one: it says what runs")
                    .with_hint("write a Dockerfile at the root of the repository, then try again"));
  std::string why_this = others.empty()
                             ? "the only one"
                             : fmt::format("nearest to the root; {} more: {}", others.size(), join(others, ", "));
  facts.reasons.push_back({"Dockerfile", facts.dockerfile, why_this});
  TRY(auto file, image::parse_dockerfile(tree.text(facts.dockerfile), facts.dockerfile));
  TRY(auto plan, image::plan_stages(file));
  Composed composed = look_at_compose(tree, facts.dockerfile);
  std::string why = fmt::format("build.context in {}", composed.file);
  facts.context = composed.file.empty() ? choose_context(tree, facts.dockerfile, copied(plan), why) : composed.context;
  facts.reasons.push_back({"build context", facts.context, why});
  if (!composed.target.empty() && plan.find(composed.target) != nullptr) {
    facts.target = composed.target;
    facts.reasons.push_back({"build stage", facts.target, fmt::format("build.target in {}", composed.file)});
  }

  Variables globals;
  for (const auto& arg : plan.global_args) globals.set(arg);
  const auto* last = final_stage(plan, facts.target);
  Bases bases(plan, globals);
  bases.visit(last);
  facts.bases = std::move(bases.images);
  facts.reasons.push_back(
      {"base images", facts.bases.empty() ? "none" : join(facts.bases, ", "), "FROM in " + facts.dockerfile});

  for (const auto& stage : plan.stages)
    for (const auto& step : stage.steps)
      if (step.name == "arg")
        facts.takes_version = facts.takes_version || std::any_of(step.args.begin(), step.args.end(), [](const auto& a) {
                                return a == "VERSION" || a.starts_with("VERSION=");
                              });

  for (const auto* stage : final_chain(plan, last)) {
    auto variables = globals;
    for (const auto& step : stage->steps) {
      variables.set(step);
      if (step.name == "expose" && port == 0 && !step.args.empty()) {
        port = port_in(variables.value(step.args[0]));
        if (port != 0)
          facts.reasons.push_back(
              {"port", std::to_string(port), fmt::format("EXPOSE in {}:{}", facts.dockerfile, step.line)});
      }
      if (step.name == "healthcheck" && health.empty()) {
        health = path_of_check(variables.value(step.rest));
        if (!health.empty())
          facts.reasons.push_back({"health", health, fmt::format("HEALTHCHECK in {}:{}", facts.dockerfile, step.line)});
      }
    }
    if (port == 0) {
      port = port_in(variables.get("PORT"));
      if (port != 0) facts.reasons.push_back({"port", std::to_string(port), "ENV PORT in " + facts.dockerfile});
    }
  }
  if (port == 0 && composed.port != 0) {
    port = composed.port;
    facts.reasons.push_back({"port", std::to_string(port), fmt::format("ports in {}", composed.file)});
  }
  if (auto path = path_of_check(composed.healthcheck); health.empty() && !path.empty()) {
    health = path;
    facts.reasons.push_back({"health", health, fmt::format("healthcheck in {}", composed.file)});
  }
  return {};
}

}  // namespace slipway::starter::detail
