// kill -9 five hundred times (SLIPWAY_KILLS: as often as asked, each) while images are built: what was acknowledged is
// there with the right bytes, nothing partial shows, and the next build gives what a fresh one gives.
#include <unistd.h>

#include <random>

#include "base/log.h"
#include "base/process.h"
#include "image/testing/house.h"

namespace slipway::image {
namespace {

constexpr const char* folder_of_child = "SLIPWAY_KILL_TEST_FOLDER";
constexpr unsigned recipes = 300;

path::BuildRequest recipe(House& house, unsigned number) {
  auto r = house.request(
      fmt::format("FROM base/busybox:1 AS one\nRUN echo {0} > /a; head -c {1} /dev/zero > /z\nCOPY in /in\n"
                  "RUN cat /in/* /a > /all\nFROM base/busybox:1\nCOPY --from=one /all /all\nCOPY in/1 /x/{0}/\n"
                  "RUN rm /all; mkdir /c\n",
                  number, 1000 * (number % 7 == 0 ? 1500 : 1)));
  r.tags = {fmt::format("r{}", number)};
  return r;
}

void fill(House& house) {
  if (!must(house.registry->manifest("base/busybox", "1"))) house.base();
  for (int n = 0; n < 20; ++n) house.file(fmt::format("in/{}", n), std::string(2'000, static_cast<char>('a' + n)));
}

void say(const std::string& line) {
  auto text = line + "\n";
  (void)!::write(STDOUT_FILENO, text.data(), text.size());  // at once, and in one piece
}

// The child's life: until it is killed.
[[noreturn]] void live(const char* folder) {
  set_log_level(Level::error);
  House house(House::With::runtime, folder);
  fill(house);
  must(clean_up_after_crash(*house.runtime));
  std::mt19937 random(std::random_device{}());
  for (;;) {
    auto number = random() % recipes;
    auto r = recipe(house, number);
    r.no_cache = random() % 4 == 0;
    auto done = house.build(r);
    say(done ? fmt::format("built r{} {}", number, done->digest.str()) : "failed " + done.error().print());
  }
}

// What the child said, and so must be.
class Told {
 public:
  void hear(std::string_view text) {
    left_ += text;
    for (std::size_t end; (end = left_.find('\n')) != std::string::npos; left_.erase(0, end + 1)) {
      auto line = left_.substr(0, end);
      auto words = split(line, ' ');
      if (words.size() == 3 && words[0] == "built") {
        auto [it, fresh] = built_.emplace(words[1], words[2]);
        EXPECT_EQ(it->second, words[2]) << words[1] << ": the same inputs, another digest";
        recent_.insert(std::string(words[1]));
        ++acknowledged;
      }
      EXPECT_NE(words[0], "failed") << line;
    }
  }
  void killed() { left_.clear(); }
  // What was said since the last time, or all of it; and whatever else is shown can be read whole.
  enum class Which { recent, all };
  void verify(const House& house, Which which) {
    for (const auto& [tag, digest] : built_) {
      if (which == Which::recent && !recent_.contains(tag)) continue;
      auto stored = must(house.registry->manifest("shop/web", tag));
      ASSERT_TRUE(stored) << tag << " is lost";
      ASSERT_EQ(stored->descriptor.digest.str(), digest) << tag;
    }
    recent_.clear();
    auto tags = must(house.registry->tags("shop/web"));
    for (std::size_t n = which == Which::all || tags.size() < 20 ? 0 : tags.size() - 20; n < tags.size(); ++n) {
      auto image = house.registry->image("shop/web", tags[n]);
      ASSERT_TRUE(image) << tags[n] << ": " << image.error().what();
      for (const auto& layer : image->manifest.layers) {
        auto bytes = house.blobs->read(layer.digest);
        ASSERT_TRUE(bytes) << tags[n] << ": " << bytes.error().what();
        ASSERT_EQ(Digest::of(*bytes), layer.digest);
      }
    }
  }
  const std::map<std::string, std::string>& built() const { return built_; }
  std::size_t acknowledged = 0;

 private:
  std::string left_;
  std::map<std::string, std::string> built_;  // tag to digest
  std::set<std::string> recent_;
};

// Kills a child in the middle of whatever it is doing.
void one_life(const fs::path& folder, Told& told, std::mt19937& random) {
  auto pipe = must(make_pipe());
  auto child =
      must(Child::start({.argv = {"/proc/self/exe", "--gtest_filter=Five/Kill.SLOW_BuildsLeaveAConsistentStore/0"},
                         .extra_env = {{folder_of_child, folder.native()}}},
                        {.in = -1, .out = pipe.write.get(), .err = -1}));
  pipe.write.reset();
  std::string buffer(1 << 16, '\0');
  auto enough = told.acknowledged + random() % 4;  // none: while it opens what the last one left
  while (told.acknowledged < enough) {
    auto n = ::read(pipe.read.get(), buffer.data(), buffer.size());
    ASSERT_GT(n, 0) << "the child ended by itself";
    told.hear({buffer.data(), static_cast<std::size_t>(n)});
  }
  must(sleep(Ctx{}, Millis(random() % 60)));
  child.signal(SIGKILL);
  (void)child.wait(Ctx{});
  for (ssize_t n; (n = ::read(pipe.read.get(), buffer.data(), buffer.size())) > 0;)
    told.hear({buffer.data(), static_cast<std::size_t>(n)});
  told.killed();
}

// Five hundred in all, side by side.
class Kill : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Five, Kill, testing::Range(0, 5));
TEST_P(Kill, SLOW_BuildsLeaveAConsistentStore) {
  if (const char* folder = std::getenv(folder_of_child)) live(folder);
  House fresh(House::With::runtime);
  NEEDS_RUNTIME(fresh);
  fill(fresh);
  auto dir = must(TempDir::make("slipway-kill-build"));
  auto folder = dir.path() / "house";
  const char* asked = std::getenv("SLIPWAY_KILLS");
  const auto kills = to_int(asked != nullptr ? asked : "100").value_or(100);
  std::mt19937 random(std::random_device{}());
  Told told;
  for (std::int64_t kill = 0; kill < kills; ++kill) {
    one_life(folder, told, random);
    told.verify(House(House::With::files, folder), Told::Which::recent);
    if (HasFailure()) FAIL() << "after kill " << kill;
  }
  House house(House::With::runtime, folder);
  fill(house);
  must(clean_up_after_crash(*house.runtime));
  EXPECT_EQ(join(must(house.runtime->survivors()), " "), "");
  std::size_t same = 0;
  for (const auto& [tag, digest] : told.built()) {
    if (++same > 20) break;
    auto number = static_cast<unsigned>(to_int(tag.substr(1)).value_or(0));
    EXPECT_EQ(must(house.build(recipe(house, number))).digest.str(), digest);
    EXPECT_EQ(must(fresh.build(recipe(fresh, number))).digest.str(), digest);
  }
  told.verify(house, Told::Which::all);
  EXPECT_TRUE(must(list_dir(folder / "build/steps")).empty());
  EXPECT_TRUE(must(list_dir(folder / "blobs/tmp")).empty());
  EXPECT_FALSE(must(read_file("/proc/self/mountinfo")).contains(folder.native()));
  std::printf("%lld kills: %zu builds acknowledged, of %zu recipes\n", static_cast<long long>(kills), told.acknowledged,
              told.built().size());
}

}  // namespace
}  // namespace slipway::image
