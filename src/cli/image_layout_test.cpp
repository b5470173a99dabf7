#include "oci/layout.h"

#include <gtest/gtest.h>

#include "base/process.h"
#include "base/testing/golden.h"
#include "image/scratch.h"

namespace slipway::cli {
namespace {

struct Place {
  TempDir folder = must(TempDir::make("layout"));
  std::unique_ptr<store::BlobStore> blobs = must(store::BlobStore::open(folder.path() / "blobs"));
  std::unique_ptr<oci::Registry> registry = must(oci::Registry::open(*blobs, folder.path() / "registry.db"));
};

class Layout : public testing::Test {
 protected:
  Layout() {
    must(make_dirs(from_.folder.path() / "root/etc"));
    must(write_file(from_.folder.path() / "root/etc/motd", std::string(70'000, 'm')));
    oci::Config config;
    config.cmd = {"/bin/true"};
    digest_ = must(image::import_folder(ctx_, *from_.registry, "shop/web", "1", from_.folder.path() / "root", config));
  }
  Result<> write(const fs::path& to) {
    return oci::write_layout(ctx_, *from_.registry, "shop/web", "1", "shop/web:1", to);
  }
  Result<std::vector<oci::Descriptor>> read(const fs::path& layout) {
    return oci::read_layout(ctx_, *to_.registry, layout, "other/web", "2");
  }

  Ctx ctx_;
  Place from_, to_;
  Digest digest_;
};

TEST_F(Layout, AnImageComesBackFromATarAndFromAFolder) {
  for (const char* name : {"web.tar", "web"}) {
    Place there;
    auto layout = from_.folder.path() / name;
    must(write(layout));
    auto read = must(read_layout(ctx_, *there.registry, layout, "other/web", "2"));
    ASSERT_EQ(read.size(), 1U);
    EXPECT_EQ(read[0].digest, digest_) << name;
    auto image = must(there.registry->image("other/web", "2"));
    EXPECT_EQ(image.config.cmd, std::vector<std::string>{"/bin/true"});
    EXPECT_TRUE(there.blobs->contains(image.manifest.layers.at(0).digest));
  }
}

TEST_F(Layout, TheSameImageIsTheSameTar) {
  must(write(from_.folder.path() / "a.tar"));
  must(write(from_.folder.path() / "b.tar"));
  EXPECT_EQ(Digest::of(must(read_file(from_.folder.path() / "a.tar"))),
            Digest::of(must(read_file(from_.folder.path() / "b.tar"))));
}

TEST_F(Layout, TarReadsIt) {
  if (!find_program("tar")) GTEST_SKIP() << "there is no tar on this machine";
  must(write(from_.folder.path() / "web.tar"));
  auto listed = must(run_ok(ctx_, {.argv = {"tar", "tf", (from_.folder.path() / "web.tar").native()}}));
  EXPECT_TRUE(listed.contains("oci-layout\n")) << listed;
  EXPECT_TRUE(listed.contains("index.json\n")) << listed;
}

TEST_F(Layout, WhatIsThereIsNotOverwritten) {
  must(write(from_.folder.path() / "web.tar"));
  for (const char* name : {"web.tar", "root"}) {
    auto again = write(from_.folder.path() / name);
    ASSERT_FALSE(again) << name;
    EXPECT_TRUE(again.error().is(Kind::conflict));
  }
}

TEST_F(Layout, ABlobThatIsNotWhatItsNameSaysIsRefused) {
  auto layout = from_.folder.path() / "web";
  must(write(layout));
  auto image = must(from_.registry->image("shop/web", "1"));
  auto layer = image.manifest.layers.at(0).digest;
  must(write_file(layout / "blobs" / layer.algorithm() / layer.hex(), "something else"));
  auto wrong = read(layout);
  ASSERT_FALSE(wrong);
  EXPECT_TRUE(wrong.error().is(Kind::corrupt)) << wrong.error().what();
  EXPECT_FALSE(must(to_.registry->manifest("other/web", "2")));
}

TEST_F(Layout, AFolderThatIsNoLayoutIsRefused) {
  auto wrong = read(from_.folder.path() / "root");
  ASSERT_FALSE(wrong);
  EXPECT_TRUE(wrong.error().is(Kind::invalid));
  EXPECT_FALSE(read(from_.folder.path() / "nowhere"));
}

}  // namespace
}  // namespace slipway::cli
