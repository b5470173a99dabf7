// kill -9 five hundred times while images are pushed, tags move, manifests go and garbage is collected: what was
// acknowledged is there, with the right bytes.
#include <fcntl.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "base/log.h"
#include "base/process.h"
#include "base/testing/clock.h"
#include "base/text.h"
#include "oci/testing/host.h"

namespace slipway::oci {
namespace {

constexpr const char* folder_of_child = "SLIPWAY_KILL_TEST_FOLDER";

// A body that is there already.
class Bytes : public net::BodyReader {
 public:
  explicit Bytes(std::string_view bytes) : left_(bytes) {}
  Result<std::size_t> read(const Ctx&, std::span<char> buffer) override {
    auto n = std::min({buffer.size(), left_.size(), std::size_t{700}});  // in pieces: killed between them
    std::copy_n(left_.begin(), n, buffer.begin());
    left_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view left_;
};

class Person {
 public:
  Person(net::Handler handler, int who, std::uint32_t seed) : handler_(std::move(handler)), who_(who), random_(seed) {}

  // One image: pushed in one way or another, named, perhaps taken away again. Every acknowledged step is a line.
  void work() {
    auto repository = fmt::format("r{}", who_);
    auto tag = fmt::format("t{}", random_() % 4);
    std::string layer = random_() % 2 == 0 ? fmt::format("shared {}", random_() % 6)
                                           : std::string(1 + random_() % 5000, static_cast<char>('a' + random_() % 26));
    if (!push(repository, layer) || !push(repository, "{}")) return;
    auto bytes = fmt::format(
        R"({{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":2}},"layers":[{{"mediaType":"{}","digest":"{}","size":{}}}],"annotations":{{"n":"{}"}}}})",
        media::manifest, media::config, Digest::of("{}").str(), media::layer_tar, Digest::of(layer).str(), layer.size(),
        random_());
    auto digest = Digest::of(bytes).str();
    say("moves " + repository + " " + tag);  // from here on it may be the old or the new one
    if (ask("PUT", fmt::format("/v2/{}/manifests/{}", repository, tag), bytes) != 201) return;
    say(fmt::format("is {} {} {}", repository, tag, digest));
    if (random_() % 3 != 0) return;
    say(fmt::format("goes {} {}", repository, digest));
    if (ask("DELETE", fmt::format("/v2/{}/manifests/{}", repository, digest)) == 202)
      say(fmt::format("gone {} {}", repository, digest));
  }

 private:
  bool push(const std::string& repository, const std::string& bytes) {
    auto named = "digest=" + Digest::of(bytes).str();
    auto uploads = fmt::format("/v2/{}/blobs/uploads/", repository);
    if (ask("HEAD", fmt::format("/v2/{}/blobs/{}", repository, Digest::of(bytes).str())) == 200) return true;
    if (random_() % 2 == 0) return ask("POST", uploads + "?" + named, bytes) == 201;
    if (ask("POST", uploads) != 202) return false;
    auto at = location_;
    if (ask("PATCH", at, bytes.substr(0, bytes.size() / 2)) != 202) return false;
    return ask("PUT", at + "?" + named, bytes.substr(bytes.size() / 2)) == 201;
  }
  int ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    net::Request request;
    request.method = method;
    auto query = target.find('?');
    request.path = target.substr(0, query);
    if (query != std::string::npos) request.query = net::parse_query(std::string_view(target).substr(query + 1));
    if (method == "PUT") request.headers.set("Content-Type", query == std::string::npos ? media::manifest : "x/y");
    Bytes reader(body);
    request.body = &reader;
    auto response = handler_(Ctx{}, request);
    location_ = response.headers.get_or("location", "");
    return response.status;
  }
  static void say(const std::string& line) {
    auto text = line + "\n";
    (void)!::write(STDOUT_FILENO, text.data(), text.size());  // at once, and in one piece
  }

  net::Handler handler_;
  int who_;
  std::mt19937 random_;
  std::string location_;
};

// The child's life: until it is killed.
[[noreturn]] void live(const char* folder) {
  fs::path root(folder);
  auto blobs = must(store::BlobStore::open(root / "blobs"));
  auto registry = must(Registry::open(*blobs, root / "registry.db"));
  set_log_level(Level::error);
  std::vector<std::thread> threads;
  std::random_device device;
  for (int who = 0; who < 3; ++who)
    threads.emplace_back([&, who, seed = device()] {
      for (Person person(registry->routes(), who, seed);;) person.work();
    });
  // In every third life without any grace: then who pushes is often told to begin again, and still loses nothing.
  auto grace = Millis(device() % 3 == 0 ? 0 : 1000);
  for (;;) (void)registry->collect_garbage(Ctx{}, {.grace = grace});
}

// What people were told, and so must be.
class Told {
 public:
  void hear(std::string_view text) {
    left_ += text;
    for (std::size_t end; (end = left_.find('\n')) != std::string::npos; left_.erase(0, end + 1))
      line(left_.substr(0, end));
  }
  // A child's last line may be cut off; what it was about to do may have happened or not.
  void killed() { left_.clear(); }

  void verify(store::BlobStore& blobs, const Registry& registry) {
    for (const auto& [name, digest] : is_) {
      auto [repository, tag] = *cut(std::string_view(name), " ");
      auto stored = must(registry.manifest(repository, tag));
      ASSERT_TRUE(stored) << name << " is lost";
      ASSERT_EQ(stored->descriptor.digest.str(), digest) << name;
      ++checked;
    }
    // Whatever is shown can be read whole, acknowledged or not.
    for (const auto& repository : must(registry.repositories()))
      for (const auto& tag : must(registry.tags(repository))) {
        auto image = registry.image(repository, tag);
        ASSERT_TRUE(image) << repository << ":" << tag << ": " << image.error().what();
        for (const auto& layer : image->manifest.layers) {
          auto bytes = blobs.read(layer.digest);
          ASSERT_TRUE(bytes) << repository << ":" << tag << ": " << bytes.error().what();
          ASSERT_EQ(Digest::of(*bytes), layer.digest);
        }
      }
  }
  std::size_t checked = 0, acknowledged = 0;

 private:
  void line(const std::string& text) {
    auto words = split(text, ' ');
    if (words.size() < 3 || words[1].substr(0, 1) != "r") return;  // not ours: gtest's
    auto repository = std::string(words[1]);
    if (words[0] == "moves") {
      is_.erase(repository + " " + std::string(words[2]));
    } else if (words[0] == "is" && words.size() == 4) {
      is_[repository + " " + std::string(words[2])] = words[3];
      ++acknowledged;
    } else if (words[0] == "goes") {
      std::erase_if(is_, [&](const auto& entry) {
        return entry.first.starts_with(repository + " ") && entry.second == words[2];
      });
    }
  }
  std::string left_;
  std::map<std::string, std::string> is_;  // "repository tag" to digest
};

TEST(Kill, SLOW_LosesNothing) {
  if (const char* folder = std::getenv(folder_of_child)) live(folder);
  auto dir = must(TempDir::make("slipway-kill"));
  const char* asked = std::getenv("SLIPWAY_KILLS");
  const auto kills = to_int(asked != nullptr ? asked : "500").value_or(500);
  std::mt19937 random(std::random_device{}());
  Told told;
  for (std::int64_t kill = 0; kill < kills; ++kill) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    Fd reader(ends[0]), writer(ends[1]);
    auto child = must(Child::start({.argv = {"/proc/self/exe", "--gtest_filter=Kill.SLOW_LosesNothing"},
                                    .extra_env = {{folder_of_child, dir.path().native()}}},
                                   {.in = -1, .out = writer.get(), .err = -1}));
    writer.reset();
    std::string buffer(1 << 16, '\0');
    // So many words of it, then the end: at whatever it is doing.
    auto enough = told.acknowledged + random() % 4;
    while (told.acknowledged < enough) {
      auto n = ::read(reader.get(), buffer.data(), buffer.size());
      ASSERT_GT(n, 0) << "the child ended by itself";
      told.hear({buffer.data(), static_cast<std::size_t>(n)});
    }
    must(sleep(Ctx{}, Millis(random() % 5)));
    child.signal(SIGKILL);
    (void)child.wait(Ctx{});
    for (ssize_t n; (n = ::read(reader.get(), buffer.data(), buffer.size())) > 0;)
      told.hear({buffer.data(), static_cast<std::size_t>(n)});
    told.killed();
    auto blobs = must(store::BlobStore::open(dir.path() / "blobs"));
    auto registry = must(Registry::open(*blobs, dir.path() / "registry.db"));
    told.verify(*blobs, *registry);
    if (HasFatalFailure()) FAIL() << "after kill " << kill;
  }
  // Nothing is left over: with every name gone, so are all bytes.
  auto rules = std::make_shared<const RegistryRules>(
      must(parse_registry_rules("keep:\n- {repositories: '*', newest: 0, untagged: 0s}", "rules")));
  auto blobs = must(store::BlobStore::open(dir.path() / "blobs"));
  auto registry =
      must(Registry::open(*blobs, dir.path() / "registry.db",
                          {.sign_in = {}, .rules = [&] { return rules; }, .token_key_pem = {}, .pushed = {}}));
  FakeClock clock;
  clock.advance(std::chrono::duration_cast<Millis>(std::chrono::system_clock::now() - clock.wall()) + Millis(5000));
  Ctx later;
  later.clock = &clock;
  must(registry->expire(later));
  auto freed = must(registry->collect_garbage(later, {.grace = Millis(0), .uploads = Millis(0)}));
  std::size_t left = 0;
  must(blobs->for_each([&](const Digest&, std::uint64_t) { ++left; }));
  EXPECT_EQ(left, 0u);
  EXPECT_TRUE(must(list_dir(dir.path() / "registry.db-uploads")).empty());
  RecordProperty("acknowledged", static_cast<int>(told.acknowledged));
  RecordProperty("checked", static_cast<int>(told.checked));
  std::printf("%lld kills: %zu pushes acknowledged, %zu looked up, %zu blobs and %zu uploads freed at the end\n",
              static_cast<long long>(kills), told.acknowledged, told.checked, freed.removed, freed.uploads);
}

}  // namespace
}  // namespace slipway::oci
