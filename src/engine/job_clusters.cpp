#include "engine/job_clusters.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/guarded.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"
#include "doc/yaml.h"

namespace slipway::engine {
namespace {

constexpr std::string_view this_program = "/proc/self/exe";
constexpr Millis end_within{30000};
constexpr std::string_view arguments_file = "arguments";  // what `slipway down` needs, beside the data

struct One {
  fs::path folder;
  Fd lifeline;
  std::optional<Child> child;
};

// Ranges of its own, out of a block that neither Docker nor Kubernetes takes by default.
std::vector<std::string> network_arguments(int number) {
  return {"--bridge",       fmt::format("slpk{}", number),
          "--pod-cidr",     fmt::format("10.{}.0.0/17", 160 + number),
          "--service-cidr", fmt::format("10.{}.128.0/17", 160 + number)};
}

// What it prints when it is ready: one JSON document.
Result<doc::Value> ready_document(const Ctx& ctx, int fd) {
  std::string text;
  for (;;) {
    TRY_OK(slipway::wait(ctx, fd, POLLIN));
    char buffer[4096];
    auto n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(Kind::unavailable, "it ended");
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.ends_with("}\n"))
      if (auto document = doc::parse_json(text)) return document;
  }
}

// kind's names: cluster, user and context are kind-NAME.
Result<std::string> as_kind(const std::string& kubeconfig, const std::string& name) {
  TRY(auto document, doc::parse_yaml(kubeconfig));
  auto called = "kind-" + name;
  document["current-context"] = called;
  for (auto* list : {"clusters", "users", "contexts"})
    for (auto& entry : document[list].list()) entry["name"] = called;
  for (auto& entry : document["contexts"].list()) entry["context"] = doc::Map{{"cluster", called}, {"user", called}};
  return doc::print_yaml(document);
}

class JobClusters final : public path::ClusterMaker {
 public:
  explicit JobClusters(fs::path root) : root_(std::move(root)) {}
  ~JobClusters() override {
    auto all = std::move(*all_.lock());
    for (auto& [id, one] : all) one.lifeline.reset();  // all at once
    for (auto& [id, one] : all) (void)end(Ctx{}, one);
  }

  Result<path::ClusterHandle> create(const Ctx& ctx, const path::ClusterRequest& request) override {
    if (::geteuid() != 0)
      return Fail(Error(Kind::unavailable, "a cluster of its own needs root: pods want addresses")
                      .with_hint("run slipway as root, or use slipway/preview"));
    auto own = ctx.within(request.ready_within);
    Error last(Kind::unavailable, "no range of addresses is free");
    // Another slipway may have the range; which are free is its lock's business, not ours to guess.
    for (int number = 0; number < 64; ++number) {
      if (!take(number)) continue;
      auto made = start(own, request, number);
      if (made) return made;
      give(number);
      last = std::move(made).error();
      if (!last.what().contains("--bridge") && !last.what().contains("-cidr")) break;
    }
    return Fail(std::move(last).in(fmt::format("cluster {}", request.name)));
  }

  Result<> remove(const Ctx& ctx, const std::string& id) override {
    One one;
    {
      auto all = all_.lock();
      auto found = all->find(id);
      if (found == all->end()) return {};
      one = std::move(found->second);
      all->erase(found);
    }
    auto ended = end(ctx, one);
    give(static_cast<int>(to_int(id.substr(id.rfind('-') + 1)).value_or(0)));
    return ended;
  }

  // Of processes that were killed together with theirs.
  void sweep(const Ctx& ctx) {
    if (!path_exists(root_)) return;
    auto names = list_dir(root_);
    if (!names) return;
    for (auto& name : *names) {
      auto text = read_file(root_ / name / arguments_file, 4096);
      if (text) {
        Command down{.argv = {std::string(this_program), "down", "--data", (root_ / name / "data").string()}};
        for (auto line : lines(*text)) down.argv.emplace_back(line);
        if (auto ended = run_ok(ctx.within(end_within), down); !ended) {
          LOG(warn, "job_cluster.left", {"folder", (root_ / name).native()}, {"error", ended.error().what()});
          continue;
        }
      }
      (void)remove_tree(root_ / name);
    }
  }

 private:
  bool take(int number) { return numbers_.lock()->insert(number).second; }
  void give(int number) { numbers_.lock()->erase(number); }

  Result<path::ClusterHandle> start(const Ctx& ctx, const path::ClusterRequest& request, int number) {
    One one;
    auto id = fmt::format("{}-{}", random_hex(4), number);
    one.folder = root_ / id;
    auto network = network_arguments(number);
    TRY_OK(make_dirs(one.folder, 0700));
    TRY_OK(write_file(one.folder / arguments_file, join(network, "\n") + "\n"));
    Command command{.argv = {std::string(this_program), "up", "--temporary", "--data", (one.folder / "data").string(),
                             "--listen", (request.host.empty() ? "127.0.0.1" : request.host) + ":0", "--gateway", "0",
                             "--output", "json"}};
    command.argv.insert(command.argv.end(), network.begin(), network.end());
    if (!request.images_from.empty())
      command.argv.insert(command.argv.end(), {"--mirror", "docker.io=http://" + request.images_from});
    TRY(auto in, make_pipe());
    TRY(auto out, make_pipe());
    auto log = one.folder / "log";
    Fd err(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    TRY(one.child, Child::start(command, {.in = in.read.get(), .out = out.write.get(), .err = err.get()}));
    one.lifeline = std::move(in.write);
    in.read.reset(), out.write.reset();
    auto ready = ready_document(ctx, out.read.get());
    auto handle = ready ? handle_of(*ready, id, one.folder / "data", request.name) : Fail(ready.error());
    if (!handle) {
      (void)end(Ctx{}, one, [&] {
        auto said = read_file(log).value_or("");
        auto last = trim(said);
        if (!last.empty() && ctx.alive()) handle = fail(Kind::unavailable, "{}", last);
      });
      return handle;
    }
    all_.lock()->emplace(id, std::move(one));
    return handle;
  }

  static Result<path::ClusterHandle> handle_of(const doc::Value& ready, const std::string& id, const fs::path& data,
                                               const std::string& name) {
    path::ClusterHandle out;
    out.id = id;
    auto url = std::string(doc::View(ready)["url"].text());
    out.registry = url.substr(url.find("://") + 3);
    TRY(auto text, read_file(data / "kubeconfig"));
    TRY(out.kubeconfig, as_kind(text, name));
    TRY(out.token, read_file(data / "token"));
    out.token = trim(out.token);
    return out;
  }

  static Result<> end(const Ctx& ctx, One& one, const std::function<void()>& before_it_goes = {}) {
    one.lifeline.reset();
    if (one.child) (void)one.child->wait(Ctx{.clock = ctx.clock}.within(end_within));
    if (before_it_goes) before_it_goes();
    return remove_tree(one.folder);
  }

  fs::path root_;
  Guarded<std::map<std::string, One>> all_;
  Guarded<std::set<int>> numbers_;
};

}  // namespace

std::unique_ptr<path::ClusterMaker> make_job_clusters(const Ctx& ctx, fs::path root) {
  auto out = std::make_unique<JobClusters>(std::move(root));
  out->sweep(ctx);
  return out;
}

}  // namespace slipway::engine
