// Deterministic simulation of the controllers: dice decide whose turn it is, what fails and who is killed; what must
// never happen is looked for at every write, and when the faults stop everything must be as Git has it.
//
// Some worlds have a second cluster, which is away at times and whose Secret comes and goes.
//
//   SLIPWAY_SIMULATE=SEED     one world, told step by step on stderr
//   SLIPWAY_SIMULATE_STEPS=N  how far to go; a million by default
#include <cstdlib>

#include "base/log.h"
#include "base/text.h"
#include "gitops/testing/sim_parts.h"
#include "path/crds.h"

namespace slipway::gitops::sim {
namespace {

constexpr const char* url = "http://git/config";
const detail::Lane own_lane, far_lane = "https://far";

// One controller with its watches' places in the log.
struct Seat {
  std::shared_ptr<SimClient> client, far;
  std::unique_ptr<detail::Dispatch> dispatch;
  struct Place {
    std::size_t next = 0;
    std::vector<kube::Event> first;  // `added` for what was there when it began
  };
  std::map<std::pair<detail::Lane, kube::Type>, Place> watches;
  std::size_t heads_at_look = 0;
  bool tears_down = false;
};

// One API for all worlds: making one costs as much as a thousand steps.
cluster::TestApi& api() {
  static auto shared =
      cluster::make_test_api({.durable = false, .crds = path::builtin_crds(), .namespaces = {"argocd"}});
  return shared;
}

cluster::TestApi& far_api() {
  static auto shared = cluster::make_test_api({.durable = false});
  return shared;
}

kube::Object far_secret() {
  return kube::Object(
      must(doc::parse_yaml("{apiVersion: v1, kind: Secret, metadata: {name: far, namespace: argocd, labels: "
                           "{argocd.argoproj.io/secret-type: cluster}}, stringData: {name: far, server: "
                           "'https://far'}}")));
}

struct Rules {
  bool fleet = false;  // the second Application goes to a second cluster
  std::size_t seats = 1;
  unsigned faults = 20;  // of a thousand calls
  bool chaos = true;     // what people and the outside do
};

class World {
 public:
  World(std::uint64_t seed, Rules rules, std::uint64_t& steps, bool told)
      : seed_(seed),
        rules_(rules),
        steps_(steps),
        told_(told),
        dice_(seed),
        repositories_(dice_),
        ns_(fmt::format("w{}", seed)),
        person_(api().client("ada"), log_),
        far_person_(far_api().client("ada"), far_log_) {
    for (auto* person : {&person_, &far_person_})
      if (!person->get({"v1", "Namespace"}, {"", ns_}))
        person->create(kube::make_object({"v1", "Namespace"}, {"", ns_}));
    for (int i = 0; i < 2; ++i) apps_.push_back(fmt::format("w{}-a{}", seed, i));
    Commit first;
    for (const auto& app : apps_) first[app] = some(app);
    repositories_.commit(std::move(first));
    for (const auto& app : apps_) add_application(app);
    for (std::size_t i = 0; i < rules.seats; ++i) restart(seats_.emplace_back());
  }
  ~World() {
    for (const auto& app : apps_) {
      person_.merge(detail::application_type, {"argocd", app}, "{metadata: {finalizers: null}}");
      person_.remove(detail::application_type, {"argocd", app});
    }
    for (auto* person : {&person_, &far_person_})
      for (const auto& type : {config_map_type, job_type})
        for (const auto& object : must(person->client().list(Ctx(), type, {.ns = ns_})).items)
          person->remove(type, object.key());
  }

  void run(std::uint64_t until) {
    while (steps_ < until && wrong_.empty()) {
      ++steps_;
      act(dice_.pick(seats_));
    }
  }
  // No more faults: everything comes to rest as Git has it. Gives what is wrong, "" for nothing.
  std::string settle();
  const std::string& wrong() const { return wrong_; }
  std::vector<Seat>& seats() { return seats_; }
  std::size_t hooks_run() const { return hooks_.size(); }
  void restart(Seat& seat);
  void drain(Seat& seat);
  void commit_something();
  Ctx ctx() const {
    Ctx context;
    context.clock = &clock_;
    return context;
  }

 private:
  template <class... Parts>
  void tell(fmt::format_string<Parts...> format, Parts&&... parts) const {
    if (told_) fmt::print(stderr, "{:6} {}\n", steps_, fmt::format(format, std::forward<Parts>(parts)...));
  }
  void violate(std::string what) {
    if (wrong_.empty()) wrong_ = fmt::format("seed {}, step {}: {}", seed_, steps_, what);
  }
  Desired some(const std::string& app);
  void add_application(const std::string& app);
  void act(Seat& seat);
  void act_outside();
  void edit_by_hand();
  void finish_jobs(bool well);
  void subscribe(Seat& seat, const kube::Type& type, const detail::Lane& lane = own_lane);
  void move_far_cluster();
  bool is_far(const std::string& app) const { return rules_.fleet && app == apps_.back(); }
  Person& person_at(const std::string& app) const { return is_far(app) ? far_person_ : person_; }
  bool deliver(Seat& seat, bool twice);
  bool look(Seat& seat);
  bool check_repository(Seat& seat);
  void revive(Seat& seat) {
    if (!seat.client->dead()) return;
    tell("a controller was killed");
    restart(seat);
  }
  void about_to_write(Seat& seat, const std::string& verb, const kube::Object& object);
  void check_removal(const Seat& seat, const std::string& app, const kube::Object& application,
                     const kube::Object& object);
  void check_content(const std::string& app, const kube::Object& application, const kube::Object& object);
  void check_deletion_hook(const std::string& app, const kube::Object& application, const kube::Object& object);
  void note_hook(const kube::Object& before, const kube::Object& after);
  std::string app_of(const kube::Object& object) const;
  std::string rest() const;

  std::uint64_t seed_;
  Rules rules_;
  std::uint64_t& steps_;
  bool told_;
  Dice dice_;
  SimClock clock_;
  SimRepositories repositories_;
  std::string ns_;
  Log log_, far_log_;
  mutable Person person_, far_person_;
  bool far_away_ = false, far_known_ = true;
  std::vector<std::string> apps_;
  std::vector<Seat> seats_ = [] {
    std::vector<Seat> list;
    list.reserve(4);  // their clients' callbacks know them by place
    return list;
  }();
  std::map<std::string, int> hooks_;  // operation and name -> how often it was made
  std::string wrong_;
  int value_ = 0;
  bool inside_ = false;
};

Desired World::some(const std::string& app) {
  Desired desired;
  auto count = 1 + dice_.below(3);
  for (std::uint64_t i = 0; i < count; ++i)
    desired.maps[fmt::format("{}-m{}", app, dice_.below(4))] = std::to_string(++value_);
  desired.hooks = dice_.chance(400), desired.deletion_hooks = dice_.chance(300);
  constexpr const char* policies[] = {"", "HookSucceeded", "BeforeHookCreation"};
  desired.hook_policy = policies[dice_.below(std::size(policies))];
  return desired;
}

void World::add_application(const std::string& app) {
  auto text = fmt::format(
      "{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: {}, namespace: argocd, finalizers: "
      "[resources-finalizer.argocd.argoproj.io/background]}}, spec: {{destination: {{server: "
      "'{}', namespace: {}}}, source: {{repoURL: '{}', path: {}, targetRevision: main}}, "
      "syncPolicy: {{automated: {{prune: true, selfHeal: true}}, retry: {{limit: -1, backoff: {{duration: 1s, "
      "maxDuration: 10s}}}}}}}}}}",
      app, is_far(app) ? far_lane : std::string(own_server), ns_, url, app);
  person_.create(must(doc::parse_yaml(text)));
}

void World::restart(Seat& seat) {
  Surroundings around;
  around.steps = &steps_, around.dice = &dice_, around.log = &log_, around.fault_rate = rules_.faults;
  around.about_to_write = [this, &seat](const std::string& verb, const kube::Object& object) {
    about_to_write(seat, verb, object);
  };
  around.wrote = [this](const kube::Object& before, const kube::Object& after) { note_hook(before, after); };
  around.meanwhile = [this, &seat] {
    // In the middle of what one does the other has its turn, and so have people.
    if (inside_ || !dice_.chance(30)) return;
    inside_ = true;
    if (auto& other = dice_.pick(seats_); &other != &seat && dice_.chance(700))
      act(other);
    else if (rules_.chaos)
      act_outside();
    inside_ = false;
  };
  auto far = around;
  far.log = &far_log_, far.away = [this] { return far_away_; };
  seat.client = std::make_shared<SimClient>(api().client("slipway-gitops"), std::move(around));
  seat.far = std::make_shared<SimClient>(far_api().client("slipway-gitops"), std::move(far));
  ControllerOptions options{.ns = "argocd", .workers = 1, .resync = Millis(180000), .drift = {}};
  options.connect = [&seat](const kube::Kubeconfig&) -> Result<Connection> {
    return Connection{seat.far, [far = seat.far](const Ctx&) { return far->reach(); }};
  };
  seat.dispatch = std::make_unique<detail::Dispatch>(seat.client, repositories_, std::move(options), clock_);
  seat.watches.clear();
  seat.dispatch->clusters_listed(far_known_ ? std::vector{far_secret()} : std::vector<kube::Object>());
  subscribe(seat, detail::application_type);
}

void World::subscribe(Seat& seat, const kube::Type& type, const detail::Lane& lane) {
  auto& place = seat.watches[{lane, type}];
  place.next = (lane == far_lane ? far_log_ : log_).events.size();
  place.first.clear();
  auto ns = type == detail::application_type ? "argocd" : ns_;
  auto& person = lane == far_lane ? far_person_ : person_;
  for (auto& object : must(person.client().list(Ctx(), type, {.ns = ns})).items)
    if (type != detail::application_type || object.name().starts_with(ns_ + "-"))
      place.first.push_back({kube::Event::Type::added, std::move(object)});
}

// The next event of one of its watches; false when there is none.
bool World::deliver(Seat& seat, bool twice) {
  if (seat.watches.empty()) return false;
  auto skip = dice_.below(seat.watches.size());
  for (std::size_t n = 0; n < seat.watches.size(); ++n) {
    auto& [what, place] = *std::next(seat.watches.begin(), static_cast<long>((skip + n) % seat.watches.size()));
    const auto& [lane, type] = what;
    const auto& events = (lane == far_lane ? far_log_ : log_).events;
    std::optional<kube::Event> event;
    if (!place.first.empty()) {
      event = place.first.back();
      if (!twice) place.first.pop_back();
    } else {
      while (place.next < events.size() && events[place.next].object.type() != type) ++place.next;
      if (place.next == events.size()) continue;
      event = events[place.next];
      if (!twice) ++place.next;
    }
    if (type == detail::application_type)
      seat.dispatch->application_event(*event);
    else
      seat.dispatch->object_event(*event, lane);
    return true;
  }
  return false;
}

bool World::look(Seat& seat) {
  auto place = seat.dispatch->clusters().remote(far_lane);
  if (place && place->remote->due()) seat.dispatch->check_cluster(ctx(), *place);
  auto lane = dice_.chance(500) ? far_lane : own_lane;
  auto key = seat.dispatch->applications(lane).try_pop();
  if (!key) {
    lane = lane.empty() ? far_lane : own_lane;
    key = seat.dispatch->applications(lane).try_pop();
  }
  if (!key) return false;
  seat.heads_at_look = repositories_.heads();
  auto before = person_.get(detail::application_type, *key);
  seat.tears_down = before && before->deleting();
  std::set<kube::Type> wanted;
  auto watch = [&](const kube::Type& type, Clock::time_point) { return wanted.insert(type), true; };
  seat.dispatch->look_at(ctx(), *key, watch, lane);
  for (const auto& type : wanted)
    if (!seat.watches.contains({lane, type})) subscribe(seat, type, lane);
  if (told_) {
    auto app = person_.get(detail::application_type, *key);
    if (app)
      tell("looked at {}: {} {} {} {}", key->name, (*app)["status"]["sync"]["status"].text(),
           (*app)["status"]["sync"]["revision"].text().substr(0, 7), (*app)["status"]["operationState"]["phase"].text(),
           (*app)["status"]["operationState"]["message"].text());
  }
  return true;
}

bool World::check_repository(Seat& seat) {
  auto plain = seat.dispatch->repositories().try_pop();
  if (plain) seat.dispatch->check_repository(ctx(), *plain);
  return plain.has_value();
}

void World::act(Seat& seat) {
  auto turn = dice_.below(100);
  if (turn < 45) {
    deliver(seat, dice_.chance(50));
  } else if (turn < 80) {
    if (rules_.faults > 0 && dice_.chance(60)) seat.client->kill_after(1 + dice_.below(40));
    look(seat);
  } else if (turn < 86) {
    check_repository(seat);
  } else if (turn < 92) {
    clock_.advance(Millis(dice_.below(dice_.chance(100) ? 200000 : 3000)));
  } else if (turn < 93 && dice_.chance(300)) {
    tell("a watch lost its place");
    seat.dispatch->missed_events();
    for (auto& [what, place] : seat.watches) subscribe(seat, what.second, what.first);
  } else if (rules_.chaos) {
    act_outside();
  }
  revive(seat);
}

void World::commit_something() {
  auto next = repositories_.head();
  for (auto& [app, desired] : next)
    if (dice_.chance(600)) desired = some(app);
  auto& any = dice_.pick(next).second;
  any.broken = dice_.chance(100);
  if (dice_.chance(80))
    repositories_.force_back(std::move(next));
  else
    repositories_.commit(std::move(next));
  tell("a commit: {}", repositories_.head_id().substr(0, 7));
  for (auto& seat : seats_)
    if (seat.dispatch && dice_.chance(700)) seat.dispatch->repository_changed(url);
}

void World::edit_by_hand() {
  auto& app = dice_.pick(apps_);
  kube::Key key{ns_, fmt::format("{}-m{}", app, dice_.below(4))};
  tell("by hand: {}", key.name);
  if (dice_.chance(500))
    person_at(app).remove(config_map_type, key);
  else
    person_at(app).merge(config_map_type, key, "{data: {v: by-hand}}");
}

void World::finish_jobs(bool well) {
  for (auto* person : {&person_, &far_person_})
    for (const auto& job : must(person->client().list(Ctx(), job_type, {.ns = ns_})).items) {
      if (job["status"]["conditions"].present()) continue;
      person->merge(job_type, job.key(),
                    well ? "{status: {conditions: [{type: Complete, status: 'True'}]}}"
                         : "{status: {conditions: [{type: Failed, status: 'True', message: no}]}}",
                    "status");
    }
}

// It goes away, or nobody is to know it any more. Whoever deletes an Application then leaves its objects behind, as he
// is told: that does not happen here.
void World::move_far_cluster() {
  auto app = person_.get(detail::application_type, {"argocd", apps_.back()});
  if (!rules_.fleet) return;
  if (dice_.chance(500)) {
    far_away_ = !far_away_;
    tell("the far cluster is {}", far_away_ ? "away" : "there");
  } else if (!far_known_ || (app && !app->deleting())) {
    far_known_ = !far_known_;
    tell("the far cluster's Secret is {}", far_known_ ? "there" : "gone");
    for (auto& seat : seats_)
      if (seat.dispatch)
        seat.dispatch->cluster_event(
            {far_known_ ? kube::Event::Type::added : kube::Event::Type::deleted, far_secret()});
  }
}

void World::act_outside() {
  auto& app = dice_.pick(apps_);
  kube::Key key{"argocd", app};
  switch (dice_.below(15)) {
    case 0:
    case 1:
      if (!repositories_.rotten()) commit_something();
      break;
    case 2:
    case 3:
      edit_by_hand();
      break;
    case 4:
    case 5:
    case 6:
      finish_jobs(!dice_.chance(150));
      break;
    case 7:
      repositories_.gone = !repositories_.gone;
      break;
    case 8:
      if (repositories_.rotten())
        repositories_.restore();
      else if (dice_.chance(300))
        repositories_.rot();
      break;
    case 9:
      person_.merge(detail::application_type, key, "{operation: {sync: {}, initiatedBy: {username: ada}}}");
      break;
    case 10:
      person_.merge(detail::application_type, key, "{metadata: {annotations: {argocd.argoproj.io/refresh: hard}}}");
      break;
    case 11:
      if (dice_.chance(300) && (far_known_ || !is_far(app))) {
        tell("{} is deleted", app);
        person_.remove(detail::application_type, key);
      } else if (!person_.get(detail::application_type, key)) {
        add_application(app);
      }
      break;
    case 12:
      if (dice_.chance(100))
        person_.merge(detail::application_type, key, "{status: {operationState: {phase: Terminating}}}");
      break;
    case 13:
      move_far_cluster();
      break;
    default:
      for (auto& seat : seats_)
        if (seat.dispatch) seat.dispatch->repository_changed(url);
  }
}

// -- what must never happen
// ---------------------------------------------------------------------------------------------

std::string World::app_of(const kube::Object& object) const {
  auto id = object.annotation(tracking_annotation);
  auto head = cut(id, ":");
  return head ? std::string(head->first) : "";
}

void World::about_to_write(Seat& seat, const std::string& verb, const kube::Object& object) {
  if (object.kind() == "Application" || object.kind() == "Namespace") return;
  tell("{} {} {}", verb, object.kind(), object.name());
  auto app = app_of(object);
  if (app.empty()) return;  // a patch of managedFields
  auto application = person_.get(detail::application_type, {"argocd", app});
  if (!application) return violate(fmt::format("{} {} for an Application that is not there", verb, object.name()));
  if (verb == "remove") return check_removal(seat, app, *application, object);
  check_content(app, *application, object);
}

// Never a prune from a partial render: some commit that was the head during this look does not want it.
void World::check_removal(const Seat& seat, const std::string& app, const kube::Object& application,
                          const kube::Object& object) {
  bool hook = !object.annotation("argocd.argoproj.io/hook").empty();
  if (hook) return;
  if (application.deleting()) {
    if (!seat.tears_down) return;  // deleted since the look began
    for (const auto& finalizer : application["metadata"]["finalizers"].items())
      if (finalizer.text() == hook_finalizer(SyncPhase::pre_delete))
        violate(fmt::format("{} {} goes before the PreDelete hooks are done", object.kind(), object.name()));
    return;
  }
  for (const auto* commit : repositories_.heads_since(seat.heads_at_look)) {
    auto desired = commit->find(app);
    if (desired != commit->end() && !desired->second.broken && !desired->second.maps.contains(object.name())) return;
  }
  violate(fmt::format("{} {} is pruned, and every commit since the look began wants it", object.kind(), object.name()));
}

// An operation is recorded before its first write, and what is written is what its commit says.
void World::check_content(const std::string& app, const kube::Object& application, const kube::Object& object) {
  auto status = application["status"];
  if (object.annotation(operation_annotation).contains("/deletion-"))
    return check_deletion_hook(app, application, object);
  auto operation = status["operationState"];
  if (operation["phase"].text().empty())
    return violate(fmt::format("{} {} is written before any operation is recorded", object.kind(), object.name()));
  if (rules_.seats > 1) return;  // a second controller may have recorded another since
  for (const auto& revision : {operation["syncResult"]["revision"].text(), status["sync"]["revision"].text()}) {
    const auto* commit = repositories_.wanted_at(revision);
    if (commit == nullptr) continue;
    const auto& desired = commit->at(app);
    if (!object.annotation("argocd.argoproj.io/hook").empty() && desired.hooks) return;
    auto wanted = desired.maps.find(object.name());
    if (wanted != desired.maps.end() && wanted->second == object["data"]["v"].text()) return;
  }
  violate(fmt::format("{} {} is written as \"{}\", which no recorded commit says", object.kind(), object.name(),
                      object["data"]["v"].text()));
}

// A try of a deletion is recorded before its hooks are made; those of the end come when nothing else is left.
void World::check_deletion_hook(const std::string& app, const kube::Object& application, const kube::Object& object) {
  if (application["status"]["deletionState"]["phase"].text().empty())
    return violate(fmt::format("{} {} is made before a try is recorded", object.kind(), object.name()));
  if (object.annotation("argocd.argoproj.io/hook") != "PostDelete" || rules_.seats > 1) return;
  for (const auto& left : must(person_at(app).client().list(Ctx(), config_map_type, {.ns = ns_})).items)
    if (app_of(left) == app && left.annotation("argocd.argoproj.io/hook").empty())
      violate(fmt::format("{} is made and {} is still there", object.name(), left.name()));
}

// A hook is made once in an operation.
void World::note_hook(const kube::Object& before, const kube::Object& after) {
  auto operation = after.annotation(operation_annotation);
  if (operation.empty() || (before && before.annotation(operation_annotation) == operation)) return;
  auto application = person_.get(detail::application_type, {"argocd", app_of(after)});
  auto times = ++hooks_[fmt::format("{} {} {}", application ? application->uid() : "", operation, after.name())];
  if (times > 1 && rules_.seats == 1)
    violate(fmt::format("hook {} was run {} times in operation {}", after.name(), times, operation));
}

// -- the end
// ------------------------------------------------------------------------------------------------------------

// What keeps it from being at rest, "" for nothing.
std::string World::rest() const {
  for (const auto& app : apps_) {
    auto application = person_.get(detail::application_type, {"argocd", app});
    if (!application) return app + " is not there";
    auto status = (*application)["status"];
    // A request that could not be answered, or was stopped, ends in Error or Failed though all is well since.
    auto phase = status["operationState"]["phase"].text();
    if (status["sync"]["status"].text() != "Synced" || phase.empty() || phase == "Running" || phase == "Terminating" ||
        (*application)["operation"].present())
      return fmt::format("{} is {} at {} and its operation {}: {}\n{}", app, status["sync"]["status"].text(),
                         status["sync"]["revision"].text(), status["operationState"]["phase"].text(),
                         status["operationState"]["message"].text(), doc::print_yaml(status.value()));
  }
  std::map<std::string, std::string> wanted, found;
  for (const auto& [app, desired] : repositories_.head()) wanted.insert(desired.maps.begin(), desired.maps.end());
  for (auto* person : {&person_, &far_person_})
    for (const auto& object : must(person->client().list(Ctx(), config_map_type, {.ns = ns_})).items)
      if (!app_of(object).empty() && object.annotation("argocd.argoproj.io/hook").empty()) {
        found[object.name()] = object["data"]["v"].text();
        if (person != &person_at(app_of(object))) found[object.name()] += " in the wrong cluster";
      }
  if (wanted == found) return "";
  std::string text = "the cluster is not as Git has it:";
  for (const auto& [name, value] : wanted) text += fmt::format(" want {}={}", name, value);
  for (const auto& [name, value] : found) text += fmt::format(" have {}={}", name, value);
  return text;
}

void World::drain(Seat& seat) {
  while (deliver(seat, false)) ++steps_;
  while (check_repository(seat)) ++steps_;
  while (wrong_.empty() && look(seat)) {
    ++steps_;
    while (deliver(seat, false)) ++steps_;
    revive(seat);
  }
}

std::string World::settle() {
  tell("no more faults");
  rules_.chaos = false, rules_.faults = 0;
  if (!far_known_)
    for (auto& seat : seats_) seat.dispatch->cluster_event({kube::Event::Type::added, far_secret()});
  far_known_ = true, far_away_ = false;
  repositories_.gone = false;
  repositories_.restore();
  auto last = repositories_.head();
  for (auto& [app, desired] : last) desired.broken = false;
  repositories_.commit(std::move(last));
  for (auto& seat : seats_) seat.client->set_fault_rate(0), seat.far->set_fault_rate(0);
  std::string why;
  auto end = clock_.now() + std::chrono::hours(2);
  while (wrong_.empty() && clock_.now() < end) {
    for (auto& seat : seats_) drain(seat);
    finish_jobs(true);
    for (const auto& app : apps_)
      if (!person_.get(detail::application_type, {"argocd", app})) add_application(app);
    for (auto& seat : seats_) drain(seat);
    if (why = rest(); why.empty()) return wrong_;
    clock_.advance(Millis(5000));
  }
  if (wrong_.empty()) violate("not at rest two hours after the last fault: " + why);
  return wrong_;
}

// -- the tests
// ----------------------------------------------------------------------------------------------------------

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const auto* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): tests read it before any thread is there
  return text == nullptr ? otherwise : static_cast<std::uint64_t>(to_int(text).value_or(0));
}

Rules rules_of(std::uint64_t seed) {
  // Most worlds have one controller; every fifth has two that know nothing of each other.
  return {.fleet = seed % 2 == 1,
          .seats = seed % 5 == 4 ? 2U : 1U,
          .faults = static_cast<unsigned>(seed % 3 * 20),
          .chaos = true};
}

std::string simulate(std::uint64_t seed, std::uint64_t& steps, bool told) {
  World world(seed, rules_of(seed), steps, told);
  world.run(steps + 3000);
  return world.wrong().empty() ? world.settle() : world.wrong();
}

class Simulation : public testing::Test {
 protected:
  Simulation() { set_log_level(Level::error); }
};

// In slices, so that they run side by side.
class Worlds : public Simulation, public testing::WithParamInterface<int> {};
constexpr int slices = 8;
TEST_P(Worlds, SLOW_KeepTheirPromises) {
  if (auto seed = number("SLIPWAY_SIMULATE", 0); seed > 0) {
    if (GetParam() > 0) return;
    std::uint64_t steps = 0;
    EXPECT_EQ(simulate(seed, steps, true), "");
    return;
  }
  auto wanted = number("SLIPWAY_SIMULATE_STEPS", 1'000'000) / slices;
  std::uint64_t steps = 0, worlds = 0;
  for (auto seed = static_cast<std::uint64_t>(GetParam()) + 1; steps < wanted; seed += slices, ++worlds) {
    auto wrong = simulate(seed, steps, false);
    ASSERT_EQ(wrong, "") << "again with SLIPWAY_SIMULATE=" << seed;
  }
  RecordProperty("steps", std::to_string(steps));
  RecordProperty("worlds", std::to_string(worlds));
}
INSTANTIATE_TEST_SUITE_P(Simulation, Worlds, testing::Range(0, slices));

// One scenario, killed at each of its calls in turn.
void kill_at_every_call(bool fleet) {
  for (std::uint64_t at = 1;; ++at) {
    std::uint64_t steps = 0;
    World world(1'000'000 + at, {.fleet = fleet, .seats = 1, .faults = 0, .chaos = false}, steps, false);
    world.seats().front().client->kill_after(at);
    auto killed = world.seats().front().client;
    world.drain(world.seats().front());
    world.commit_something();
    world.drain(world.seats().front());
    ASSERT_EQ(world.settle(), "") << "killed at call " << at;
    if (!killed->dead()) break;
    ASSERT_LT(at, 1000U);
  }
}
TEST_F(Simulation, AKillAtEveryCall) { kill_at_every_call(false); }
TEST_F(Simulation, AKillAtEveryCallWithTwoClusters) { kill_at_every_call(true); }

TEST_F(Simulation, IsTheSameForOneSeed) {
  std::uint64_t first = 0, second = 0;
  EXPECT_EQ(simulate(7, first, false), "");
  EXPECT_EQ(simulate(7, second, false), "");
  EXPECT_EQ(first, second);
}

}  // namespace
}  // namespace slipway::gitops::sim
