#include "ci/plan.h"

#include "base/text.h"

namespace slipway::ci {
namespace {

constexpr int max_call_depth = 4;  // levels of workflows calling workflows

class Planner {
 public:
  Planner(const FileReader& read, int depth) : read_(read), depth_(depth) {}

  Result<Plan> plan(Workflow workflow, const Event& event) {
    Plan out;
    out.workflow = std::make_shared<const Workflow>(std::move(workflow));
    out.event = event;
    std::set<std::string> placed;
    // As written, but after what it needs; the reader has refused cycles.
    while (out.jobs.size() < out.workflow->jobs.size()) {
      auto before = out.jobs.size();
      for (auto& definition : out.workflow->jobs) {
        if (placed.contains(definition.id)) continue;
        std::vector<std::string> needs;
        for (auto& need : definition.needs)
          if (auto* found = out.workflow->job(need.text)) needs.push_back(found->id);
        if (!std::all_of(needs.begin(), needs.end(), [&](auto& n) { return placed.contains(n); })) continue;
        TRY(auto made, job(out, definition, std::move(needs)));
        out.jobs.push_back(std::move(made));
        placed.insert(definition.id);
      }
      if (out.jobs.size() == before)
        return fail(Kind::invalid, "{}: the jobs need each other in a circle", out.workflow->source);
    }
    return out;
  }

 private:
  Result<PlanJob> job(const Plan& plan, const JobDefinition& definition, std::vector<std::string> needs) {
    PlanJob out;
    out.id = definition.id;
    out.name = definition.name && !definition.name->is_expression() ? definition.name->literal_text() : definition.id;
    if (out.name.empty()) out.name = definition.id;
    out.definition = &definition;
    out.needs = std::move(needs);
    TRY_OK(strategy(plan, out));
    if (definition.uses) TRY_OK(call(plan, out));
    return out;
  }

  // A matrix that names only what is known now is expanded now; any other when the job is about to run.
  Result<> strategy(const Plan& plan, PlanJob& out) {
    auto& definition = *out.definition;
    if (!definition.strategy) {
      out.legs = {Leg{}};
      return {};
    }
    if (mentions_expression(*definition.strategy)) {
      out.waits_for_values = true;
      return {};
    }
    TRY(auto strategy, definition.strategy->evaluate(Scope{}, plan.workflow->source));
    if (auto value = strategy.member("fail-fast"); !value.is_null()) out.fail_fast = value.truthy();
    if (auto value = strategy.member("max-parallel"); !value.is_null())
      out.max_parallel = static_cast<int>(value.number());
    auto legs = expand_matrix(strategy.member("matrix"));
    if (!legs) {
      auto mark = definition.strategy->mark;
      return Fail(std::move(legs).error().in(
          fmt::format("{}:{}:{}: job '{}'", plan.workflow->source, mark.line, mark.column, out.id)));
    }
    out.legs = *std::move(legs);
    return {};
  }

  static bool mentions_expression(const Template& t) {
    if (t.is_expression()) return true;
    for (auto& item : t.items)
      if (mentions_expression(item)) return true;
    for (auto& [key, value] : t.entries)
      if (key.is_expression() || mentions_expression(value)) return true;
    return false;
  }

  Result<> call(const Plan& plan, PlanJob& out) {
    auto& uses = *out.definition->uses;
    auto place = fmt::format("{}:{}:{}: job '{}'", plan.workflow->source, uses.mark.line, uses.mark.column, out.id);
    std::string_view target = uses.text;
    if (target.starts_with("$/"))
      target.remove_prefix(2);
    else if (target.starts_with("./"))
      target.remove_prefix(2);
    else
      return Fail(Error(Kind::not_found,
                        fmt::format("{}: \"{}\" is a workflow of another repository, which is not mirrored here", place,
                                    target))
                      .with_hint("copy the workflow into this repository and call it as ./.github/workflows/NAME.yml"));
    if (depth_ >= max_call_depth)
      return fail(Kind::invalid, "{}: workflows call each other deeper than {}", place, max_call_depth);
    auto text = read_ ? read_(std::string(target)) : Result<std::optional<std::string>>(std::optional<std::string>());
    if (!text) return Fail(std::move(text).error().in(place));
    if (!*text) return fail(Kind::not_found, "{}: no file {} in this tree", place, target);
    ReadOptions options;
    options.source = std::string(target);
    auto reading = read_workflow(**text, options);
    if (!reading.problems.empty()) return fail(Kind::invalid, "{}: {}", place, reading.problems[0].print());
    if (!reading.workflow.trigger("workflow_call"))
      return fail(Kind::invalid, "{}: {} cannot be called, it has no 'on: workflow_call'", place, target);
    TRY(auto called, Planner(read_, depth_ + 1).plan(std::move(reading.workflow), plan.event));
    out.called = std::make_shared<const Plan>(std::move(called));
    return {};
  }

  const FileReader& read_;
  int depth_;
};

void print_jobs(const Plan& plan, int indent, std::string& out) {
  for (auto& job : plan.jobs) {
    out += fmt::format("{:{}}{}", "", indent, job.id);
    if (job.name != job.id) out += fmt::format(" \"{}\"", job.name);
    if (!job.needs.empty()) out += fmt::format("  needs: {}", join(std::span<const std::string>(job.needs), ", "));
    if (!job.when.empty()) {
      if (job.when != "on_success") out += "  when: " + job.when;
      if (job.definition->continue_on_error || !job.tolerated_codes.empty()) out += "  may fail";
      if (job.retry.times > 0) out += fmt::format("  retry: {}", job.retry.times);
    } else if (job.definition->condition.text != "success()")
      out += fmt::format("  if: {}", job.definition->condition.text);
    if (job.waits_for_values)
      out += "  matrix: known when it runs";
    else if (job.legs.size() > 1 || !job.legs[0].suffix.empty())
      out += fmt::format("  matrix: {} rows", job.legs.size());
    out += '\n';
    if (!job.waits_for_values)
      for (auto& leg : job.legs)
        if (!leg.suffix.empty()) out += fmt::format("{:{}}- {}\n", "", indent + 2, leg.suffix);
    for (auto& step : job.definition->steps) {
      auto what = step.name   ? step.name->as_written()
                  : step.uses ? step.uses->as_written()
                  : step.run  ? step.run->as_written()
                              : step.id;
      auto first = std::string(lines(what).empty() ? std::string_view() : lines(what)[0]);
      out += fmt::format("{:{}}{}\n", "", indent + 4, first.substr(0, 100));
    }
    if (job.called) {
      out += fmt::format("{:{}}calls {}\n", "", indent + 2, job.called->workflow->source);
      print_jobs(*job.called, indent + 4, out);
    }
  }
}

}  // namespace

Result<Plan> make_plan(Workflow workflow, const Event& event, const FileReader& read) {
  return Planner(read, 0).plan(std::move(workflow), event);
}

Result<std::optional<Concurrency>> concurrency_of(const Plan& plan) {
  if (!plan.workflow->concurrency) return std::optional<Concurrency>();
  auto& e = plan.event;
  Object github;
  github.set("ref", e.ref), github.set("sha", e.sha), github.set("event_name", e.name),
      github.set("repository", e.repository);
  github.set("actor", e.actor), github.set("head_ref", e.head_ref), github.set("base_ref", e.base_ref);
  github.set("workflow", plan.workflow->name ? plan.workflow->name->literal_text() : plan.workflow->source);
  auto name = e.ref.starts_with("refs/heads/")  ? e.ref.substr(11)
              : e.ref.starts_with("refs/tags/") ? e.ref.substr(10)
                                                : e.ref;
  github.set("ref_name", name), github.set("event", Data::from(e.payload));
  Scope scope;
  scope.context = [github = Data(std::move(github)), inputs = Data::from(e.inputs)](std::string_view context) {
    return iequals(context, "github") ? github : iequals(context, "inputs") ? inputs : Data();
  };
  TRY(auto value, plan.workflow->concurrency->evaluate(scope, plan.workflow->source));
  Concurrency out;
  out.group = value.if_object() ? value.member("group").text() : value.text();
  out.cancel_in_progress = value.member("cancel-in-progress").truthy();
  out.keep_all = value.member("queue").text() == "max";
  if (out.group.empty()) return std::optional<Concurrency>();
  return std::optional(std::move(out));
}

std::string Plan::print() const {
  std::string out = fmt::format("{} on {} {}\n", workflow->name ? workflow->name->literal_text() : workflow->source,
                                event.name, event.ref);
  print_jobs(*this, 2, out);
  return out;
}

doc::Value Plan::to_doc() const {
  doc::Value out;
  out["workflow"] = workflow->source;
  out["event"] = event.name;
  doc::List list;
  for (auto& job : jobs) {
    doc::Value item;
    item["id"] = job.id, item["name"] = job.name, item["if"] = job.definition->condition.text;
    doc::List needs, legs;
    for (auto& need : job.needs) needs.emplace_back(need);
    for (auto& leg : job.legs)
      if (!leg.matrix.is_null()) legs.push_back(leg.matrix.to_doc());
    item["needs"] = std::move(needs);
    item["matrix"] = std::move(legs);
    item["matrixKnown"] = !job.waits_for_values;
    if (!job.when.empty()) item["when"] = job.when;
    if (job.called) item["calls"] = job.called->to_doc();
    list.push_back(std::move(item));
  }
  out["jobs"] = std::move(list);
  return out;
}

}  // namespace slipway::ci
