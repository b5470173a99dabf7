// Deterministic simulation of promotions: dice decide whose turn it is, which calls fail, what people do in between and
// who is killed where. What must never happen is looked for at every step; when the faults stop, every environment must
// come to hold the newest artifact, by one commit or one pull request.
//
//   SLIPWAY_SIMULATE_PROMOTIONS=SEED   one world, told step by step on stderr
//   SLIPWAY_SIMULATE_STEPS=N           how far to go; ten thousand by default
#include <sys/stat.h>

#include <cstdlib>

#include "base/log.h"
#include "base/testing/simulation.h"
#include "base/text.h"
#include "cluster/testing.h"
#include "doc/yaml.h"
#include "engine/proposals.h"
#include "engine/pull_requests.h"
#include "engine/testing.h"

namespace slipway::engine {
namespace {

using path::Phase;

// The house's way to the API. Calls fail, or are done and their answer is lost; after a kill all are refused, and what
// their caller does then is lost.
class SimClient final : public kube::Client {
 public:
  SimClient(std::shared_ptr<kube::Client> behind, Dice& dice) : behind_(std::move(behind)), dice_(dice) {}
  void kill_after(std::uint64_t calls) { left_ = calls; }
  bool dead() const { return dead_; }
  void revive() { dead_ = false, left_ = 0; }
  unsigned fault_rate = 0;  // of a thousand calls
  std::function<void()> meanwhile;
  std::function<void(const kube::Object&)> wrote;

  Result<std::optional<kube::Object>> get(const Ctx& ctx, const kube::Type& type, const kube::Key& key) override {
    TRY_OK(call());
    return behind_->get(ctx, type, key);
  }
  Result<kube::ObjectList> list(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options) override {
    TRY_OK(call());
    return behind_->list(ctx, type, options);
  }
  Result<std::unique_ptr<kube::Watch>> watch(const Ctx& ctx, const kube::Type& type,
                                             const kube::WatchOptions& options) override {
    return behind_->watch(ctx, type, options);
  }
  Result<kube::Object> create(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    return write([&] { return behind_->create(ctx, std::move(object), options); });
  }
  Result<kube::Object> update(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    return write([&] { return behind_->update(ctx, std::move(object), options); });
  }
  Result<kube::Object> patch(const Ctx& ctx, const kube::Type& type, const kube::Key& key, kube::PatchType kind,
                             const doc::Value& patch, const kube::WriteOptions& options) override {
    return write([&] { return behind_->patch(ctx, type, key, kind, patch, options); });
  }
  Result<kube::Object> apply(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override {
    return write([&] { return behind_->apply(ctx, std::move(object), options); });
  }
  Result<> remove(const Ctx& ctx, const kube::Type& type, const kube::Key& key,
                  const kube::RemoveOptions& options) override {
    TRY_OK(call());
    return behind_->remove(ctx, type, key, options);
  }
  Result<Resource> resource(const Ctx& ctx, const kube::Type& type) override { return behind_->resource(ctx, type); }
  Result<std::vector<Resource>> resources(const Ctx& ctx) override { return behind_->resources(ctx); }

 private:
  Result<> call() {
    if (meanwhile) meanwhile();
    if (left_ > 0 && --left_ == 0) dead_ = true;
    if (dead_) return fail(Kind::cancelled, "killed");
    if (dice_.chance(fault_rate)) return fail(Kind::unavailable, "connection refused");
    return {};
  }
  Result<kube::Object> write(const std::function<Result<kube::Object>()>& real) {
    TRY_OK(call());
    auto done = real();
    if (done && wrote) wrote(*done);
    if (dice_.chance(fault_rate)) return fail(Kind::unavailable, "the answer was lost");
    return done;
  }
  std::shared_ptr<kube::Client> behind_;
  Dice& dice_;
  std::uint64_t left_ = 0;
  bool dead_ = false;
};

// One API for all worlds: making one costs as much as many steps.
cluster::TestApi& api() {
  static auto shared =
      cluster::make_test_api({.durable = false, .crds = path::builtin_crds(), .namespaces = {home, "argocd"}});
  return shared;
}

TempDir quick_folder() {
  struct stat st{};
  bool memory = ::stat("/dev/shm", &st) == 0 && S_ISDIR(st.st_mode);
  return must(TempDir::make_in(memory ? fs::path("/dev/shm") : fs::temp_directory_path(), "slipway-sim"));
}

const std::vector<std::string> services{"api", "web"}, environments{"dev", "staging", "prod"};
constexpr std::string_view pipeline_text =
    "{apiVersion: slipway.dev/v1, kind: Pipeline, metadata: {name: shop, namespace: slipway-system}, spec: "
    "{repository: "
    "config, services: [{name: api, image: shop/api}, {name: web, image: shop/web}], environments: [{name: dev, path: "
    "dev, namespace: d}, {name: staging, path: staging, namespace: s, after: dev, pullRequest: true, together: true}, "
    "{name: prod, path: prod, namespace: p, after: staging, automatic: false, approvers: [ann], pullRequest: true}]}}";

struct Rules {
  unsigned faults = 0;
  bool people = true;
};

class World {
 public:
  World(std::uint64_t seed, Rules rules, bool told)
      : seed_(seed), rules_(rules), told_(told), dice_(seed), person_(api().client("ann")) {
    house_.settings.data = folder_.path();
    house_.push_notes = std::make_unique<PushNotes>(folder_.path() / "pushes");
    house_.running = std::make_unique<RunningRuns>();
    house_.decisions = std::make_unique<Wake>();
    house_.run_logs = std::make_unique<RunLogs>(folder_.path() / "logs");
    house_.git = must(git::Host::open(folder_.path() / "git", {}));
    house_.repositories = make_repositories(house_);
    client_ = std::make_shared<SimClient>(api().client("slipway"), dice_);
    house_.client = client_;
    house_.gitops = std::make_unique<gitops::Controller>(person_, *house_.repositories, gitops::ControllerOptions{});
    client_->fault_rate = rules.faults;
    client_->wrote = [this](const kube::Object& object) { check_skipped(object); };
    client_->meanwhile = [this] { people_in_between(); };
    auto store = must(house_.git->create("config"));
    std::vector<git::FileEdit> files;
    for (const auto& environment : environments)
      files.push_back({environment + "/kustomization.yaml",
                       "resources: []\nimages:\n- name: shop/api\n  newTag: none\n- name: shop/web\n  newTag: none\n"});
    tip_ = must(store.write_commit(must(store.write_tree("", files)), {}, signature(), "first"));
    must(store.update_ref("refs/heads/main", tip_, std::nullopt, "test"));
    must(person_->apply(ctx(), must(doc::parse_yaml(pipeline_text)), {.force = true}));
  }
  ~World() {
    for (auto name : {"Pipeline", "Promotion", "PullRequest", "Release", "Artifact", "Change", "Notice"})
      for (const auto& object : must(all(ctx(), *person_, name)))
        (void)person_->remove(ctx(), kind(name), object.key(), {});
  }

  void run(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps && wrong_.empty(); ++i) step();
  }
  void step() {
    ++step_;
    clock_.advance(Millis(1 + dice_.below(50)));
    if (rules_.faults > 0 && dice_.chance(60)) client_->kill_after(1 + dice_.below(40));
    act();
    if (client_->dead()) tell("killed");
    client_->revive();
    check_branch();
  }
  SimClient& client() { return *client_; }
  // No more faults, and one more artifact of each service: it must come to be everywhere. Gives what is wrong.
  std::string settle();
  void pass(const std::string& service);
  void plan() { (void)plan_promotions(ctx(), house_, "shop"); }
  void execute_all() {
    for (const auto& p : seen("Promotion")) (void)execute_promotion(ctx(), house_, p.name());
  }
  void look_at_requests() {
    for (const auto& r : seen("PullRequest")) (void)look_at_pull_request(ctx(), house_, r.name());
  }
  void people_do_their_part();
  void check_branch();
  const std::string& wrong() const { return wrong_; }

 private:
  template <class... Parts>
  void tell(fmt::format_string<Parts...> format, Parts&&... parts) const {
    if (told_) fmt::print(stderr, "{:6} {}\n", step_, fmt::format(format, std::forward<Parts>(parts)...));
  }
  void violate(const std::string& what) {
    if (wrong_.empty()) wrong_ = fmt::format("seed {}, step {}: {}", seed_, step_, what);
  }
  Ctx ctx() const {
    Ctx context;
    context.clock = &clock_;
    return context;
  }
  git::Signature signature() const { return {"ann", "ann@example.org", clock_.wall()}; }
  fs::path repository_path() const { return house_.git->path_of("config"); }
  git::Repository repository() const { return must(git::Repository::open(gone_ ? hidden() : repository_path())); }
  fs::path hidden() const { return folder_.path() / "hidden.git"; }
  void hide(bool away) {
    if (away == gone_) return;
    if (away)
      fs::rename(repository_path(), hidden());
    else
      fs::rename(hidden(), repository_path());
    gone_ = away;
  }
  std::vector<kube::Object> seen(std::string_view name) { return must(all(ctx(), *person_, name)); }
  void say(std::string_view name, const std::string& object, const doc::Map& status) {
    must(set_status(ctx(), *person_, name, object, status));
  }

  void act();
  void people_act();
  void people_in_between() {
    // Somebody acts in the middle of what the house does.
    if (inside_ || !rules_.people || !dice_.chance(30)) return;
    inside_ = true;
    people_act();
    inside_ = false;
  }
  void pass_again();
  void merge(const kube::Object& request);
  void approve(const kube::Object& promotion);
  void judge(bool well);
  void write_by_hand();
  void roll_back_by_hand();
  void check_skipped(const kube::Object& object);
  void check_commit(const git::Commit& commit);
  std::size_t place_of(const std::string& service, const std::string& digest);
  std::string image_at(const git::Oid& commit, const std::string& environment, const std::string& service) {
    auto said = promote::image_at(repository(), commit, environment, "shop/" + service);
    return said && *said ? (*said)->digest.str() : "";
  }
  std::string unsettled();

  std::uint64_t seed_;
  Rules rules_;
  bool told_;
  Dice dice_;
  SimClock clock_;
  TempDir folder_ = quick_folder();
  House house_;
  std::shared_ptr<kube::Client> person_;
  std::shared_ptr<SimClient> client_;
  git::Oid tip_;
  std::map<std::string, int> landed_;                       // promotion's name -> commits on the branch
  std::map<std::string, std::vector<std::string>> passed_;  // service -> digests, newest last
  std::map<std::string, std::string> notes_;                // files of people
  std::string wrong_;
  std::uint64_t step_ = 0;
  int count_ = 0;
  bool gone_ = false, inside_ = false;
};

// -- who does what

void World::act() {
  auto turn = dice_.below(100);
  if (turn < 35) {
    plan();
  } else if (turn < 60) {
    auto promotions = seen("Promotion");
    if (!promotions.empty()) (void)execute_promotion(ctx(), house_, dice_.pick(promotions).name());
  } else if (turn < 72) {
    auto requests = seen("PullRequest");
    if (!requests.empty()) (void)look_at_pull_request(ctx(), house_, dice_.pick(requests).name());
  } else if (turn < 80) {
    dice_.chance(800) || passed_.empty() ? pass(dice_.pick(services)) : pass_again();
  } else if (rules_.people) {
    people_act();
  }
}

void World::people_act() {
  auto requests = seen("PullRequest");
  std::erase_if(requests, [](const auto& r) { return r["status"]["state"].str_or("open") != "open"; });
  auto promotions = seen("Promotion");
  switch (dice_.below(12)) {
    case 0:
    case 1:
    case 2:
      if (!requests.empty()) merge(dice_.pick(requests));
      break;
    case 3:
      if (!requests.empty() && dice_.chance(300)) {
        auto& request = dice_.pick(requests);
        tell("closed by hand: {}", request.name());
        say("PullRequest", request.name(), {{"state", "closed"}});
      }
      break;
    case 4:
    case 5:
    case 6:
      if (!promotions.empty()) approve(dice_.pick(promotions));
      break;
    case 7:
    case 8:
      judge(!dice_.chance(150));
      break;
    case 9:
      write_by_hand();
      break;
    case 10:
      if (dice_.chance(200)) roll_back_by_hand();
      break;
    default:
      if (rules_.faults > 0 && dice_.chance(300)) hide(!gone_);
  }
}

void World::pass(const std::string& service) {
  path::Artifact artifact{.service = service,
                          .image = "shop/" + service,
                          .digest = Digest::of(fmt::format("{}{}", service, ++count_)),
                          .run = fmt::format("ci-{}", count_)};
  artifact.tags = {fmt::format("sha-{}", count_)};
  tell("{} passed: {}", service, artifact.digest.short_hex());
  must(record(ctx(), *person_, "Artifact", name_of(artifact), to_doc(artifact)));
  say("Artifact", name_of(artifact),
      {{"phase", "Succeeded"}, {"passedAt", rfc3339_micro(clock_.wall())}, {"run", artifact.run}});
  passed_[service].push_back(artifact.digest.str());
}

// A commit takes the source back: the bytes of before pass once more.
void World::pass_again() {
  auto& [service, digests] = dice_.pick(passed_);
  auto digest = dice_.pick(digests);
  path::Artifact artifact{.service = service, .image = "shop/" + service, .digest = must(Digest::parse(digest))};
  tell("{} passed again: {}", service, artifact.digest.short_hex());
  say("Artifact", name_of(artifact),
      {{"passedAt", rfc3339_micro(clock_.wall())}, {"run", fmt::format("ci-{}", ++count_)}});
  digests.push_back(digest);
}

void World::merge(const kube::Object& request) {
  auto store = repository();
  auto before = *must(store.resolve("refs/heads/main"));
  auto head = request["spec"]["head"].text();
  if (must(store.is_ancestor(head, before))) return;
  auto merged = must(store.merge(before, head));
  if (!merged.conflicts.empty()) return;
  auto commit = must(store.write_commit(merged.tree, {before, head}, signature(),
                                        fmt::format("Merge pull request #{}", request["spec"]["number"].text())));
  must(store.update_ref("refs/heads/main", commit, before, "merge"));
  tell("merged {} as {}", request.name(), commit.substr(0, 7));
}

void World::approve(const kube::Object& promotion) {
  if (phase_of(promotion) != Phase::waiting || promotion["status"]["pullRequest"].num_or(0) > 0) return;
  tell("approved {}", promotion.name());
  must(kube::modify(ctx(), *person_, kind("Promotion"), promotion.key(), {}, [](doc::Value& o) -> Result<bool> {
    o["spec"]["approvedBy"] = "ann";
    return true;
  }));
}

// What runs is found good, or not.
void World::judge(bool well) {
  auto releases = seen("Release");
  std::erase_if(releases,
                [](const auto& r) { return is_final(phase_of(r)) || !r["status"]["current"].bool_or(false); });
  if (releases.empty()) return;
  auto& release = dice_.pick(releases);
  tell("{} is {}", release.name(), well ? "good" : "bad");
  say("Release", release.name(), {{"phase", well ? "Succeeded" : "Failed"}, {"since", rfc3339_micro(clock_.wall())}});
}

void World::write_by_hand() {
  auto store = repository();
  auto before = *must(store.resolve("refs/heads/main"));
  auto file = fmt::format("notes/{}.txt", dice_.below(3));
  notes_[file] = std::to_string(++count_);
  std::vector<git::FileEdit> edits{{file, notes_[file]}};
  auto commit = must(
      store.write_commit(must(store.write_tree(must(store.tree_of(before)), edits)), {before}, signature(), "by hand"));
  must(store.update_ref("refs/heads/main", commit, before, "by hand"));
}

void World::roll_back_by_hand() {
  if (passed_.empty()) return;
  auto& [service, digests] = dice_.pick(passed_);
  auto environment = dice_.pick(environments);
  path::Promotion back{.service = service,
                       .environment = environment,
                       .artifact = {.service = service, .image = "shop/" + service},
                       .config_repository = "config",
                       .config_path = environment,
                       .reason = "rollback by ann",
                       .approved_by = "ann"};
  back.artifact.digest = must(Digest::parse(dice_.pick(digests)));
  auto name = fmt::format("{}-{}-by-hand-{}", service, environment, ++count_);
  tell("asked for by hand: {} {}", name, back.artifact.digest.short_hex());
  must(record(ctx(), *person_, "Promotion", name, to_doc(back),
              {{"slipway.dev/service", service}, {"slipway.dev/environment", environment}},
              {{std::string(recorded_at), rfc3339_micro(clock_.wall())}}));
  say("Promotion", name, {{"phase", "Pending"}, {"message", ""}});
}

// -- what must never happen

std::size_t World::place_of(const std::string& service, const std::string& digest) {
  const auto& digests = passed_[service];
  for (auto i = digests.size(); i > 0; --i)
    if (digests[i - 1] == digest) return i;
  return 0;
}

// Superseded only by what is newer, of the same service and place.
void World::check_skipped(const kube::Object& object) {
  if (object.kind() != "Promotion" || phase_of(object) != Phase::skipped) return;
  auto said = object["status"]["message"].text();
  tell("{} is skipped: {}", object.name(), said);
  constexpr std::string_view by = "superseded by ";
  if (!said.starts_with(by)) return;
  auto newer = must(find(ctx(), *person_, "Promotion", said.substr(by.size())));
  if (!newer) return violate(fmt::format("{} is {}, which is not there", object.name(), said));
  auto of = [](const kube::Object& o, const char* key) { return o["spec"][key].text(); };
  auto digest = [](const kube::Object& o) { return o["spec"]["artifact"]["digest"].text(); };
  auto service = of(object, "service");
  if (of(*newer, "service") != service || of(*newer, "environment") != of(object, "environment"))
    violate(fmt::format("{} is {}, which goes elsewhere", object.name(), said));
  if (place_of(service, digest(*newer)) <= place_of(service, digest(object)))
    violate(fmt::format("{} is {}, which is not newer", object.name(), said));
}

// The branch only goes on, people's files stay, and a promotion without a pull request is there once.
void World::check_branch() {
  auto store = repository();
  auto tip = *must(store.resolve("refs/heads/main"));
  if (tip == tip_) return;
  if (!must(store.is_ancestor(tip_, tip))) return violate("commits of the branch are lost");
  for (const auto& commit : must(store.log(tip, 1000, tip_))) check_commit(commit);
  for (const auto& [file, text] : notes_)
    if (must(store.read(tip, file)) != text) violate(fmt::format("{} of a person was lost", file));
  tip_ = tip;
}

void World::check_commit(const git::Commit& commit) {
  std::string environment;
  for (const auto& [key, value] : promote::trailers(commit.message)) {
    if (key == "Slipway-Environment") environment = value;
    if (key != "Slipway-Promotion") continue;
    tell("landed {} in {}", value, commit.id.substr(0, 7));
    if (++landed_[value] > 1 && environment == "dev") violate(fmt::format("{} is there twice", value));
  }
}

// -- the end

void World::people_do_their_part() {
  for (const auto& request : seen("PullRequest"))
    if (request["status"]["state"].str_or("open") == "open") merge(request);
  for (const auto& promotion : seen("Promotion")) approve(promotion);
  for (std::size_t i = 0; i < services.size() * environments.size(); ++i) judge(true);
}

// What keeps it from being as it should, "" for nothing.
std::string World::unsettled() {
  auto tip = *must(repository().resolve("refs/heads/main"));
  for (const auto& environment : environments)
    for (const auto& service : services)
      if (image_at(tip, environment, service) != passed_[service].back())
        return fmt::format("{} does not hold the newest {}", environment, service);
  for (const auto& r : seen("PullRequest"))
    if (r["status"]["state"].str_or("open") == "open") return r.name() + " is still open";
  for (const auto& p : seen("Promotion")) {
    auto phase = phase_of(p);
    if (phase == Phase::pending || phase == Phase::waiting)
      return fmt::format("{} is {}: {}", p.name(), path::to_string(phase), p["status"]["message"].text());
  }
  for (const auto& ref : must(repository().refs("refs/pull/")))
    for (const auto& r : seen("PullRequest"))
      if (r["status"]["state"].text() == "closed" && r["status"]["closedAt"].present() &&
          ref.first.starts_with(fmt::format("refs/pull/{}/head", r["spec"]["number"].text())))
        return ref.first + " of a closed request is still there";
  return "";
}

std::string World::settle() {
  tell("no more faults");
  rules_ = {.faults = 0, .people = false};
  client_->fault_rate = 0;
  hide(false);
  for (const auto& service : services) {
    clock_.advance(Millis(1000));
    pass(service);
  }
  std::string why;
  for (int round = 0; round < 40 && wrong_.empty(); ++round) {
    clock_.advance(Millis(1000));
    ++step_;
    plan();
    execute_all();
    look_at_requests();
    people_do_their_part();
    check_branch();
    if (why = unsettled(); why.empty()) return wrong_;
  }
  std::string all_of;
  for (const auto& p : seen("Promotion"))
    all_of += fmt::format("\n  {} {} {}", p.name(), p["status"]["phase"].text(), p["status"]["message"].text());
  violate(fmt::format("not at rest after forty rounds without a fault: {}{}", why, all_of));
  return wrong_;
}

std::uint64_t number(const char* name, std::uint64_t otherwise) {
  const auto* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): tests read it before any thread is there
  return text == nullptr ? otherwise : static_cast<std::uint64_t>(to_int(text).value_or(0));
}

class PromotionSimulation : public testing::Test {
 protected:
  PromotionSimulation() { set_log_level(Level::error); }
};

constexpr std::uint64_t steps_of_a_world = 250;

std::string simulate(std::uint64_t seed, bool told) {
  World world(seed, {.faults = static_cast<unsigned>(seed % 3 * 15), .people = true}, told);
  world.run(steps_of_a_world);
  return world.wrong().empty() ? world.settle() : world.wrong();
}

TEST_F(PromotionSimulation, SLOW_WorldsKeepTheirPromises) {
  if (auto seed = number("SLIPWAY_SIMULATE_PROMOTIONS", 0); seed > 0) {
    EXPECT_EQ(simulate(seed, true), "");
    return;
  }
  auto worlds = number("SLIPWAY_SIMULATE_STEPS", 10'000) / steps_of_a_world;
  for (std::uint64_t seed = 1; seed <= worlds; ++seed)
    ASSERT_EQ(simulate(seed, false), "") << "again with SLIPWAY_SIMULATE_PROMOTIONS=" << seed;
}

// One story with a request that is overtaken, killed at each of its calls in turn.
TEST_F(PromotionSimulation, AKillAtEveryCall) {
  for (std::uint64_t at = 1;; ++at) {
    World world(1'000'000 + at, {.faults = 0, .people = false}, false);
    auto round = [&] {
      world.plan(), world.execute_all(), world.look_at_requests();
      bool killed = world.client().dead();
      world.client().revive();
      world.check_branch();
      return killed;
    };
    world.pass("api"), world.pass("web");
    round();
    world.people_do_their_part();
    round(), round();
    // Here there is a request for staging that holds both; something newer comes.
    world.pass("api");
    round();
    world.people_do_their_part();
    world.client().kill_after(at);
    bool killed = false;
    for (int i = 0; i < 4; ++i) killed = round() || killed;
    world.client().revive();
    ASSERT_EQ(world.settle(), "") << "killed at call " << at;
    if (!killed) break;
    ASSERT_LT(at, 1000U);
  }
}

TEST_F(PromotionSimulation, IsTheSameForOneSeed) {
  for (int i = 0; i < 2; ++i) EXPECT_EQ(simulate(7, false), "");
}

}  // namespace
}  // namespace slipway::engine
