// The job graph while it runs.
#include "ci/runner.h"

#include <condition_variable>

#include "base/text.h"
#include "ci/detail/job_run.h"
#include "ci/pod/pods.h"

namespace slipway::ci {
namespace {

// How a definition came out, all its legs together.
struct Outcome {
  Conclusion conclusion = Conclusion::success;
  std::map<std::string, std::string> outputs;
  bool all_success = true;  // this one and all it needs
};

// The jobs of one workflow; a reusable workflow is a graph of its own inside a job. Threads: run() one; legs others.
class Graph {
 public:
  // Of a called workflow: what started, and whether the job that calls may have id tokens.
  struct Caller {
    const Plan* root;
    bool may_identify;
  };
  Graph(Shared& shared, const Plan& plan, std::string prefix, Data inputs, std::map<std::string, std::string> secrets,
        std::set<std::string> chosen, std::optional<Caller> caller = {})
      : shared_(shared),
        plan_(plan),
        caller_(caller),
        prefix_(std::move(prefix)),
        inputs_(std::move(inputs)),
        secrets_(std::move(secrets)),
        chosen_(std::move(chosen)) {}

  // Gives the results of all jobs, in the order of their end. Comes with a unit of Busy, and leaves with it.
  std::vector<JobResult> run(const Ctx& ctx) {
    std::vector<std::jthread> threads;
    std::unique_lock lock(mutex_);
    for (int units = 1;;) {
      start_ready(ctx, threads);
      if (outcomes_.size() == wanted() || alive_ == 0) {
        shared_.busy.end(units - 1);
        break;
      }
      shared_.busy.end(units);
      changed_.wait(lock, [&] { return ended_ > 0; });
      units = std::exchange(ended_, 0);
    }
    lock.unlock();
    threads.clear();
    return std::move(results_);
  }

  // What is left waits for people.
  bool waits() const { return outcomes_.size() < wanted(); }

  bool failed() const {
    return std::any_of(outcomes_.begin(), outcomes_.end(),
                       [](auto& o) { return o.second.conclusion == Conclusion::failure; });
  }
  bool cancelled() const {
    return std::any_of(outcomes_.begin(), outcomes_.end(),
                       [](auto& o) { return o.second.conclusion == Conclusion::cancelled; });
  }

  // on.workflow_call.outputs of a called workflow.
  Result<std::map<std::string, std::string>> call_outputs() const {
    std::map<std::string, std::string> out;
    auto* trigger = plan_.workflow->trigger("workflow_call");
    if (!trigger) return out;
    Object jobs;
    for (auto& [id, outcome] : outcomes_) jobs.set(id, need_data(outcome));
    Scope scope = basic_scope(Data(Object{}));
    auto names = scope.context;
    scope.context = [&jobs, names](std::string_view name) { return iequals(name, "jobs") ? Data(jobs) : names(name); };
    for (auto& [name, value] : trigger->outputs) {
      TRY(auto text, value.evaluate_text(scope, plan_.workflow->source));
      out[name] = text;
    }
    return out;
  }

 private:
  // One definition that is running: its legs.
  struct Running {
    const PlanJob* job;
    std::vector<Leg> legs;
    std::size_t next = 0, active = 0, done = 0;
    bool fail_fast = true;
    int max_parallel = 0;
    Data needs;
    Outcome outcome;
    std::unique_ptr<ChildStop> stop;
  };

  std::size_t wanted() const { return chosen_.empty() ? plan_.jobs.size() : chosen_.size(); }
  bool is_wanted(const PlanJob& job) const { return chosen_.empty() || chosen_.contains(job.id); }

  void start_ready(const Ctx& ctx, std::vector<std::jthread>& threads) {
    for (bool progress = true; progress;) {
      progress = false;
      for (auto& job : plan_.jobs) {
        if (!is_wanted(job) || outcomes_.contains(job.id) || running_.contains(job.id)) continue;
        if (!std::all_of(job.needs.begin(), job.needs.end(), [&](auto& need) { return outcomes_.contains(need); }))
          continue;
        begin(ctx, job);
        progress = true;
      }
      for (auto& [id, running] : running_) start_legs(ctx, running, threads);
    }
  }

  Data need_data(const Outcome& outcome) const {
    Object one, outputs;
    for (auto& [key, value] : outcome.outputs) outputs.set(key, value);
    one.set("result", std::string(to_string(outcome.conclusion)));
    one.set("outputs", std::move(outputs));
    return one;
  }

  Scope basic_scope(Data needs) const {
    Scope scope;
    scope.context = [this, needs = std::move(needs)](std::string_view name) -> Data {
      if (iequals(name, "needs")) return needs;
      if (iequals(name, "inputs")) return inputs_;
      if (iequals(name, "github")) return github();
      if (iequals(name, "vars")) {
        Object vars;
        for (auto& [key, value] : shared_.options.vars) vars.set(key, value);
        return vars;
      }
      return {};
    };
    return scope;
  }

  Data github() const {
    auto& e = plan_.event;
    Object g;
    g.set("event_name", e.name), g.set("ref", e.ref), g.set("sha", e.sha), g.set("repository", e.repository);
    g.set("repository_owner", e.owner), g.set("actor", e.actor), g.set("triggering_actor", e.actor);
    g.set("head_ref", e.head_ref), g.set("base_ref", e.name.starts_with("pull_request") ? e.base_ref : std::string());
    auto slash = e.ref.find('/', 5);
    g.set("ref_name", slash == std::string::npos ? e.ref : e.ref.substr(slash + 1));
    g.set("ref_type", e.ref.starts_with("refs/tags/") ? "tag" : "branch");
    g.set("event", Data::from(e.payload));
    g.set("run_id", shared_.options.run_id), g.set("run_number", std::to_string(shared_.options.run_number));
    g.set("run_attempt", std::to_string(shared_.options.attempt));
    g.set("server_url", shared_.options.server_url);
    g.set("workflow", plan_.workflow->name ? plan_.workflow->name->literal_text() : plan_.workflow->source);
    return g;
  }

  // Whether a job that has not begun, or waits for a slot, will want a place that is like all others.
  bool others_follow() {
    std::lock_guard lock(mutex_);
    if (alive_ > static_cast<int>(shared_.options.max_parallel)) return true;
    return std::any_of(plan_.jobs.begin(), plan_.jobs.end(), [&](auto& job) {
      auto running = running_.find(job.id);
      bool open = running != running_.end() ? running->second.next < running->second.legs.size()
                                            : is_wanted(job) && !outcomes_.contains(job.id);
      return open && JobRun::fits_any_place(*job.definition);
    });
  }

  // Decides whether the job runs, and into how many legs.
  void begin(const Ctx& ctx, const PlanJob& job) {
    Object needs;
    bool ancestors = true, any_failed = false;
    for (auto& need : job.needs) {
      needs.set(need, need_data(outcomes_.at(need)));
      ancestors = ancestors && outcomes_.at(need).all_success;
      any_failed = any_failed || failed_below(need);
    }
    Data need(std::move(needs));
    auto verdict = condition(ctx, job, need, ancestors, any_failed);
    if (!verdict) return end_without_run(job, Conclusion::failure, verdict.error().what());
    if (!*verdict) {
      bool cancelled = !ctx.alive();
      return end_without_run(job, cancelled ? Conclusion::cancelled : Conclusion::skipped,
                             cancelled   ? "cancelled"
                             : ancestors ? "its condition is false"
                                         : blocked_by(job));
    }
    if (job.manual && !is_asked_for(job)) {
      // One that may be left out keeps nobody waiting; it can be started when the run is over.
      bool optional = job.definition->continue_on_error.has_value();
      if (!shared_.options.environments || optional) return end_without_run(job, Conclusion::skipped, manual_why());
    }
    Running running;
    running.job = &job;
    running.needs = need;
    running.stop = std::make_unique<ChildStop>(ctx.stop);
    running.legs = job.legs, running.fail_fast = job.fail_fast, running.max_parallel = job.max_parallel;
    if (job.waits_for_values) {
      if (auto expanded = expand(job, need, running); !expanded)
        return end_without_run(job, Conclusion::failure, expanded.error().what());
    }
    if (!narrow(running.legs)) return end_without_run(job, Conclusion::skipped, "no row of its matrix is asked for");
    running_.emplace(job.id, std::move(running));
  }

  // Rows that were not asked for go; several values of one key are alternatives. False: none is left.
  bool narrow(std::vector<Leg>& legs) const {
    std::map<std::string, std::vector<std::string>> wanted;
    for (auto& [key, value] : shared_.options.only_matrix) wanted[lower(key)].push_back(value);
    for (auto& [key, values] : wanted) {
      auto value_of = [&, name = key](const Leg& leg) {
        return leg.matrix.is_null() ? Data() : leg.matrix.member(name);
      };
      if (std::none_of(legs.begin(), legs.end(), [&](auto& leg) { return !value_of(leg).is_null(); })) continue;
      std::erase_if(legs, [&](auto& leg) {
        auto value = value_of(leg);
        return value.is_null() ||
               std::none_of(values.begin(), values.end(), [&](auto& one) { return iequals(value.text(), one); });
      });
    }
    return !legs.empty();
  }

  std::string manual_why() const {
    return shared_.options.environments ? "manual: waits for somebody to start it"
                                        : "manual: starts only when it is named (slipway run --job)";
  }

  bool is_asked_for(const PlanJob& job) const {
    auto is_it = [&](auto& asked) { return iequals(asked, job.id); };
    auto& o = shared_.options;
    return std::any_of(o.only_jobs.begin(), o.only_jobs.end(), is_it) ||
           std::any_of(o.started_jobs.begin(), o.started_jobs.end(), is_it);
  }

  bool failed_below(const std::string& id) const {
    if (outcomes_.at(id).conclusion == Conclusion::failure) return true;
    for (auto& job : plan_.jobs)
      if (job.id == id)
        return std::any_of(job.needs.begin(), job.needs.end(), [&](auto& need) { return failed_below(need); });
    return false;
  }

  std::string blocked_by(const PlanJob& job) const {
    for (auto& need : job.needs)
      if (!outcomes_.at(need).all_success)
        return fmt::format("job '{}' it needs is {}", need, to_string(outcomes_.at(need).conclusion));
    return "its condition is false";
  }

  // success() wants all ancestors to have succeeded, not only the jobs it names.
  Result<bool> condition(const Ctx& ctx, const PlanJob& job, const Data& needs, bool ancestors, bool any_failed) const {
    auto& condition = job.definition->condition;
    bool stopped = !ctx.alive();
    if (!condition.expression) return ancestors && !stopped;
    Scope scope = basic_scope(needs);
    scope.call = [&](std::string_view function, const std::vector<Data>& arguments) -> Result<Data> {
      if (iequals(function, "always")) return Data(true);
      if (iequals(function, "cancelled")) return Data(stopped);
      if (!arguments.empty() && (iequals(function, "success") || iequals(function, "failure")))
        return named(function, arguments);
      if (iequals(function, "success")) return Data(ancestors && !stopped);
      if (iequals(function, "failure")) return Data(any_failed && !stopped);
      return fail(Kind::invalid, "function '{}' is not available here", function);
    };
    auto value = condition.expression->evaluate(scope);
    if (!value)
      return Fail(std::move(value).error().in(
          fmt::format("{}:{}:{}: if", plan_.workflow->source, condition.mark.line, condition.mark.column)));
    return value->truthy();
  }

  Result<Data> named(std::string_view function, const std::vector<Data>& jobs) const {
    bool all = true, any = false;
    for (auto& id : jobs) {
      auto found = outcomes_.find(id.text());
      if (found == outcomes_.end()) return fail(Kind::invalid, "job '{}' is not among the needs", id.text());
      all = all && found->second.conclusion == Conclusion::success;
      any = any || found->second.conclusion == Conclusion::failure;
    }
    return Data(iequals(function, "success") ? all : any);
  }

  Result<> expand(const PlanJob& job, const Data& needs, Running& running) {
    auto& source = plan_.workflow->source;
    TRY(auto strategy, job.definition->strategy->evaluate(basic_scope(needs), source));
    if (auto value = strategy.member("fail-fast"); !value.is_null()) running.fail_fast = value.truthy();
    if (auto value = strategy.member("max-parallel"); !value.is_null())
      running.max_parallel = static_cast<int>(value.number());
    auto mark = job.definition->strategy->mark;
    auto legs = expand_matrix(strategy.member("matrix"));
    if (!legs) return Fail(std::move(legs).error().in(fmt::format("{}:{}:{}", source, mark.line, mark.column)));
    running.legs = *std::move(legs);
    return {};
  }

  void end_without_run(const PlanJob& job, Conclusion conclusion, std::string why) {
    JobResult result;
    result.key = prefix_ + job.id, result.id = job.id, result.name = prefix_ + job.name;
    result.conclusion = conclusion, result.why = std::move(why);
    shared_.tell([&](Observer& o) { o.job_finished(result); });
    results_.push_back(std::move(result));
    Outcome outcome;
    outcome.conclusion = conclusion, outcome.all_success = false;
    outcomes_[job.id] = std::move(outcome);
  }

  std::string key_of(const Running& running, std::size_t index) const {
    return job_key(prefix_, *running.job, running.legs, index);
  }

  void start_legs(const Ctx& ctx, Running& running, std::vector<std::jthread>& threads) {
    auto limit = running.max_parallel > 0 ? static_cast<std::size_t>(running.max_parallel) : running.legs.size();
    while (running.next < running.legs.size() && running.active < limit) {
      auto index = running.next++;
      ++running.active, ++alive_;
      shared_.busy.begin();
      threads.emplace_back([this, &ctx, &running, index] { leg(ctx, running, index); });
    }
  }

  // A thread of its own.
  void leg(const Ctx& ctx, Running& running, std::size_t index) {
    auto key = key_of(running, index);
    auto result = earlier(key);
    bool fresh = !result;
    if (fresh) {
      Ctx own = ctx.with_stop(running.stop->token());
      // The thread's entry: what escapes here would end the program.
      try {
        result = running.job->definition->uses ? call(own, running, index, key) : job(own, running, index, key);
      } catch (const std::exception& e) {
        result = JobResult{};
        result->key = key, result->id = running.job->id, result->name = key;
        result->conclusion = Conclusion::failure, result->why = fmt::format("internal error: {}", e.what());
      }
    }
    if (fresh && !result->waits) shared_.tell([&](Observer& o) { o.job_finished(*result); });
    if (fresh && shared_.options.pods) shared_.options.pods->recorded(shared_.options.run_id, key);
    std::lock_guard lock(mutex_);
    --running.active, --alive_, ++ended_;
    changed_.notify_all();
    if (result->waits) return;  // never done: this definition has no outcome yet
    merge(running, *result);
    results_.push_back(*std::move(result));
    ++running.done;
    if (running.done == running.legs.size()) {
      auto outcome = std::move(running.outcome);
      for (auto& need : running.job->needs) outcome.all_success = outcome.all_success && outcomes_.at(need).all_success;
      outcome.all_success = outcome.all_success && outcome.conclusion == Conclusion::success;
      outcomes_[running.job->id] = std::move(outcome);
    }
  }

  std::optional<JobResult> earlier(const std::string& key) const {
    for (auto& result : shared_.options.finished)
      if (result.key == key) return result;
    return {};
  }

  // Past the rules of its environment, before it takes a slot: a job may wait for days.
  Result<Environments::Grant> enter(const Ctx& ctx, const PlanJob& job, const Environments::Wish& wish) {
    auto& environments = shared_.options.environments;
    if (!environments) {
      auto text =
          fmt::format("environment {}: a run by hand knows no rules, secrets or approvals of it", wish.environment);
      shared_.tell([&](Observer& o) { o.log({wish.key, "", std::chrono::system_clock::now(), 0, text}); });
      return Environments::Grant{};
    }
    // Stops with the run, and when nothing of it is under way any more.
    ChildStop stop(ctx.stop);
    std::stop_callback idle(shared_.busy.idle(), [&] { stop.request_stop(); });
    bool told = false;
    auto grant = environments->enter(ctx.with_stop(stop.token()), wish, [&](const Waiting& waiting) {
      shared_.tell([&](Observer& o) { o.job_waits(wish.key, prefix_ + job.name, waiting); });
      if (!std::exchange(told, true)) shared_.busy.end();
    });
    if (told) shared_.busy.begin();
    return grant;
  }

  // The name of the environment, "" for none.
  Result<std::string> environment_of(const Running& running, std::size_t index) const {
    auto& given = running.job->definition->environment;
    if (!given) return std::string();
    const auto* name = given->is(Template::Sort::map) ? given->find("name") : &*given;
    return name ? name->evaluate_text(leg_scope(running, index), plan_.workflow->source) : std::string();
  }

  // Nothing: the result says why not.
  std::optional<Environments::Grant> admitted(const Ctx& ctx, Running& running, std::size_t index, JobResult& result) {
    auto environment = environment_of(running, index);
    if (!environment) {
      result.conclusion = Conclusion::failure, result.why = environment.error().what();
      return {};
    }
    result.environment = *environment;
    auto& given = running.job->definition->environment;
    const auto* deployment = given ? given->find("deployment") : nullptr;
    Environments::Wish wish{result.key, result.name, *environment, running.job->manual && !is_asked_for(*running.job),
                            !deployment || deployment->boolean};
    if (wish.environment.empty() && !wish.by_hand) return Environments::Grant{};
    auto grant = enter(ctx, *running.job, wish);
    if (grant) {
      for (auto& [name, value] : grant->secrets) shared_.redaction.add(value);
      return *std::move(grant);
    }
    result.why = grant.error().what();
    result.waits = grant.error().is(Kind::cancelled) && ctx.alive();
    bool cancelled = grant.error().is(Kind::cancelled);
    result.conclusion = cancelled ? Conclusion::cancelled : Conclusion::failure;
    if (cancelled) result.why = "cancelled before it started";
    return {};
  }

  JobResult job(const Ctx& ctx, Running& running, std::size_t index, const std::string& key) {
    JobResult result;
    result.key = key, result.id = running.job->id, result.name = key;
    auto grant = admitted(ctx, running, index, result);
    if (!grant) return result;
    auto environment = result.environment;
    auto secrets = secrets_;
    // Code of strangers gets none, whoever approved it.
    if (plan_.event.trusted)
      for (auto& [name, value] : grant->secrets) secrets[name] = value;
    if (auto delay = running.job->delay; delay > Millis(0)) {
      auto text = fmt::format("Starts in {}", human_duration(delay));
      shared_.tell([&](Observer& o) { o.log({key, "", std::chrono::system_clock::now(), 0, text}); });
      if (auto waited = sleep(ctx, delay); !waited) {
        result.conclusion = Conclusion::cancelled, result.why = "cancelled before it started";
        return result;
      }
    }
    if (auto slot = shared_.slots.take(ctx); !slot) {
      result.conclusion = Conclusion::cancelled, result.why = "cancelled before it started";
      return result;
    }
    Finally give([&] { shared_.slots.give(); });
    for (int attempt = 1;; ++attempt) {
      JobInput input{shared_,
                     plan_,
                     *running.job,
                     running.legs[index],
                     index,
                     running.legs.size(),
                     running.fail_fast,
                     running.max_parallel,
                     key,
                     running.needs,
                     inputs_,
                     secrets,
                     grant->vars,
                     may_identify(*running.job->definition),
                     root(),
                     others_follow()};
      result = JobRun(std::move(input)).run(ctx);
      result.environment = environment;
      auto& retry = running.job->retry;
      if (attempt > retry.times || !ctx.alive() || !worth_again(retry, result)) return result;
      auto text = fmt::format("Runs again ({} of {}): {}", attempt + 1, retry.times + 1, result.why);
      shared_.tell([&](Observer& o) { o.log({key, "", std::chrono::system_clock::now(), 0, text}); });
    }
  }

  static bool worth_again(const Retry& retry, const JobResult& result) {
    if (result.conclusion != Conclusion::failure) return false;
    if (retry.when.empty() && retry.codes.empty()) return true;
    if (std::find(retry.codes.begin(), retry.codes.end(), result.exit_code) != retry.codes.end()) return true;
    return std::any_of(retry.when.begin(), retry.when.end(), [&](auto& reason) {
      if (reason == "always") return true;
      if (reason == "script_failure") return result.exit_code != 0;
      if (reason == "job_execution_timeout" || reason == "stuck_or_timeout_failure") return result.timed_out;
      return result.exit_code == 0 && !result.timed_out;  // what is left is the runner's
    });
  }

  // A called workflow: its jobs are ours with a prefix, the call's own result is made of theirs.
  JobResult call(const Ctx& ctx, Running& running, std::size_t index, const std::string& key) {
    JobResult result;
    result.key = key, result.id = running.job->id, result.name = key;
    auto started = std::chrono::steady_clock::now();
    auto broken = [&](std::string why) {
      result.conclusion = Conclusion::failure, result.why = std::move(why);
      return result;
    };
    auto inputs = call_inputs(running, index);
    if (!inputs) return broken(inputs.error().what());
    auto secrets = call_secrets(running, index);
    if (!secrets) return broken(secrets.error().what());
    Graph inner(shared_, *running.job->called, key + " / ", Data(*std::move(inputs)), *std::move(secrets), {},
                Caller{root(), may_identify(*running.job->definition)});
    auto results = inner.run(ctx);
    auto outputs = inner.call_outputs();
    result.waits = inner.waits();
    result.conclusion = inner.failed()      ? Conclusion::failure
                        : inner.cancelled() ? Conclusion::cancelled
                                            : Conclusion::success;
    if (inner.failed()) result.why = "a job of the called workflow failed";
    if (outputs)
      result.outputs = *std::move(outputs);
    else if (result.conclusion == Conclusion::success && !result.waits)
      return broken(outputs.error().what());
    result.duration = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - started);
    std::lock_guard lock(mutex_);
    for (auto& r : results) results_.push_back(std::move(r));
    return result;
  }

  const Plan* root() const { return caller_ ? caller_->root : &plan_; }
  // Rule: a called workflow has what its caller has when it says nothing, and never more than that.
  bool may_identify(const JobDefinition& job) const {
    auto& given = job.permissions ? job.permissions : plan_.workflow->permissions;
    if (!given) return caller_ && caller_->may_identify;
    auto level = given->find("id-token");
    return level != given->end() && level->second == "write" && (!caller_ || caller_->may_identify);
  }

  Scope leg_scope(const Running& running, std::size_t index) const {
    Scope scope = basic_scope(running.needs);
    auto names = scope.context;
    auto matrix = running.legs[index].matrix;
    Object secrets;
    for (auto& [key, value] : secrets_) secrets.set(key, value);
    scope.context = [names, matrix, secrets = Data(std::move(secrets))](std::string_view name) {
      return iequals(name, "matrix") ? matrix : iequals(name, "secrets") ? secrets : names(name);
    };
    return scope;
  }

  Result<Object> call_inputs(const Running& running, std::size_t index) const {
    auto& definition = *running.job->definition;
    auto& source = plan_.workflow->source;
    auto* trigger = running.job->called->workflow->trigger("workflow_call");
    Object given, out;
    if (definition.with) {
      TRY(auto value, definition.with->evaluate(leg_scope(running, index), source));
      if (auto* object = value.if_object()) given = *object;
    }
    for (auto& [name, value] : given.entries) {
      bool known =
          std::any_of(trigger->inputs.begin(), trigger->inputs.end(), [&](auto& i) { return iequals(i.name, name); });
      if (!known)
        return fail(Kind::invalid, "{}:{}:{}: Invalid input, {} is not defined in the referenced workflow.", source,
                    definition.mark.line, definition.mark.column, name);
    }
    for (auto& input : trigger->inputs) {
      auto* value = given.find(input.name);
      if (!value && input.required)
        return fail(Kind::invalid, "{}:{}:{}: Input {} is required, but not provided while calling.", source,
                    definition.mark.line, definition.mark.column, input.name);
      if (value) {
        out.set(input.name, input.type == "boolean"
                                ? Data(value->if_string() ? *value->if_string() == "true" : value->truthy())
                            : input.type == "number" ? Data(value->number())
                                                     : Data(value->text()));
        continue;
      }
      TRY(auto fallback, input.fallback.evaluate(basic_scope(Data(Object{})), source));
      if (fallback.is_null())
        fallback = input.type == "boolean" ? Data(false) : input.type == "number" ? Data(0) : Data("");
      out.set(input.name, std::move(fallback));
    }
    return out;
  }

  Result<std::map<std::string, std::string>> call_secrets(const Running& running, std::size_t index) const {
    auto& definition = *running.job->definition;
    std::map<std::string, std::string> out;
    if (definition.inherit_secrets) return secrets_;
    if (auto token = secrets_.find("GITHUB_TOKEN"); token != secrets_.end()) out.insert(*token);
    if (!definition.secrets) return out;
    TRY(auto value, definition.secrets->evaluate(leg_scope(running, index), plan_.workflow->source));
    if (auto* object = value.if_object())
      for (auto& [name, secret] : object->entries) out[name] = secret.text();
    return out;
  }

  // Under the lock.
  void merge(Running& running, const JobResult& result) {
    auto conclusion = result.conclusion;
    bool tolerated = conclusion == Conclusion::failure && tolerates(running, result);
    if (tolerated) conclusion = Conclusion::success;
    auto rank = [](Conclusion c) {
      return c == Conclusion::failure ? 3 : c == Conclusion::cancelled ? 2 : c == Conclusion::skipped ? 1 : 0;
    };
    if (rank(conclusion) > rank(running.outcome.conclusion)) running.outcome.conclusion = conclusion;
    for (auto& [key, value] : result.outputs) running.outcome.outputs[key] = value;
    if (conclusion == Conclusion::failure && running.fail_fast && running.legs.size() > 1) running.stop->request_stop();
  }

  bool tolerates(const Running& running, const JobResult& result) const {
    auto& codes = running.job->tolerated_codes;
    if (std::find(codes.begin(), codes.end(), result.exit_code) != codes.end()) return true;
    auto& rule = running.job->definition->continue_on_error;
    if (!rule) return false;
    for (std::size_t i = 0; i < running.legs.size(); ++i) {
      if (key_of(running, i) != result.key) continue;
      auto value = rule->evaluate(leg_scope(running, i), plan_.workflow->source);
      return value && value->truthy();
    }
    return false;
  }

  Shared& shared_;
  const Plan& plan_;
  std::optional<Caller> caller_;
  std::string prefix_;
  Data inputs_;
  std::map<std::string, std::string> secrets_;
  std::set<std::string> chosen_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Running> running_;  // entries stay: legs refer to them
  std::map<std::string, Outcome> outcomes_;
  std::vector<JobResult> results_;
  int alive_ = 0, ended_ = 0;  // legs: running; ended since the coordinator looked
};

Result<std::set<std::string>> choose(const Plan& plan, const std::vector<std::string>& asked) {
  std::set<std::string> out;
  std::vector<std::string> open = asked;
  while (!open.empty()) {
    auto id = open.back();
    open.pop_back();
    auto found = std::find_if(plan.jobs.begin(), plan.jobs.end(), [&](auto& job) { return iequals(job.id, id); });
    if (found == plan.jobs.end()) {
      std::vector<std::string> ids;
      for (auto& job : plan.jobs) ids.push_back(job.id);
      auto near = nearest(id, ids);
      auto error = Error(Kind::not_found, fmt::format("{} has no job '{}'", plan.workflow->source, id));
      return Fail(near ? std::move(error).with_hint(fmt::format("did you mean '{}'?", *near)) : std::move(error));
    }
    if (out.insert(found->id).second) open.insert(open.end(), found->needs.begin(), found->needs.end());
  }
  return out;
}

}  // namespace

Result<> clean_up_after_crash(const fs::path& root, box::Runtime* runtime) {
  if (runtime) TRY_OK(box::end_leftovers(*runtime, "ci-"));
  if (!path_exists(root)) return {};
  TRY(auto names, list_dir(root));
  for (auto& name : names)
    if (name.starts_with("job")) TRY_OK(remove_tree(root / name));
  return {};
}

std::map<std::string, std::string> secrets_of(Shared& shared, const Plan& plan) {
  std::map<std::string, std::string> out;
  for (auto& [name, value] : shared.options.secrets) {
    shared.redaction.add(value);
    if (plan.event.trusted || name == "GITHUB_TOKEN") out[name] = value;
  }
  return out;
}

std::string job_key(const std::string& prefix, const PlanJob& job, const std::vector<Leg>& legs, std::size_t index) {
  auto& leg = legs[index];
  auto key = prefix + job.id;
  if (leg.matrix.is_null()) return key;
  std::size_t same = 0;
  for (std::size_t i = 0; i < index; ++i) same += legs[i].suffix == leg.suffix ? 1 : 0;
  return key + fmt::format(" ({}{})", leg.suffix, same > 0 ? fmt::format(" #{}", same + 1) : std::string());
}

Runner::Runner(RunnerOptions options) : options_(std::move(options)) {}
Runner::~Runner() = default;

Result<RunResult> Runner::run(const Ctx& ctx, const Plan& plan) {
  if (!options_.runtime && !options_.allow_unisolated && !options_.pods)
    return Fail(Error(Kind::unavailable, "there is no container runtime, and jobs do not run on the host unprotected")
                    .with_hint("install runc, or allow it with --unisolated"));
  TRY(auto chosen, choose(plan, options_.only_jobs));
  TRY_OK(make_dirs(options_.root));
  Shared shared(options_);
  auto secrets = secrets_of(shared, plan);
  for (auto& result : options_.finished)
    for (auto& artifact : result.artifacts) (*shared.artifacts.lock())[artifact.name] = artifact;
  Graph graph(shared, plan, "", Data::from(plan.event.inputs), std::move(secrets), std::move(chosen));
  RunResult out;
  shared.busy.begin();
  out.jobs = graph.run(ctx);
  out.waits = graph.waits() && ctx.alive();
  out.conclusion = graph.failed()                      ? Conclusion::failure
                   : graph.cancelled() || !ctx.alive() ? Conclusion::cancelled
                                                       : Conclusion::success;
  return out;
}

}  // namespace slipway::ci
