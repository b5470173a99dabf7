#include "image/detail/file_index.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <ctime>

#include "base/testing/golden.h"

namespace slipway::image::detail {
namespace {

struct Bench {
  TempDir dir = must(TempDir::make());
  fs::path kept = dir.path() / "kept/index";

  FileIndex open() { return FileIndex(kept); }
  // As it was an hour ago, unless it says otherwise.
  struct stat put(const std::string& name, const std::string& text, std::int64_t age = 3600) {
    must(write_file(dir.path() / name, text));
    struct stat st{};
    EXPECT_EQ(::stat((dir.path() / name).c_str(), &st), 0);
    st.st_ctim = {.tv_sec = std::time(nullptr) - age, .tv_nsec = 5};
    return st;
  }
  std::string read(FileIndex& index, const std::string& name, const struct stat& st) {
    return must(index.digest(name, st, Fd(::open((dir.path() / name).c_str(), O_RDONLY | O_CLOEXEC))));
  }
};

std::string hash_of(std::string_view text) { return Hasher().update(text).finish_raw(); }

TEST(FileIndex, RemembersWhatLooksTheSame) {
  Bench bench;
  auto st = bench.put("a", "text");
  {
    auto index = bench.open();
    EXPECT_FALSE(index.known("a", st));
    EXPECT_EQ(bench.read(index, "a", st), hash_of("text"));
    index.save();
  }
  auto index = bench.open();
  EXPECT_EQ(index.known("a", st), hash_of("text"));
  EXPECT_FALSE(index.known("b", st));
  for (auto change : {+[](struct stat& s) { ++s.st_size; }, +[](struct stat& s) { ++s.st_ino; },
                      +[](struct stat& s) { ++s.st_dev; }, +[](struct stat& s) { ++s.st_mtim.tv_nsec; },
                      +[](struct stat& s) { ++s.st_ctim.tv_nsec; }, +[](struct stat& s) { ++s.st_ctim.tv_sec; }}) {
    auto other = st;
    change(other);
    EXPECT_FALSE(index.known("a", other));
  }
}

// Changed in this very moment, it may change again without a new time.
TEST(FileIndex, DoesNotTrustTheClocksLastTick) {
  Bench bench;
  auto st = bench.put("a", "text", -60);
  auto index = bench.open();
  EXPECT_EQ(bench.read(index, "a", st), hash_of("text"));
  EXPECT_FALSE(index.known("a", st));
}

// Two Dockerfiles that copy different parts of one context do not drive each other out.
TEST(FileIndex, KeepsWhatThisBuildDidNotAskFor) {
  Bench bench;
  auto a = bench.put("a", "1"), b = bench.put("b", "2");
  auto one = bench.open();
  bench.read(one, "a", a), one.save();
  auto two = bench.open();
  bench.read(two, "b", b), two.save();
  EXPECT_TRUE(bench.open().known("a", a));
  EXPECT_TRUE(bench.open().known("b", b));
}

TEST(FileIndex, BeginsAnewWhenItsFileIsBroken) {
  Bench bench;
  auto st = bench.put("a", "text");
  auto index = bench.open();
  bench.read(index, "a", st), index.save();
  auto whole = must(read_file(bench.kept));
  auto flipped = whole;
  flipped[40] ^= 1;
  for (const auto& text : {whole.substr(0, whole.size() - 1), whole.substr(0, 20), std::string("slipway-files-2\n"),
                           std::string(whole.size(), '\0'), flipped, std::string()}) {
    must(write_file(bench.kept, text));
    EXPECT_FALSE(bench.open().known("a", st));
  }
}

}  // namespace
}  // namespace slipway::image::detail
