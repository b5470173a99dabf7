#include "gitops/detail/dispatch.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/metrics.h"
#include "gitops/detail/follow.h"
#include "gitops/repository_login.h"

namespace slipway::gitops::detail {
namespace {

Histogram look_seconds("slipway_gitops_look_seconds", "time to look at one Application");
Histogram recheck_seconds("slipway_gitops_recheck_seconds",
                          "time to find out which Applications a moved repository concerns",
                          {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1});
Counter heals("slipway_gitops_drifts_total", "managed objects found changed or deleted by hand");
Gauge cluster_up("slipway_gitops_cluster_up", "1 while a cluster that Applications go to answers, by its server");
Gauge applications_due("slipway_gitops_applications_due", "Applications that are to be looked at now");

constexpr std::string_view refresh_annotation = "argocd.argoproj.io/refresh";

void for_each_source(const kube::Object& application, const std::function<void(const std::string&)>& call) {
  auto one = [&](doc::View source) {
    if (auto url = source["repoURL"].text(); !url.empty()) call(url);
  };
  one(application["spec"]["source"]);
  for (const auto& source : application["spec"]["sources"].items()) one(source);
}

}  // namespace

Dispatch::Dispatch(std::shared_ptr<kube::Client> client, Repositories& repositories, ControllerOptions options,
                   const Clock& clock)
    : client_(std::move(client)),
      repositories_(repositories),
      renderer_(repositories, options.learned),
      pacer_(clock),
      options_(std::move(options)),
      clock_(clock),
      clusters_(clock, options_.connect, options_.patience),
      queue_(clock),
      urls_(clock) {}

KeyedQueue<kube::Key>& Dispatch::applications(const Lane& lane) {
  if (lane.empty()) return queue_;
  auto far = far_.lock();
  auto& queue = (*far)[lane];
  if (!queue) queue = std::make_unique<KeyedQueue<kube::Key>>(clock_);
  return *queue;
}

Lane Dispatch::lane_of(const Target& target) const {
  if (target.own()) return {};
  auto place = clusters_.find(target);
  return place && (*place)->remote ? (*place)->server : Lane();
}

bool Dispatch::note_target(const kube::Object& application) {
  auto target = Target::of(application["spec"]["destination"]);
  auto lane = lane_of(target);
  bool fresh = false, moved = false;
  {
    auto state = state_.lock();
    auto [it, made] = state->applications.try_emplace(application.key());
    fresh = made, moved = it->second.lane != lane;
    it->second.target = std::move(target), it->second.lane = lane;
    auto project = application["spec"]["project"].text();
    it->second.project = project.empty() ? "default" : project;
  }
  if (moved && !lane.empty() && serve) serve(lane, true);
  return fresh;
}

void Dispatch::application_event(const kube::Event& event) {
  auto key = event.object.key();
  if (event.type == kube::Event::Type::deleted) return forget(key);
  if (note_target(event.object)) wake_orphan_readers("");  // what it brought is no orphan
  note_sources(event.object);
  auto* queue = wake(key, [&](Wake& why) { why.versions.push_back(event.object.resource_version()); });
  if (queue == nullptr) return;
  // Somebody waits for an answer.
  if (event.object["operation"].present() || !event.object.annotation(refresh_annotation).empty())
    queue->add_first(key);
  else
    queue->add(key);
}

void Dispatch::object_event(const kube::Event& event, const Lane& lane) {
  auto name = owner_of(event.object, tracking());
  if (name.empty()) return;
  auto key = application_key(name);
  auto id = Task::id(event.object.type(), event.object.key());
  auto version = event.object.resource_version();
  bool deleted = event.type == kube::Event::Type::deleted;
  if (!deleted && comparer_.knows(key, id, version)) return;
  auto note = [&](Wake& why) {
    if (deleted)
      why.certain = true;
    else
      why.objects.emplace_back(id, version);
  };
  // One of the same name may be somewhere else.
  if (auto* queue = wake(key, note, &lane)) queue->add(key);
}

// All Applications are looked at again, if any was looked at with what it said before.
void Dispatch::settings_event(const kube::Event& event) {
  if (event.object.key() != settings_key) return;
  bool deleted = event.type == kube::Event::Type::deleted;
  auto now = Customizations::from(deleted ? kube::Object() : event.object);
  {
    auto known = customizations_.lock();
    bool first = *known == nullptr;
    if (!first && (*known)->same_as(*now)) return;
    *known = std::move(now);
    if (first) return;
  }
  missed_events();
}

void Dispatch::settings_missed() {
  customizations_.lock()->reset();
  missed_events();
}

Result<std::shared_ptr<const Customizations>> Dispatch::customizations(const Ctx& ctx) {
  if (auto known = *customizations_.lock()) return known;
  TRY(auto read, read_customizations(ctx, *client_));
  auto known = customizations_.lock();
  if (!*known) *known = std::move(read);
  return *known;
}

Tracking Dispatch::tracking() const { return tracking_of(customizations_.lock()->get()); }

void Dispatch::wake_all(const std::function<bool(const kube::Key&, const Known&)>& which) {
  std::vector<std::pair<kube::Key, Lane>> those;
  {
    auto state = state_.lock();
    for (auto& [key, known] : state->applications) {
      if (!which(key, known)) continue;
      known.wake.certain = true;
      those.emplace_back(key, known.lane);
    }
  }
  for (const auto& [key, lane] : those) applications(lane).add(key);
}

void Dispatch::missed_events() {
  wake_all([](const kube::Key&, const Known&) { return true; });
}

void Dispatch::missed_events(const Lane& lane) {
  wake_all([&](const kube::Key&, const Known& known) { return known.lane == lane; });
}

void Dispatch::clusters_listed(const std::vector<kube::Object>& secrets) {
  bool first = !clusters_.read();
  redirect(clusters_.replace(secrets), first);
}

void Dispatch::cluster_event(const kube::Event& event) {
  bool gone =
      event.type == kube::Event::Type::deleted || event.object.label("argocd.argoproj.io/secret-type") != "cluster";
  redirect(gone ? clusters_.drop(event.object.key()) : clusters_.set(event.object), false);
}

void Dispatch::login_event(const kube::Event& event) {
  auto login = repository_login_from(event.object);
  auto named = same_repository(login.url);
  if (named.empty()) return;
  std::vector<std::string> those;
  {
    auto state = state_.lock();
    for (const auto& [plain, source] : state->sources) {
      auto url = same_repository(source.url);
      if (login.prefix ? url.starts_with(named) : url == named) those.push_back(plain);
    }
  }
  for (const auto& plain : those) urls_.add_first(plain);
}

void Dispatch::project_event(const kube::Event& event) {
  auto name = event.object.name();
  bool gone = event.type == kube::Event::Type::deleted;
  {
    auto known = projects_.lock();
    auto spec = gone ? doc::Value() : event.object["spec"].value();
    auto [it, fresh] = known->try_emplace(name);
    if (!fresh && it->second == spec) return;
    it->second = std::move(spec);
    if (gone) known->erase(name);
  }
  wake_all([&](const kube::Key&, const Known& known) { return known.project == name; });
}

void Dispatch::keys_event(const kube::Event& event) {
  wake_all([ns = event.object.ns()](const kube::Key& key, const Known&) { return key.ns == ns; });
}

void Dispatch::signing_keys_event() {
  std::set<std::string> demanding;
  for (auto known = projects_.lock(); const auto& [name, spec] : *known)
    if (doc::View view(spec); view["signatureKeys"].present() || view["sourceIntegrity"].present())
      demanding.insert(name);
  wake_all([&](const kube::Key&, const Known& known) { return demanding.contains(known.project); });
}

// Some destinations mean another cluster than before, or none: what was compared there says nothing any more.
void Dispatch::redirect(const Clusters::Changed& changed, bool all) {
  auto concerned = [&](const Target& target) {
    if (target.own()) return changed.contains(std::string(own_server));
    return all || changed.contains(target.server) || changed.contains(target.name);
  };
  std::vector<std::pair<kube::Key, Target>> those;
  {
    auto state = state_.lock();
    for (const auto& [key, known] : state->applications)
      if (concerned(known.target)) those.emplace_back(key, known.target);
  }
  for (const auto& [key, target] : those) {
    auto lane = lane_of(target);
    comparer_.forget(key.str());
    auto state = state_.lock();
    auto known = state->applications.find(key);
    if (known == state->applications.end() || known->second.target != target) continue;
    known->second.lane = lane;
    known->second.wake.certain = true;
  }
  std::set<Lane> lanes;
  for (const auto& [key, target] : those) {
    auto lane = lane_of(target);
    applications(lane).add(key);
    lanes.insert(std::move(lane));
  }
  if (!serve) return;
  for (const auto& lane : lanes)
    if (!lane.empty()) serve(lane, true);
  for (const auto& id : changed)
    if (!lanes.contains(id)) serve(id, false);
}

void Dispatch::check_cluster(const Ctx& ctx, const Destination& place) {
  if (!place.remote->check(ctx)) return;
  auto why = place.remote->away();
  cluster_up.set(why.empty() ? 1 : 0, {{"server", place.server}});
  if (why.empty())
    LOG(info, "gitops.cluster_reached", {"server", place.server}, {"name", place.name});
  else
    LOG(warn, "gitops.cluster_away", {"server", place.server}, {"name", place.name}, {"error", why});
  // It may be an older state of itself that is back.
  std::vector<kube::Key> those;
  {
    auto state = state_.lock();
    for (const auto& [key, known] : state->applications)
      if (known.lane == place.server) those.push_back(key);
  }
  for (const auto& key : those) comparer_.forget(key.str());
  missed_events(place.server);
}

void Dispatch::repository_changed(const std::string& url) { urls_.add_first(plain_url(url)); }

// Notes why an Application is to be looked at.
KeyedQueue<kube::Key>* Dispatch::wake(const kube::Key& key, const std::function<void(Wake&)>& note, const Lane* only) {
  constexpr std::size_t most = 64;
  Lane lane;
  {
    auto state = state_.lock();
    auto known = state->applications.find(key);
    if (known == state->applications.end()) return nullptr;
    if (only != nullptr && known->second.lane != *only) return nullptr;
    auto& why = known->second.wake;
    note(why);
    if (why.versions.size() + why.objects.size() > most) why = {true, {}, {}};
    lane = known->second.lane;
  }
  return &applications(lane);
}

void Dispatch::forget(const kube::Key& key) {
  comparer_.forget(key.str());
  renderer_.forget(key);
  {
    auto state = state_.lock();
    read_orphans_no_more(*state, key);
    state->applications.erase(key);
  }
  wake_orphan_readers("");
}

void Dispatch::orphan_event(const kube::Event& event) {
  if (auto ns = orphans_.note(event, tracking()); !ns.empty()) wake_orphan_readers(ns);
}

void Dispatch::orphans_restart(const kube::Type& type) {
  orphans_.restart(type);
  wake_orphan_readers("");
}

void Dispatch::wake_orphan_readers(const std::string& ns) {
  constexpr Millis gathered{500};  // what comes together is looked at together
  std::vector<kube::Key> keys;
  {
    auto state = state_.lock();
    for (const auto& [of, readers] : state->orphan_readers)
      if (ns.empty() || ns == of) keys.insert(keys.end(), readers.begin(), readers.end());
  }
  for (const auto& key : keys)
    if (auto* queue = wake(key, [](Wake& why) { why.certain = true; })) queue->add_after(key, gathered);
}

void Dispatch::read_orphans_no_more(State& state, const kube::Key& key) {
  auto known = state.applications.find(key);
  if (known == state.applications.end() || known->second.orphans_of.empty()) return;
  auto readers = state.orphan_readers.find(std::exchange(known->second.orphans_of, {}));
  if (readers == state.orphan_readers.end()) return;
  readers->second.erase(key);
  if (readers->second.empty()) state.orphan_readers.erase(readers);
}

std::vector<InventoryEntry> Dispatch::orphans_of(const Application& app, bool wanted) {
  bool first = false;
  {
    auto state = state_.lock();
    auto known = state->applications.find(app.key);
    if (known == state->applications.end()) return {};
    if (!wanted || known->second.orphans_of != app.ns) read_orphans_no_more(*state, app.key);
    if (!wanted) return {};
    known->second.orphans_of = app.ns;
    state->orphan_readers[app.ns].insert(app.key);
    first = !std::exchange(state->orphans_asked, true);
  }
  if (first && orphans_wanted_) orphans_wanted_();
  return orphans_.in(app.ns, [&](const std::string& owner) {
    return owner.starts_with("Kustomization/") || state_.lock()->applications.contains(application_key(owner));
  });
}

void Dispatch::note_sources(const kube::Object& application) {
  for_each_source(application, [&](const std::string& url) {
    auto plain = plain_url(url);
    if (state_.lock()->sources.emplace(plain, Source{url, {}}).second) urls_.add_after(plain, resync_pause(plain));
  });
}

Result<> Dispatch::refresh(const Ctx& ctx, const std::string& url) {
  auto refreshed = repositories_.refresh(ctx, url);
  auto state = state_.lock();
  auto& source = state->sources.try_emplace(plain_url(url), Source{url, {}}).first->second;
  source.unreachable = refreshed ? "" : refreshed.error().what();
  if (refreshed) source.pause = Millis(1000);
  return refreshed;
}

void Dispatch::refresh_sources(const Ctx& ctx, const kube::Object& application) {
  for_each_source(application, [&](const std::string& url) { (void)refresh(ctx, url); });  // errors become a condition
}

// Spread, so that what was added together does not come back together.
Millis Dispatch::resync_pause(std::string_view of) const {
  auto share = static_cast<std::int64_t>(std::hash<std::string_view>()(of) % 256);
  return options_.resync + Millis(share * options_.resync.count() / 1024);
}

Result<> Dispatch::update_repository(const Ctx& ctx, const std::string& plain) {
  std::string url;
  {
    auto state = state_.lock();
    auto known = state->sources.find(plain);
    if (known == state->sources.end()) return {};  // nobody reads it
    url = known->second.url;
  }
  TRY_OK(refresh(ctx, url));
  ScopedTimer timer(recheck_seconds);
  for (const auto& key : renderer_.moved(ctx, url))
    if (auto* queue = wake(key, [](Wake& why) { why.certain = true; })) queue->add_first(key);
  return {};
}

// Pushes and webhooks come at once; polling repairs what was missed, once for all Applications of a repository.
void Dispatch::check_repository(const Ctx& ctx, const std::string& plain) {
  auto updated = update_repository(ctx, plain);
  auto wait = resync_pause(plain);
  if (!updated && !updated.error().is(Kind::cancelled)) {
    {
      auto state = state_.lock();
      auto& pause = state->sources[plain].pause;
      wait = std::min(pause, options_.resync);
      pause = std::min(pause * 2, Millis(60000));
    }
    LOG(warn, "gitops.repository_unreachable", {"repository", plain}, {"error", updated.error().what()},
        {"again_ms", wait.count()});
  }
  urls_.add_after(plain, wait);
  urls_.done(plain);
}

Result<> Dispatch::write_status(const Ctx& ctx, const kube::Object& application, Looked& looked) {
  if (looked.status.is_null()) return {};
  auto turns = options_.turned ? turns_of(application, doc::View(looked.status)) : std::vector<Turn>();
  doc::List patch;
  const auto* old = application.value().find("status");
  if (old == nullptr || *old != looked.status)
    patch.emplace_back(doc::Map{{"op", "add"}, {"path", "/status"}, {"value", std::move(looked.status)}});
  // A request goes in the write that tells how its operation ended.
  if (!looked.under_way && application.value().find("operation") != nullptr)
    patch.emplace_back(doc::Map{{"op", "remove"}, {"path", "/operation"}});
  if (!application.annotation(refresh_annotation).empty())
    patch.emplace_back(doc::Map{{"op", "remove"}, {"path", "/metadata/annotations/argocd.argoproj.io~1refresh"}});
  if (patch.empty()) return {};
  for (const auto& turn : turns) options_.turned(turn);
  auto written = client_->patch(ctx, application_type, application.key(), kube::PatchType::json, std::move(patch),
                                {.field_manager = std::string(status_manager)});
  if (!written && !written.error().is(Kind::not_found)) return Fail(std::move(written).error());
  if (written) looked.versions.insert(written->resource_version());
  return {};
}

SyncContext Dispatch::context_for(std::shared_ptr<const Destination> place,
                                  std::shared_ptr<const Customizations> customized) {
  auto remote = place ? place->remote : nullptr;
  SyncContext context{remote ? *remote->client() : *client_,
                      renderer_,
                      comparer_,
                      pacer_,
                      [&](const Drift& drift) {
                        heals.add(1, {{"healed", drift.healed ? "true" : "false"}});
                        if (options_.drift) options_.drift(drift);
                      },
                      remote ? client_.get() : nullptr,
                      [&](const std::string& url) {
                        auto state = state_.lock();
                        auto source = state->sources.find(plain_url(url));
                        return source == state->sources.end() ? std::string() : source->second.unreachable;
                      },
                      [&](const Application& app, bool wanted) { return orphans_of(app, wanted); },
                      std::move(customized)};
  context.place = std::move(place);
  if (remote)
    context.as_user = [remote](const std::string& user) { return remote->as(user); };
  else if (options_.as_user)
    context.as_user = [&](const std::string& user) {
      return Result<std::shared_ptr<kube::Client>>(options_.as_user(user));
    };
  return context;
}

// Where its destination is; there, what cannot be done is a condition of the Application, and ours is a failed look.
Result<Looked> Dispatch::look_there(const Ctx& ctx, const kube::Object& application) {
  TRY(auto customized, customizations(ctx));
  auto place = clusters_.find(Target::of(application["spec"]["destination"]));
  if (!place) {
    if (place.error().retryable()) return Looked{};  // the first list of Secrets wakes it
    return look_without(ctx, context_for(nullptr, customized), application, place.error());
  }
  auto context = context_for(*place, customized);
  const auto& remote = (*place)->remote;
  if (remote)
    if (auto why = remote->away(); !why.empty())
      return look_without(ctx, context, application, Error(Kind::unavailable, std::move(why)));
  auto looked = look(ctx, context, application);
  if (looked || !remote || looked.error().is(Kind::cancelled) || looked.error().is(Kind::conflict)) return looked;
  // The look may have recorded what it began.
  TRY(auto now, client_->get(ctx, application_type, application.key()));
  if (!now || now->uid() != application.uid()) return Looked{};
  LOG(warn, "gitops.look_failed", {"app", application.key().str()}, {"cluster", (*place)->server},
      {"error", looked.error().what()});
  auto error = std::move(looked).error().in((*place)->describe());
  bool retry = error.retryable();
  TRY(auto said, look_without(ctx, context, *now, error));
  said.again = retry ? Millis(10000) : Millis(60000);
  TRY_OK(write_status(ctx, *now, said));
  said.status = {};
  return said;
}

Result<std::optional<Millis>> Dispatch::look_once(const Ctx& ctx, const kube::Key& key, const Watcher& watch) {
  ScopedTimer timer(look_seconds);
  TRY(auto application, client_->get(ctx, application_type, key));
  if (!application) {
    forget(key);
    return std::optional<Millis>();
  }
  if (application->annotation("argocd.argoproj.io/skip-reconcile") == "true") return std::optional<Millis>();
  // Who asks for a refresh wants what the repositories hold now.
  if (!application->annotation(refresh_annotation).empty()) refresh_sources(ctx, *application);
  auto began = ctx.clock->now();
  TRY(auto looked, look_there(ctx, *application));
  bool certain = true;
  for (const auto& type : looked.types) certain = watch(type, began) && certain;
  if (!certain) looked.again = std::min(looked.again.value_or(look_again), look_again);
  auto written = write_status(ctx, *application, looked);
  {
    auto state = state_.lock();
    if (auto known = state->applications.find(key); known != state->applications.end())
      known->second.own = std::move(looked.versions);
  }
  if (!written) return Fail(std::move(written).error());
  tell(ctx, *client_, *application, looked.happened);
  return looked.again;
}

// Whether all that woke the Application is of our own making, or was seen by a look meanwhile. Gives how long to wait
// then.
std::optional<Millis> Dispatch::nothing_new(const kube::Key& key) {
  Wake why;
  Clock::time_point again;
  {
    auto state = state_.lock();
    auto found = state->applications.find(key);
    if (found == state->applications.end()) return std::nullopt;
    auto& known = found->second;
    why = std::exchange(known.wake, {});
    again = known.again;
    if (why.certain || (why.versions.empty() && why.objects.empty())) return std::nullopt;
    for (const auto& version : why.versions)
      if (!known.own.contains(version)) return std::nullopt;
  }
  for (const auto& [id, version] : why.objects)
    if (!comparer_.knows(key, id, version)) return std::nullopt;
  auto now = clock_.now();
  if (again <= now) return std::nullopt;
  return std::chrono::ceil<Millis>(again - now);
}

void Dispatch::look_and_plan(const Ctx& ctx, const kube::Key& key, const Watcher& watch, KeyedQueue<kube::Key>& queue) {
  if (auto wait = nothing_new(key)) return queue.add_after(key, *wait);
  auto again = look_once(ctx, key, watch);
  if (!again && again.error().is(Kind::cancelled)) {
    // Whoever serves this lane next begins where this one was stopped.
    if (wake(key, [](Wake& why) { why.certain = true; }) != nullptr) queue.add(key);
    return;
  }
  Millis wait;
  {
    auto state = state_.lock();
    auto found = state->applications.find(key);
    if (found == state->applications.end()) return;  // deleted meanwhile
    auto& known = found->second;
    if (again) {
      known.pause = Millis(50);
      wait = again->value_or(resync_pause(key.name));
    } else {
      wait = std::max(known.pause, again.error().retry_after().value_or(Millis(0)));
      known.pause = std::min(known.pause * 2, Millis(30000));
      known.wake.certain = true;
    }
    known.again = clock_.now() + wait;
  }
  if (!again) {
    if (again.error().is(Kind::conflict))
      LOG(debug, "gitops.look_conflict", {"app", key.str()}, {"error", again.error().what()});
    else
      LOG(warn, "gitops.look_failed", {"app", key.str()}, {"error", again.error().what()}, {"again_ms", wait.count()});
  }
  queue.add_after(key, wait);
}

// One thread at a time looks at an Application, in the lane that it is in now.
bool Dispatch::claim(const kube::Key& key, const Lane& lane) {
  auto state = state_.lock();
  auto found = state->applications.find(key);
  if (found == state->applications.end()) return true;
  auto& known = found->second;
  if (known.lane != lane) return false;
  if (known.busy) {
    known.missed = true;
    return false;
  }
  return known.busy = true;
}

void Dispatch::release(const kube::Key& key) {
  Lane lane;
  {
    auto state = state_.lock();
    auto found = state->applications.find(key);
    if (found == state->applications.end()) return;
    found->second.busy = false;
    if (!std::exchange(found->second.missed, false)) return;
    lane = found->second.lane;
  }
  applications(lane).add(key);
}

void Dispatch::look_at(const Ctx& ctx, const kube::Key& key, const Watcher& watch, const Lane& lane) {
  auto& queue = applications(lane);
  if (claim(key, lane)) {
    look_and_plan(ctx, key, watch, queue);
    release(key);
  }
  queue.done(key);
  count();
}

// How many are due; with thousands not after each of them.
void Dispatch::count() {
  auto now = std::chrono::duration_cast<Millis>(clock_.now().time_since_epoch()).count();
  auto due = queue_.at_work(2);
  if (due > 1 && now - counted_at_.load() < 100) return;
  counted_at_ = now;
  applications_due.set(static_cast<double>(due > 1 ? queue_.at_work(1'000'000) : due));
}

}  // namespace slipway::gitops::detail
