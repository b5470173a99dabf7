#pragma once
// One build: what its stages share.
#include <atomic>
#include <set>

#include "base/guarded.h"
#include "image/builder.h"
#include "image/detail/attestations.h"
#include "image/detail/cache_records.h"
#include "image/detail/git_source.h"
#include "image/detail/selection.h"
#include "image/detail/step_cache.h"
#include "image/stages.h"

namespace slipway::image::detail {

// A name that one at a time may hold. Threads: any.
class KeyedLocks {
 public:
  class Held {
   public:
    Held(KeyedLocks* all, std::string key) : all_(all), key_(std::move(key)) {}
    Held(Held&& other) noexcept : all_(std::exchange(other.all_, nullptr)), key_(std::move(other.key_)) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (all_ == nullptr) return;
      all_->busy_.lock()->erase(key_);
      all_->idle_.notify_all();
    }

   private:
    KeyedLocks* all_;
    std::string key_;
  };
  Result<Held> take(const Ctx& ctx, const std::string& key);
  std::optional<Held> try_take(const std::string& key);

 private:
  Guarded<std::set<std::string>> busy_;
  std::condition_variable_any idle_;
};

// What outlives a build.
struct Workshop {
  BuilderOptions options;
  std::mutex opening;
  std::optional<FileLock> lock;
  std::unique_ptr<StepCache> steps;
  // New layers, and what names them: on disk together when an image is whole, not one after the other.
  std::unique_ptr<store::BlobStore::Batch> blobs;
  KeyedLocks busy;
  Result<> open();  // once; the first build calls it
  bool has_blob(const Digest& digest) const { return blobs->holds(digest) || blobs->store().contains(digest); }
};

struct BuildLayer {
  Digest diff_id;
  std::optional<oci::Descriptor> descriptor;  // absent: only the unpacked folder is here
  std::string step;                           // its key in the cache; "" for a base image's
};
// A stage as far as it has come. Shared between stages only when finished.
struct State {
  oci::Config config;
  std::vector<BuildLayer> layers;
  std::vector<std::pair<std::string, std::string>> args;  // declared ARGs, with their values
  std::vector<std::string> declared;                      // all names, also those without one
  std::set<std::string, std::less<>> args_win;            // ARGs that came after an ENV of the same name
  bool cmd_set = false;
  std::string fs_key() const;  // by content: the diff ids
  std::optional<std::string> env(std::string_view name) const;
  void set_env(std::string_view name, std::string value);
};

// What an address gave.
struct Download {
  std::string bytes;
  std::optional<std::int64_t> modified;  // as the server says, seconds since 1970
};

// Where a COPY --from or a mount reads.
struct Origin {
  std::string key;  // of all it holds: the fast key; "" for folders
  Source source;
  std::vector<std::shared_ptr<void>> holds;              // mounts that must stay
  std::function<Result<>(const Ctx&, Origin&)> lay_out;  // makes the folder when it must be looked at
};

// One platform's image: its blobs are in the store, its manifest is about to be.
struct Built {
  path::BuildResult result;
  oci::Descriptor image;  // with its platform
  std::string manifest;
  std::vector<Statement> statements;
  CacheRecords records;
};

// One build for one platform. Threads: any.
class Build {
 public:
  Build(Workshop& shop, FarLayers& far, const Ctx& ctx, const path::BuildRequest& request, oci::Platform platform,
        const path::LogSink& log)
      : shop_(shop), far_(far), ctx_(ctx), request_(request), log_(log), platform_(std::move(platform)) {}
  Result<Built> run();

  // A step that is known by its result alone, whose files are nowhere: believed (the result may be all that is
  // needed), or done again.
  enum class Absent { believed, rebuilt };
  void set_absent(Absent absent) { absent_ = absent; }
  Absent absent() const { return absent_; }
  bool missed_files() const { return missed_files_; }  // such files were needed after all

  const path::BuildRequest& request() const { return request_; }
  Workshop& shop() { return shop_; }
  const Dockerfile& file() const { return file_; }
  const StagePlan& plan() const { return plan_; }
  const oci::Platform& platform() const { return platform_; }
  const oci::Platform& build_platform() const { return build_platform_; }
  bool has_many_platforms() const { return request_.platform.find(',') != std::string::npos; }
  std::int64_t epoch() const { return epoch_; }
  oci::Compression compression() const { return compression_; }
  Origin& context() { return context_; }
  void say(std::string_view line, int stream = 1);
  void report(const std::string& step, path::BuildStep::State state);
  void input(std::string text) { inputs_.lock()->insert(std::move(text)); }
  void depends_on(Material material) { materials_.lock()->insert(std::move(material)); }
  void step_done(bool cached) {
    ++steps_;
    if (cached) ++cached_;
  }
  void command_ran(path::Span when) { commands_.lock()->push_back(when); }
  void remember(const std::string& key, const CachedStep& step) { records_.lock()->steps[key] = step; }
  void remember_content(const std::string& key, const std::string& content) {
    records_.lock()->contents[key] = content;
  }
  bool is_replaced(const Stage& stage) const;  // by a named context
  bool exported(std::size_t stage) const { return exported_.contains(stage); }
  bool uses_cache(const Stage& stage) const;
  bool allows(std::string_view entitlement) const;

  std::optional<std::string> global(std::string_view name) const;
  std::optional<std::string> argument(const std::string& name) const;  // that the request gives
  // Each address once in a build. Errors: unavailable, invalid (more than 2 GiB).
  Result<std::shared_ptr<const Download>> download(const Ctx& ctx, const std::string& url);
  Result<std::shared_ptr<const State>> finished(const Ctx& ctx, std::size_t stage);  // waits for it
  Result<State> base_image(const Ctx& ctx, const std::string& name, const oci::Platform& platform);
  // What a named context of this name holds; nothing: there is none. Names are those of stages, or of images in any
  // of their spellings.
  struct Named {
    std::optional<State> image;    // an image, or
    std::optional<Origin> folder;  // files
  };
  Result<std::optional<Named>> named_context(const Ctx& ctx, const std::string& name, const oci::Platform& platform);
  // A stage before `stage`, a named context, or an image. `at`: for messages.
  Result<Origin> origin(const Ctx& ctx, std::string_view name, std::size_t stage, const Instruction& at);
  Result<> show(const Ctx& ctx, const State& state, Origin& origin);  // mounts it to be read
  Result<std::vector<fs::path>> folders(const Ctx& ctx, const std::vector<BuildLayer>& layers);
  // In the store, or where a cache of this build has it.
  bool can_have(const Digest& digest) const { return shop_.has_blob(digest) || far_.has(digest); }
  fs::path steps_folder() const { return shop_.options.root / "steps"; }
  GitAccess git_access() const;
  // A Git repository's files as a folder to copy from; the commit is its key.
  Result<Origin> git_origin(const Ctx& ctx, const GitAddress& address, bool keep_git);

 private:
  Result<> read_dockerfile();
  Result<> read_ignore();
  Result<> read_settings();
  // epoch.cpp
  Result<> read_epoch();
  Result<std::optional<std::int64_t>> time_of(const std::string& name);
  Result<std::optional<std::int64_t>> time_of_source(const std::string& url);
  Result<> check();
  Result<std::size_t> target() const;
  Result<> need(std::size_t stage);
  Result<> run_stages();
  Result<oci::Registry::Image> resolve(const Ctx& ctx, const std::string& name, const oci::Platform& platform);
  Result<Built> write_image(const State& state);
  Result<> store_layers(std::vector<BuildLayer>& layers);
  Result<> bring_layers(const std::vector<BuildLayer>& layers);
  Result<> bring(const Ctx& ctx, const oci::Descriptor& layer);
  Result<> store_all_stages();
  const std::string* context_key(const std::string& name) const;
  Result<Origin> folder_context(const fs::path& folder);
  Result<Origin> file_context(const Ctx& ctx, const std::string& url);
  FileIndex* index_of(const fs::path& folder);
  Result<State> layout_context(const Ctx& ctx, const std::string& where, const oci::Platform& platform);

  Workshop& shop_;
  FarLayers& far_;
  Ctx ctx_;
  const path::BuildRequest& request_;
  const path::LogSink& log_;
  Absent absent_ = Absent::believed;
  std::atomic<bool> missed_files_ = false;
  Dockerfile file_;
  StagePlan plan_;
  oci::Platform platform_, build_platform_;
  std::int64_t epoch_ = default_epoch;
  std::optional<std::string> epoch_text_;  // when it was given by name
  Guarded<std::map<std::string, std::shared_ptr<const Download>>> downloads_;
  oci::Compression compression_ = oci::Compression::gzip;
  IgnoreList ignore_;
  Guarded<std::map<std::string, std::unique_ptr<FileIndex>>> indexes_;  // of folders that are contexts
  Origin context_;
  std::map<std::string, std::string> globals_;
  std::set<std::size_t> needed_, exported_;
  Guarded<std::map<std::size_t, std::shared_ptr<const State>>> finished_;
  std::condition_variable_any stage_done_;
  Guarded<std::set<std::string>> inputs_;
  Guarded<std::set<Material>> materials_;
  Guarded<CacheRecords> records_;
  Guarded<std::map<std::string, std::weak_ptr<void>>> views_;
  std::atomic<int> steps_ = 0, cached_ = 0;
  Guarded<path::Spans> commands_;
};

// Containers of RUN commands are named so.
inline constexpr std::string_view container_prefix = "build-";

oci::Platform host_platform();
// "Sep 1" style things out: 1980-01-02T00:00:00Z.
std::string epoch_text(std::int64_t epoch);
bool is_proxy_arg(std::string_view name);

}  // namespace slipway::image::detail
