#include "oci/layer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "oci/detail/codec.h"

namespace slipway::oci {
namespace {

struct Item {
  std::string path;
  char type = 'f';   // f file, d folder, l link, h hard link, c device, p fifo
  std::string body;  // or target
  unsigned mode = 0644;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

std::string tar_of(const std::vector<Item>& items) {
  std::string out(1 << 20, '\0');
  std::size_t used = 0;
  Owned<archive, archive_write_free> a(archive_write_new());
  archive_write_set_format_pax_restricted(a.get());
  archive_write_set_bytes_per_block(a.get(), 512);
  archive_write_open_memory(a.get(), out.data(), out.size(), &used);
  for (const auto& item : items) {
    Owned<archive_entry, archive_entry_free> e(archive_entry_new());
    archive_entry_set_pathname(e.get(), item.path.c_str());
    archive_entry_set_perm(e.get(), static_cast<mode_t>(item.mode));
    archive_entry_set_mtime(e.get(), 1000, 0);
    archive_entry_set_filetype(e.get(), item.type == 'd'   ? AE_IFDIR
                                        : item.type == 'l' ? AE_IFLNK
                                        : item.type == 'c' ? AE_IFCHR
                                        : item.type == 'p' ? AE_IFIFO
                                                           : AE_IFREG);
    if (item.type == 'l') archive_entry_set_symlink(e.get(), item.body.c_str());
    if (item.type == 'h') archive_entry_set_hardlink(e.get(), item.body.c_str());
    if (item.type == 'c') archive_entry_set_rdev(e.get(), makedev(1, 3));
    if (item.type == 'f') archive_entry_set_size(e.get(), static_cast<la_int64_t>(item.body.size()));
    for (const auto& [key, value] : item.xattrs)
      archive_entry_xattr_add_entry(e.get(), key.c_str(), value.data(), value.size());
    EXPECT_EQ(archive_write_header(a.get(), e.get()), ARCHIVE_OK);
    if (item.type == 'f') archive_write_data(a.get(), item.body.data(), item.body.size());
  }
  archive_write_close(a.get());
  out.resize(used);
  return out;
}

struct Bench {
  TempDir dir = must(TempDir::make());
  std::unique_ptr<store::BlobStore> blobs = must(store::BlobStore::open(dir.path() / "blobs"));
  Ctx ctx;
  fs::path folder(const std::string& name) {
    auto path = dir.path() / name;
    EXPECT_TRUE(make_dirs(path));
    return path;
  }
  Descriptor put(const std::string& bytes) {
    Descriptor d;
    d.digest = must(blobs->put(bytes));
    d.size = bytes.size();
    return d;
  }
};

// The tree as text: "a/b f 644 hello".
std::string show(const fs::path& root) {
  std::vector<std::string> rows;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    struct stat st{};
    ::lstat(entry.path().c_str(), &st);
    auto path = fs::relative(entry.path().parent_path(), root) / entry.path().filename();
    auto name = path.lexically_normal().native();
    if (S_ISDIR(st.st_mode)) {
      char value[2] = {};
      bool opaque = ::lgetxattr(entry.path().c_str(), "trusted.overlay.opaque", value, 2) > 0;
      rows.push_back(fmt::format("{}/{}", name, opaque ? " opaque" : ""));
    } else if (S_ISLNK(st.st_mode)) {
      rows.push_back(name + " -> " + fs::read_symlink(entry.path()).native());
    } else if (S_ISCHR(st.st_mode)) {
      rows.push_back(name + " gone");
    } else {
      rows.push_back(fmt::format("{} {:o} {}", name, st.st_mode & 07777,
                                 st.st_size < 100 ? must(read_file(entry.path())) : fmt::format("({})", st.st_size)));
    }
  }
  std::sort(rows.begin(), rows.end());
  return join(rows, "\n");
}

struct HostileCase {
  const char* name;
  std::vector<Item> items;
  const char* want;  // the tree, or "error: ..." (a part of the message)
};
class Hostile : public testing::TestWithParam<HostileCase> {};
TEST_P(Hostile, IsContained) {
  Bench bench;
  auto secret = bench.folder("outside");
  must(write_file(secret / "passwd", "untouched"));
  auto into = bench.folder("root");
  auto items = GetParam().items;
  for (auto& item : items) item.body = replace_all(item.body, "@", secret.native());
  auto done = unpack_layer(bench.ctx, *bench.blobs, bench.put(tar_of(items)), {}, into, Whiteouts::overlay);
  EXPECT_EQ(show(secret), "passwd 644 untouched");
  std::string want = replace_all(GetParam().want, "@", secret.native());
  if (want.starts_with("error: ")) {
    ASSERT_FALSE(done) << show(into);
    EXPECT_NE(done.error().what().find(want.substr(7)), std::string::npos) << done.error().what();
  } else {
    ASSERT_TRUE(done) << done.error().what();
    EXPECT_EQ(show(into), want);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Table, Hostile,
    testing::Values(
        HostileCase{"DotDot", {{"../passwd", 'f', "x"}}, "error: has a \"..\""},
        HostileCase{"InnerDotDot", {{"a/../../passwd", 'f', "x"}}, "error: has a \"..\""},
        HostileCase{"AbsoluteIsInside", {{"/etc/passwd", 'f', "x"}}, "etc/\netc/passwd 644 x"},
        HostileCase{"LinkThenWriteThrough", {{"a", 'l', "@"}, {"a/passwd", 'f', "x"}}, "error: is no folder"},
        HostileCase{"LinkIsReplacedByFile", {{"passwd", 'l', "@/passwd"}, {"passwd", 'f', "x"}}, "passwd 644 x"},
        HostileCase{"LinkUpStaysInside",
                    {{"d/", 'd'}, {"a", 'l', "../../../../d"}, {"a/f", 'f', "x"}},
                    "a -> ../../../../d\nd/\nd/f 644 x"},
        HostileCase{"HardLinkOutside", {{"h", 'h', "@/passwd"}}, "error: not in the archive"},
        HostileCase{"HardLinkDotDot", {{"h", 'h', "../outside/passwd"}}, "error: has a \"..\""},
        HostileCase{"HardLinkThroughLink", {{"a", 'l', "@"}, {"h", 'h', "a/passwd"}}, "error: not in the archive"},
        HostileCase{"HardLinkToLinkIsTheLink",
                    {{"l", 'l', "@/passwd"}, {"h", 'h', "l"}, {"h", 'f', "x"}},
                    "h 644 x\nl -> @/passwd"},
        HostileCase{"HardLink", {{"a", 'f', "x"}, {"b", 'h', "a"}}, "a 644 x\nb 644 x"},
        HostileCase{"Device", {{"null", 'c'}}, "error: device node"},
        HostileCase{"DeviceInDevIsLeftOut", {{"dev/", 'd'}, {"dev/null", 'c'}}, "dev/"},
        HostileCase{"WhiteoutOfNothing", {{".wh."}}, "error: whiteout of nothing"},
        HostileCase{"WhiteoutOfDotDot", {{"a/.wh..."}}, "error: whiteout of nothing"},
        HostileCase{"Whiteouts",
                    {{"d/", 'd', "", 0755}, {"d/.wh.gone"}, {"d/.wh..wh..opq"}, {"d/.wh..wh.plnk"}, {"e/.wh.x"}},
                    "d/ opaque\nd/gone gone\ne/\ne/x gone"},
        HostileCase{"OverlayXattrsAreDropped",
                    {{"d/", 'd', "", 0755, {{"trusted.overlay.opaque", "y"}, {"user.overlay.opaque", "y"}}}},
                    "d/"},
        HostileCase{"FileThenFolderReplaces", {{"a/b", 'f', "x"}, {"a", 'f', "y"}}, "a 644 y"},
        HostileCase{"FileInTheWay", {{"a", 'f', "x"}, {"a/b", 'f', "y"}}, "error: is no folder"},
        HostileCase{"Setuid", {{"su", 'f', "x", 04755}}, "su 4755 x"}),
    [](const auto& i) { return std::string(i.param.name); });

TEST(Layer, WhiteoutOfDotDotIsRefused) {
  Bench bench;
  auto done = unpack_layer(bench.ctx, *bench.blobs, bench.put(tar_of({{"a/.wh..."}})), {}, bench.folder("root"),
                           Whiteouts::apply);
  EXPECT_FALSE(done);
}

TEST(Layer, AppliesWhiteoutsToAFolder) {
  Bench bench;
  auto into = bench.folder("root");
  must(unpack_layer(bench.ctx, *bench.blobs,
                    bench.put(tar_of({{"a", 'f', "1"}, {"d/x", 'f', "1"}, {"d/y", 'f', "1"}, {"k", 'f', "1"}})), {},
                    into, Whiteouts::apply));
  must(unpack_layer(bench.ctx, *bench.blobs, bench.put(tar_of({{".wh.a"}, {"d/z", 'f', "2"}, {"d/.wh..wh..opq"}})), {},
                    into, Whiteouts::apply));
  EXPECT_EQ(show(into), "d/\nd/z 644 2\nk 644 1");
}

TEST(Layer, RefusesBombs) {
  Bench bench;
  UnpackLimits limits{.bytes = 100, .entries = 3};
  auto unpack = [&](const std::vector<Item>& items) {
    auto done = unpack_layer(bench.ctx, *bench.blobs, bench.put(tar_of(items)), {}, bench.folder("root"),
                             Whiteouts::overlay, limits);
    return done ? std::string("fine") : done.error().what();
  };
  EXPECT_NE(unpack({{"a", 'f', std::string(200, 'x')}}).find("want at most 100"), std::string::npos);
  EXPECT_NE(unpack({{"a", 'f', std::string(60, 'x')}, {"b", 'f', std::string(60, 'x')}}).find("more than 100 bytes"),
            std::string::npos);
  EXPECT_NE(unpack({{"a"}, {"b"}, {"c"}, {"d"}}).find("more than 3 entries"), std::string::npos);
  EXPECT_EQ(unpack({{"a"}, {"b"}, {"c"}}), "fine");
}

// 10 GB of zeros in 10 MB: members of gzip one after the other are one stream (RFC 1952).
TEST(Layer, TenGigabytesOfZerosAreRefused) {
  Bench bench;
  constexpr std::uint64_t size = 10'000'000'000, member = 64'000'000;
  std::string head(4096, '\0');  // outlives the archive, which still pads it when it is freed
  std::size_t used = 0;
  Owned<archive, archive_write_free> a(archive_write_new());
  archive_write_set_format_pax_restricted(a.get());
  archive_write_set_bytes_per_block(a.get(), 512);
  archive_write_open_memory(a.get(), head.data(), head.size(), &used);
  Owned<archive_entry, archive_entry_free> e(archive_entry_new());
  archive_entry_set_pathname(e.get(), "zeros");
  archive_entry_set_filetype(e.get(), AE_IFREG);
  archive_entry_set_size(e.get(), size);
  archive_write_header(a.get(), e.get());
  auto gzip = [](std::string_view bytes) {
    std::string out;
    auto encoder = detail::Encoder(Compression::gzip, [&](std::string_view piece) -> Result<> {
      out += piece;
      return {};
    });
    must(encoder.write(bytes));
    must(encoder.finish());
    return out;
  };
  auto blob = gzip(std::string_view(head).substr(0, used)), zeros = gzip(std::string(member, '\0'));
  for (std::uint64_t at = 0; at < size; at += member) blob += zeros;
  auto done = unpack_layer(bench.ctx, *bench.blobs, bench.put(blob), {}, bench.folder("root"), Whiteouts::overlay);
  ASSERT_FALSE(done) << blob.size();
  EXPECT_NE(done.error().what().find("/zeros: 10000000000 bytes, want at most "), std::string::npos)
      << done.error().what();
  EXPECT_NE(done.error().print().find("200 times as large as its blob"), std::string::npos) << done.error().print();
  EXPECT_FALSE(path_exists(bench.dir.path() / "root/zeros"));
}

TEST(Layer, SaysWhenBytesAreNotTheDiffId) {
  Bench bench;
  auto tar = tar_of({{"a", 'f', "x"}});
  auto d = bench.put(tar);
  EXPECT_TRUE(unpack_layer(bench.ctx, *bench.blobs, d, Digest::of(tar), bench.folder("1"), Whiteouts::overlay));
  auto wrong = unpack_layer(bench.ctx, *bench.blobs, d, Digest::of("other"), bench.folder("2"), Whiteouts::overlay);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind(), Kind::corrupt);
}

TEST(Layer, BrokenStreamsAreCorrupt) {
  Bench bench;
  must(write_file(bench.folder("up") / "f", std::string(100'000, 'y')));
  for (auto compression : {Compression::gzip, Compression::zstd}) {
    auto packed = must(pack_layer(bench.ctx, *bench.blobs, bench.dir.path() / "up", {.compression = compression}));
    auto bytes = must(bench.blobs->read(packed.descriptor.digest));
    for (auto keep : {bytes.size() / 2, bytes.size() - 4}) {
      auto cut_off = unpack_layer(bench.ctx, *bench.blobs, bench.put(bytes.substr(0, keep)), packed.diff_id,
                                  bench.folder("out"), Whiteouts::overlay);
      EXPECT_FALSE(cut_off) << static_cast<int>(compression) << " " << keep;
    }
  }
}

class PackRoundTrip : public testing::TestWithParam<Compression> {};
TEST_P(PackRoundTrip, GivesTheSameTree) {
  Bench bench;
  auto up = bench.folder("up");
  must(make_dirs(up / "d/sub"));
  must(write_file(up / "d/f", "hello", 0640));
  must(write_file(up / "big", std::string(3'000'000, 'z')));
  must(write_file(up / std::string(150, 'n'), "long name"));
  must(write_file(up / "ünïcode", "u"));
  fs::create_symlink("../f", up / "d/l");
  fs::create_hard_link(up / "d/f", up / "h");
  ASSERT_EQ(::mknod((up / "gone").c_str(), S_IFCHR, 0), 0);
  ASSERT_EQ(::setxattr((up / "d/sub").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  ASSERT_EQ(::setxattr((up / "big").c_str(), "user.note", "n", 1, 0), 0);
  auto one = must(pack_layer(bench.ctx, *bench.blobs, up, {.compression = GetParam(), .mtime = 1000}));
  auto out = bench.folder("out");
  must(unpack_layer(bench.ctx, *bench.blobs, one.descriptor, one.diff_id, out, Whiteouts::overlay));
  EXPECT_EQ(show(out), show(up));
  struct stat st{};
  ASSERT_EQ(::stat((out / "h").c_str(), &st), 0);
  EXPECT_EQ(st.st_nlink, 2u);
  EXPECT_EQ(st.st_mtime, 1000);
  char note[8] = {};
  EXPECT_EQ(::getxattr((out / "big").c_str(), "user.note", note, 8), 1);
  // Unpacked and packed again, and only hashed: the same digest.
  auto two = must(pack_layer(bench.ctx, *bench.blobs, out, {.compression = GetParam(), .mtime = 1000}));
  EXPECT_EQ(two.descriptor.digest, one.descriptor.digest);
  EXPECT_EQ(must(diff_id_of(bench.ctx, out, {.mtime = 1000})), one.diff_id);
}
INSTANTIATE_TEST_SUITE_P(All, PackRoundTrip, testing::Values(Compression::none, Compression::gzip, Compression::zstd));

TEST(Layer, TarReadsWhatIsPacked) {
  Bench bench;
  auto up = bench.folder("up");
  must(write_file(up / std::string(120, 'a'), "1"));
  must(write_file(up / "ünïcode", "u"));
  auto packed = must(pack_layer(bench.ctx, *bench.blobs, up));
  auto list = must(run_ok(bench.ctx, {.argv = {"tar", "tzf", bench.blobs->path(packed.descriptor.digest).native()},
                                      .extra_env = {{"LC_ALL", "C.UTF-8"}}}));
  EXPECT_EQ(list, std::string(120, 'a') + "\nünïcode\n");
}

TEST(Layer, GnuTarIsRead) {
  Bench bench;
  auto up = bench.folder("up");
  must(write_file(up / "ünïcode", "u"));
  must(write_file(up / std::string(180, 'b'), "long"));
  must(write_file(up / "latin\xe9", "l"));
  auto sparse = Fd(::open((up / "sparse").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::pwrite(sparse.get(), "end", 3, 5'000'000), 3);
  for (const char* format : {"--format=gnu", "--format=pax"}) {
    auto file = bench.dir.path() / "x.tar.gz";
    must(run_ok(bench.ctx, {.argv = {"tar", "-C", up.native(), format, "-S", "-czf", file.native(), "."}}));
    auto out = bench.folder(format);
    must(unpack_layer(bench.ctx, *bench.blobs, bench.put(must(read_file(file))), {}, out, Whiteouts::overlay));
    EXPECT_EQ(show(out), show(up)) << format;
  }
}

TEST(Layer, DropsWhiteoutsThatHideNothing) {
  Bench bench;
  auto up = bench.folder("up"), lower = bench.folder("lower");
  must(make_dirs(up / "new"));
  must(make_dirs(up / "old"));
  must(make_dirs(lower / "old"));
  for (auto name : {"new", "old"}) ASSERT_EQ(::setxattr((up / name).c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  ASSERT_EQ(::mknod((up / "never").c_str(), S_IFCHR, 0), 0);
  auto packed = must(pack_layer(bench.ctx, *bench.blobs, up, {.below = {lower}}));
  auto out = bench.folder("out");
  must(unpack_layer(bench.ctx, *bench.blobs, packed.descriptor, packed.diff_id, out, Whiteouts::overlay));
  EXPECT_EQ(show(out), "new/\nold/ opaque");
}

TEST(Layer, Archives) {
  Bench bench;
  auto up = bench.folder("up");
  must(write_file(up / ".wh.keeps", "1"));
  for (const char* flag : {"-cf", "-czf", "-cjf", "-cJf"}) {
    auto file = bench.dir.path() / "x.tar";
    must(run_ok(bench.ctx, {.argv = {"tar", "-C", up.native(), flag, file.native(), "."}}));
    EXPECT_TRUE(must(is_archive(file))) << flag;
    auto out = bench.folder(flag);
    must(unpack_archive(bench.ctx, file, out));
    EXPECT_EQ(show(out), ".wh.keeps 644 1") << flag;
  }
  must(write_file(bench.dir.path() / "text.gz", "plain"));
  EXPECT_FALSE(must(is_archive(bench.dir.path() / "text.gz")));
}

TEST(LayerCache, UnpacksOnceForManyThreads) {
  Bench bench;
  auto tar = tar_of({{"a", 'f', "x"}});
  auto d = bench.put(tar);
  auto cache = must(LayerCache::open(*bench.blobs, bench.dir.path() / "layers"));
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] { good += cache->folder(bench.ctx, d, Digest::of(tar)).has_value() ? 1 : 0; });
  for (auto& t : threads) t.join();
  EXPECT_EQ(good, 8);
  EXPECT_EQ(show(*cache->find(Digest::of(tar))), "a 644 x");
  must(cache->remove(Digest::of(tar)));
  EXPECT_FALSE(cache->find(Digest::of(tar)));
}

TEST(LayerCache, ForgetsWhatAPowerLossMayHaveHalved) {
  Bench bench;
  auto root = bench.dir.path() / "layers";
  auto tar = tar_of({{"a", 'f', "x"}}), later = tar_of({{"b", 'f', "y"}});
  auto open = [&](LayerCache::Ending ending = LayerCache::Ending::all_synced) {
    return must(LayerCache::open(*bench.blobs, root, ending));
  };
  auto reboot = [&] { must(write_file(root / "boot", "another")); };
  must(open()->folder(bench.ctx, bench.put(tar), Digest::of(tar)));
  must(make_dirs(root / "tmp.half"));
  EXPECT_TRUE(open()->find(Digest::of(tar)));
  EXPECT_FALSE(path_exists(root / "tmp.half"));
  reboot();
  EXPECT_TRUE(open()->find(Digest::of(tar)));  // its ending has synced it
  must(open(LayerCache::Ending::quick)->folder(bench.ctx, bench.put(later), Digest::of(later)));
  EXPECT_TRUE(open()->find(Digest::of(later)));  // also after a kill, in the same boot
  reboot();
  auto cache = open();
  EXPECT_TRUE(cache->find(Digest::of(tar)));
  EXPECT_FALSE(cache->find(Digest::of(later)));
}

TEST(LayerCache, SyncsWhatNoBlobBringsBack) {
  Bench bench;
  auto root = bench.dir.path() / "layers";
  auto folder = bench.dir.path() / "made";
  must(make_dirs(folder));
  auto id = Digest::of("it");
  must(must(LayerCache::open(*bench.blobs, root, LayerCache::Ending::quick))
           ->adopt(folder, id, LayerCache::Source::none));
  must(write_file(root / "boot", "another"));
  EXPECT_TRUE(must(LayerCache::open(*bench.blobs, root))->find(id));
}

}  // namespace
}  // namespace slipway::oci
