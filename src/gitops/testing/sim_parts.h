#pragma once
// What a simulated world is made of: dice, a clock, repositories that vanish, are forced back and rot, and a client
// whose calls fail, are repeated and are cut off by a kill. All on one thread and one seed.
#include <sys/stat.h>

#include <map>
#include <set>

#include "base/testing/simulation.h"
#include "cluster/testing.h"
#include "doc/yaml.h"
#include "gitops/detail/dispatch.h"

namespace slipway::gitops::sim {

// What one commit wants of one Application.
struct Desired {
  std::map<std::string, std::string> maps;  // ConfigMap -> value
  bool hooks = false, deletion_hooks = false, broken = false;
  std::string hook_policy;
};
using Commit = std::map<std::string, Desired>;  // by Application

std::string config_map_text(const std::string& name, const std::string& value, int wave);
std::string hook_text(const std::string& app, const std::string& policy);
std::string deletion_hook_text(const std::string& app, const std::string& policy);

class SimRepositories final : public Repositories {
 public:
  explicit SimRepositories(Dice& dice);
  Result<git::Repository> open(const Ctx&, const std::string& url) override;

  void commit(Commit wanted);      // on what is there
  void force_back(Commit wanted);  // on the parent of what is there, which is lost
  void rot();                      // an object of the last commit is lost
  void restore();
  const Commit& head() const { return commits_.at(heads_.back()); }
  const std::string& head_id() const { return heads_.back(); }
  const Commit* wanted_at(const std::string& id) const;
  // Every commit that was the head since the one of that number, which is what heads() was then.
  std::size_t heads() const { return heads_.size(); }
  std::vector<const Commit*> heads_since(std::size_t number) const;
  bool rotten() const { return !lost_.empty(); }
  bool gone = false;

 private:
  void write(const std::string& parent, Commit wanted);
  git::Repository repository() const;
  Dice& dice_;
  TempDir folder_;
  std::map<std::string, Commit> commits_;
  std::vector<std::string> heads_;
  std::map<std::string, std::string> parents_;
  std::vector<std::pair<fs::path, fs::path>> lost_;  // where it was, where it is
  int count_ = 0;
};

// All writes of all clients, in order: what watches would tell.
struct Log {
  std::vector<kube::Event> events;
};

// What one controller has left of its life, whichever API it calls.
struct Life {
  std::uint64_t left = 0;  // calls; 0: for ever
  bool dead = false;
};

// What happens around the calls of one controller.
struct Surroundings {
  std::uint64_t* steps = nullptr;
  Dice* dice = nullptr;
  Log* log = nullptr;
  unsigned fault_rate = 0;                                                           // of a thousand calls
  std::function<void()> meanwhile;                                                   // others act, now and then
  std::function<void(const std::string& verb, const kube::Object&)> about_to_write;  // real writes only
  std::function<void(const kube::Object& before, const kube::Object& after)> wrote;
  std::function<bool()> away = {};  // nobody answers there
  std::shared_ptr<Life> life = std::make_shared<Life>();
};

// One controller's way to the API. After a kill every call is refused: whatever its caller does then is lost.
class SimClient final : public kube::Client {
 public:
  SimClient(std::shared_ptr<kube::Client> behind, Surroundings around)
      : behind_(std::move(behind)), around_(std::move(around)) {}
  void kill_after(std::uint64_t calls) { around_.life->left = calls; }
  bool dead() const { return around_.life->dead; }
  std::uint64_t calls() const { return calls_; }
  void set_fault_rate(unsigned in_thousand) { around_.fault_rate = in_thousand; }

  Result<std::optional<kube::Object>> get(const Ctx& ctx, const kube::Type& type, const kube::Key& key) override;
  Result<kube::ObjectList> list(const Ctx& ctx, const kube::Type& type, const kube::ListOptions& options) override;
  Result<std::unique_ptr<kube::Watch>> watch(const Ctx& ctx, const kube::Type& type,
                                             const kube::WatchOptions& options) override;
  Result<kube::Object> create(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override;
  Result<kube::Object> update(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override;
  Result<kube::Object> patch(const Ctx& ctx, const kube::Type& type, const kube::Key& key, kube::PatchType kind,
                             const doc::Value& patch, const kube::WriteOptions& options) override;
  Result<kube::Object> apply(const Ctx& ctx, doc::Value object, const kube::WriteOptions& options) override;
  Result<> remove(const Ctx& ctx, const kube::Type& type, const kube::Key& key,
                  const kube::RemoveOptions& options) override;
  Result<Resource> resource(const Ctx& ctx, const kube::Type& type) override;
  Result<std::vector<Resource>> resources(const Ctx& ctx) override { return behind_->resources(ctx); }
  Result<> reach() {
    TRY_OK(call(false));
    return {};
  }

 private:
  enum class Fate { fine, refused, lost_answer };
  Result<Fate> call(bool write);
  Result<kube::Object> write(const Ctx& ctx, const std::string& verb, const kube::Type& type, const kube::Key& key,
                             bool dry_run, const doc::Value& object, const std::function<Result<kube::Object>()>& real);
  std::shared_ptr<kube::Client> behind_;
  Surroundings around_;
  std::uint64_t calls_ = 0;
  bool inside_ = false;
};

// Writes of people and of the rest of the cluster, seen by watches too.
class Person {
 public:
  Person(std::shared_ptr<kube::Client> client, Log& log) : client_(std::move(client)), log_(log) {}
  kube::Client& client() { return *client_; }
  std::optional<kube::Object> get(const kube::Type& type, const kube::Key& key);
  void create(doc::Value object);
  void merge(const kube::Type& type, const kube::Key& key, std::string_view yaml, const std::string& subresource = "");
  void remove(const kube::Type& type, const kube::Key& key);

 private:
  std::shared_ptr<kube::Client> client_;
  Log& log_;
};

inline const kube::Type config_map_type{"v1", "ConfigMap"}, job_type{"batch/v1", "Job"};
inline constexpr std::string_view operation_annotation = "slipway.dev/sync-operation";

}  // namespace slipway::gitops::sim
