#include "oci/reference.h"

#include "base/testing/golden.h"
#include "oci/image.h"

namespace slipway::oci {
namespace {

struct Case {
  const char *name, *text, *want;
};
class ParseReference : public testing::TestWithParam<Case> {};
TEST_P(ParseReference, Gives) {
  auto got = parse_reference(GetParam().text);
  EXPECT_EQ(got ? got->print() : "error: " + got.error().what(), GetParam().want);
}
constexpr const char* digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
INSTANTIATE_TEST_SUITE_P(
    Table, ParseReference,
    testing::ValuesIn(std::to_array<Case>({
        {"ShortName", "web", "docker.io/library/web:latest"},
        {"ShortNameWithTag", "web:1.2", "docker.io/library/web:1.2"},
        {"UserName", "ann/web", "docker.io/ann/web:latest"},
        {"LegacyHost", "index.docker.io/web", "docker.io/library/web:latest"},
        {"Localhost", "localhost/web", "localhost/web:latest"},
        {"Port", "reg:5000/a/b/c:x", "reg:5000/a/b/c:x"},
        {"TagNotPort", "reg:5000", "docker.io/library/reg:5000"},
        {"Ipv6", "[::1]:5000/web", "[::1]:5000/web:latest"},
        {"Digest", "a.io/b@sha256:0000000000000000000000000000000000000000000000000000000000000000",
         "a.io/b@sha256:0000000000000000000000000000000000000000000000000000000000000000"},
        {"TagAndDigest", "a.io/b:t@sha256:0000000000000000000000000000000000000000000000000000000000000000",
         "a.io/b:t@sha256:0000000000000000000000000000000000000000000000000000000000000000"},
        {"Separators", "a.io/b__c/d---e/f.g_h", "a.io/b__c/d---e/f.g_h:latest"},
        {"Empty", "", "error: image reference is empty"},
        {"Upper", "a.io/Web",
         "error: image reference \"a.io/Web\": want lower-case letters, digits and single separators at offset 5"},
        {"TwoDots", "a..b",
         "error: image reference \"a..b\": want lower-case letters, digits and single separators at offset 2"},
        {"TrailingSlash", "a.io/b/",
         "error: image reference \"a.io/b/\": want lower-case letters, digits and single separators at offset 7"},
        {"DotDot", "a.io/../b",
         "error: image reference \"a.io/../b\": want lower-case letters, digits and single separators at offset 5"},
        {"BadTag", "web:-x",
         "error: image reference \"web:-x\": want a tag of letters, digits, '_', '.', '-' (at most 128) at offset 4"},
        {"BadDigest", "web@sha256:00",
         "error: image reference \"web@sha256:00\": want sha256:<64 hex digits> after '@' at offset 4"},
        {"BadPort", "reg:x/web",
         "error: image reference \"reg:x/web\": want host[:port] before the first '/' at offset 0"},
    })),
    [](const auto& i) { return i.param.name; });

TEST(Reference, DefaultHostReplacesDockers) {
  EXPECT_EQ(must(parse_reference("shop/web", "127.0.0.1:5000")).print(), "127.0.0.1:5000/shop/web:latest");
  EXPECT_EQ(must(parse_reference("web", "127.0.0.1:5000")).print(), "127.0.0.1:5000/web:latest");
  EXPECT_EQ(must(parse_reference("a.io/web", "127.0.0.1:5000")).print(), "a.io/web:latest");
}

TEST(Image, PrintsWhatItParsed) {
  Manifest m;
  m.config = {.media_type = std::string(media::config), .digest = must(Digest::parse(digest)), .size = 7};
  m.layers = {{.media_type = std::string(media::layer_gzip),
               .digest = must(Digest::parse(digest)),
               .size = 9,
               .annotations = {{"k", "v"}}}};
  m.annotations = {{"a", "b"}};
  EXPECT_EQ(print(must(parse_manifest(print(m)))), print(m));
  Config c;
  c.env = {"A=1"};
  c.exposed_ports = {"80/tcp"};
  c.healthcheck = Healthcheck{.test = {"CMD", "x"}, .interval_ns = 5};
  c.diff_ids = {must(Digest::parse(digest))};
  c.history = {{.created_by = "RUN x", .empty_layer = true}};
  EXPECT_EQ(print(must(parse_config(print(c)))), print(c));
}

TEST(Image, ReadsDockersConfiguration) {
  auto c = must(parse_config(
      R"({"architecture":"arm64","os":"linux","variant":"v8","config":{"Env":null,"Cmd":["sh"],"Volumes":{"/d":{}},"Labels":null},"rootfs":{"type":"layers","diff_ids":[]},"history":null})"));
  EXPECT_EQ(c.platform.print(), "linux/arm64/v8");
  EXPECT_EQ(c.cmd, std::vector<std::string>{"sh"});
  EXPECT_EQ(c.volumes, std::vector<std::string>{"/d"});
}

TEST(Image, ParsesPlatforms) {
  EXPECT_EQ(must(parse_platform("linux/x86_64")).print(), "linux/amd64");
  EXPECT_EQ(must(parse_platform("linux/arm64/v8")).print(), "linux/arm64");
  EXPECT_EQ(must(parse_platform("Linux/arm/v7")).print(), "linux/arm/v7");
  EXPECT_FALSE(parse_platform("linux"));
}

}  // namespace
}  // namespace slipway::oci
