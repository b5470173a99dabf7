#include "gitops/flux/expressions.h"

#include "base/guarded.h"
#include "cel/cel.h"
#include "gitops/flux/kustomization.h"

namespace slipway::gitops::flux {

class Allowance {
 public:
  explicit Allowance(std::uint64_t steps) : left_(steps) {}

  // Errors: invalid (more text than makes sense; reading it costs as well).
  Result<> read(std::string_view text) {
    constexpr std::size_t most = 100'000;
    auto bytes = bytes_.lock();
    *bytes += text.size();
    if (*bytes > most) return fail(Kind::invalid, "the expressions have more than {} bytes together", most);
    return {};
  }

  // Never more than one evaluation may use; what it used is gone for the others.
  Result<bool> holds(const cel::Program& program, const cel::Bindings& bindings) {
    cel::Budget budget;
    budget.steps = std::min(budget.steps, *left_.lock());
    auto had = budget.steps;
    auto result = program.holds(bindings, budget);
    auto left = left_.lock();
    *left -= std::min(*left, had - budget.steps);
    return result;
  }

 private:
  Guarded<std::uint64_t> left_;
  Guarded<std::size_t> bytes_;
};

std::shared_ptr<Allowance> new_allowance(std::uint64_t steps) { return std::make_shared<Allowance>(steps); }

namespace {

constexpr std::string_view health_place = ".spec.healthCheckExprs", ready_field = ".readyExpr:";

Result<cel::Program> compile(doc::View view, cel::Options options, Allowance& allowance) {
  options.source = view.path();
  if (auto fits = allowance.read(view.text()); !fits) return view.wrong(fits.error().what());
  auto program = cel::compile(view.text(), options);
  if (program) return program;
  const auto& error = program.error();
  return fail(Kind::invalid, "{}{}{}", error.what(), error.hint().empty() ? "" : ", ", error.hint());
}

struct Check {
  std::string place;
  struct One {
    Health means;
    std::string name;
    cel::Program program;
  };
  std::vector<One> ordered;
};

Result<Check> read_check(doc::View view, Allowance& allowance) {
  Check check{view.path(), {}};
  if (view["current"].text().empty()) return view["current"].wrong("missing, want a CEL expression");
  constexpr std::pair<std::string_view, Health> order[] = {
      {"inProgress", Health::progressing}, {"failed", Health::degraded}, {"current", Health::healthy}};
  for (const auto& [name, means] : order) {
    if (view[name].text().empty()) continue;
    TRY(auto program, compile(view[name], {.any_variable = true}, allowance));
    check.ordered.push_back({means, std::string(name), std::move(program)});
  }
  return check;
}

// Only where both are integers: there are kinds that write it as a text.
bool is_of_an_older_generation(const kube::Object& object) {
  const auto* seen = object["status"]["observedGeneration"].value().if_int();
  const auto* wanted = object["metadata"]["generation"].value().if_int();
  return seen != nullptr && wanted != nullptr && *seen != *wanted;
}

HealthStatus evaluate(const Check& check, const kube::Object& object, Allowance& allowance) {
  if (is_of_an_older_generation(object)) return {Health::progressing, "status.observedGeneration is not this one yet"};
  cel::Bindings bindings;
  bindings.fields_of(object.value());
  for (const auto& one : check.ordered) {
    auto holds = allowance.holds(one.program, bindings);
    if (!holds) return {Health::unknown, holds.error().what()};
    if (*holds) return {one.means, one.means == Health::healthy ? "" : fmt::format("{}.{}", check.place, one.name)};
  }
  return {Health::progressing, fmt::format("{}.current is false", check.place)};
}

// As Flux's own types have it: a status is always there.
kube::Object with_status(const kube::Object& object) {
  if (object["status"].present()) return object;
  auto copy = object.copy();
  copy["status"] = doc::Map();
  return kube::Object(std::move(copy));
}

}  // namespace

Result<HealthRule> health_rule(doc::View spec, std::shared_ptr<Allowance> allowance) {
  auto checks = std::make_shared<std::map<std::pair<std::string, std::string>, Check>>();  // by group and kind
  for (const auto& item : spec["healthCheckExprs"].items()) {
    kube::Type type{item["apiVersion"].text(), item["kind"].text()};
    if (type.api_version.empty()) return item["apiVersion"].wrong("missing, want GROUP/VERSION");
    TRY(auto check, read_check(item, *allowance));
    if (!checks->try_emplace({type.group(), type.kind}, std::move(check)).second)
      return item.wrong(fmt::format("expressions for {} of \"{}\" are there already",
                                    type.kind.empty() ? "all kinds" : type.kind, type.group()));
  }
  if (checks->empty()) return HealthRule();
  return HealthRule([checks, allowance = std::move(allowance)](
                        const kube::Object& object) -> std::optional<std::optional<HealthStatus>> {
    auto type = object.type();
    auto found = checks->find({type.group(), type.kind});
    if (found == checks->end()) found = checks->find({type.group(), ""});
    if (found == checks->end()) return std::nullopt;
    return std::optional<HealthStatus>(evaluate(found->second, object, *allowance));
  });
}

Result<std::vector<Dependency>> read_dependencies(const kube::Object& kustomization,
                                                  const std::shared_ptr<Allowance>& allowance) {
  std::vector<Dependency> all;
  auto keys = dependencies_of(kustomization);
  auto items = kustomization["spec"]["dependsOn"].items();
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto view = items[i]["readyExpr"];
    all.push_back({std::move(keys[i]), {}});
    if (view.text().empty()) continue;
    TRY(auto program, compile(view, {.variables = {"self", "dep"}}, *allowance));
    all.back().unready = [program = std::move(program), allowance,
                          self = with_status(kustomization)](const kube::Object& object) -> std::string {
      auto dep = with_status(object);
      cel::Bindings bindings;
      bindings.set("self", self.value()), bindings.set("dep", dep.value());
      auto ready = allowance->holds(program, bindings);
      if (!ready) return "cannot be said to be ready: " + ready.error().what();
      return *ready ? "" : "is not ready according to readyExpr eval";
    };
  }
  return all;
}

bool is_of_an_expression(const Error& error) {
  return error.what().starts_with(health_place) ||
         (error.what().starts_with(".spec.dependsOn[") && error.what().contains(ready_field));
}

}  // namespace slipway::gitops::flux
