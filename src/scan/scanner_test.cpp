#include "scan/scanner.h"

#include "base/testing/golden.h"
#include "base/text.h"
#include "doc/json.h"
#include "oci/layer.h"
#include "path/findings.h"
#include "scan/detail/contents.h"
#include "scan/sbom.h"

namespace slipway::scan {
namespace {

std::string rules(const std::vector<path::Finding>& findings) {
  std::vector<std::string> out;
  for (const auto& f : findings)
    if (f.check != "scan") out.push_back(fmt::format("{}{}", f.rule, f.fails ? "!" : ""));
  return join(out, " ");
}
std::unique_ptr<path::Scanner> scanner(ScannerOptions options = {}) { return must(make_scanner(std::move(options))); }

TEST(Scanner, FolderGivesFindingsPolicyAndSbom) {
  auto dir = must(TempDir::make());
  must(write_file(dir.path() / "package-lock.json",
                  R"({"lockfileVersion":3,"packages":{"node_modules/lodash":{"version":"4.17.4"},
"node_modules/minimist":{"version":"1.2.8"}}})"));
  must(write_file(dir.path() / "run.sh",
                  "export TOKEN=gh"
                  "p_aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5\n"));
  auto report = must(scanner()->scan_folder({}, dir.path()));
  EXPECT_EQ(rules(report.findings), "CVE-2019-10744! github-token! CVE-2020-8203 CVE-2021-23337");
  EXPECT_EQ(report.packages, 2U);
  auto sbom = must(doc::parse_json(report.sbom_cyclonedx));
  EXPECT_EQ(sbom.str_at({"specVersion"}), "1.5");
  const auto& first = report.findings[0];
  EXPECT_EQ(first.place.print(), "package-lock.json:1:56");
  EXPECT_EQ(first.fixed_in, "4.17.12");
  auto line = must(doc::parse_json(path::print_jsonl({&first, 1})));
  EXPECT_EQ(line.str_at({"rule"}), "CVE-2019-10744");
  EXPECT_EQ(line.str_at({"severity"}), "error");
  auto sarif = must(doc::parse_json(path::print_sarif(report.findings, "1")));
  EXPECT_EQ(sarif.str_at({"version"}), "2.1.0");
}

TEST(Scanner, FoldersPolicyDecides) {
  auto dir = must(TempDir::make());
  must(make_dirs(dir.path() / ".slipway"));
  must(write_file(dir.path() / "requirements.txt", "PyYAML==5.3\nrequests==2.30.0\n"));
  must(write_file(dir.path() / ".slipway/policy.yaml",
                  "vulnerabilities: {fail: medium}\nignore:\n- {id: CVE-2020-14343, reason: only safe_load is used, "
                  "until: 2020-01-01}\n"));
  auto report = must(scanner()->scan_folder({}, dir.path()));
  EXPECT_EQ(rules(report.findings), "CVE-2020-14343! CVE-2023-32681! ignore-expired");
  must(write_file(dir.path() / ".slipway/policy.yaml",
                  "vulnerabilities: {fail: none}\nignore:\n- {id: CVE-2020-*, reason: only safe_load is used}\n"));
  EXPECT_EQ(rules(must(scanner()->scan_folder({}, dir.path())).findings), "CVE-2023-32681");
  must(write_file(dir.path() / ".slipway/policy.yaml", "ignore:\n- {id: CVE-2020-14343}\n"));
  auto bad = scanner()->scan_folder({}, dir.path());
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().what().find(".slipway/policy.yaml:2:"), std::string::npos) << bad.error().what();
  EXPECT_NE(bad.error().what().find("needs a reason"), std::string::npos);
}

TEST(Scanner, LayersFoldWithWhiteoutsAndOwnership) {
  detail::Contents base, top;
  detail::take_file(base, {"etc/os-release", 10}, "ID=debian\nVERSION_ID=\"12\"\n", detail::Interest::packages);
  detail::take_file(base, {"var/lib/dpkg/status", 10},
                    "Package: openssh-server\nSource: openssh\nVersion: 1:9.2p1-2+deb12u2\n",
                    detail::Interest::packages);
  detail::take_file(base, {"var/lib/dpkg/info/python3-yaml.list", 10},
                    "/.\n/usr/lib/python3/dist-packages/PyYAML-5.3.egg-info\n", detail::Interest::packages);
  detail::take_file(base, {"usr/lib/python3/dist-packages/PyYAML-5.3.egg-info", 10}, "Name: PyYAML\nVersion: 5.3\n",
                    detail::Interest::packages);
  detail::take_file(base, {"app/node_modules/lodash/package.json", 10}, R"({"name":"lodash","version":"4.17.4"})",
                    detail::Interest::packages);
  detail::take_file(base, {"srv/node_modules/minimist/package.json", 10}, R"({"name":"minimist","version":"1.2.0"})",
                    detail::Interest::packages);
  detail::take_file(
      top, {"var/lib/dpkg/status", 10},
      "Package: openssh-server\nSource: openssh\nVersion: 1:9.2p1-2+deb12u2\n\nPackage: vim\nVersion: 9\n",
      detail::Interest::packages);
  top.removed = {"app/node_modules/lodash", "srv/"};
  auto inventory = detail::fold({{"sha256:base", base}, {"sha256:top", top}});
  std::string print;
  for (const auto& p : inventory.packages)
    print += fmt::format("{} {} {} {}\n", p.ecosystem, p.name, p.version, p.layer);
  EXPECT_EQ(print, "Debian:12 openssh-server 1:9.2p1-2+deb12u2 sha256:base\nDebian:12 vim 9 sha256:top\n");
  // What the cache keeps is what was read.
  auto again = must(detail::contents_from(doc::View(detail::to_doc(base))));
  EXPECT_EQ(detail::to_doc(again), detail::to_doc(base));
}

TEST(Scanner, SbomsAreStableAndComplete) {
  Inventory inventory;
  inventory.target = "shop/web@sha256:ab";
  inventory.distribution = {"debian", "12", "Debian"};
  inventory.packages = {{.ecosystem = "Debian:12",
                         .name = "bash",
                         .version = "5.2",
                         .source_name = "bash",
                         .place = {"var/lib/dpkg/status", 1, 1}},
                        {.ecosystem = "npm", .name = "lodash", .version = "4.17.4", .license = "MIT"}};
  WallTime at{std::chrono::seconds(1'790'000'000)};
  golden(fs::path(SLIPWAY_TESTDATA) / "sbom.cdx.json",
         doc::print_json_pretty(must(doc::parse_json(print_cyclonedx(inventory, at)))));
  golden(fs::path(SLIPWAY_TESTDATA) / "sbom.spdx.json",
         doc::print_json_pretty(must(doc::parse_json(print_spdx(inventory, at)))));
}

class ScanImage : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::make_unique<TempDir>(must(TempDir::make()));
    blobs_ = must(store::BlobStore::open(dir_->path() / "blobs"));
    registry_ = must(oci::Registry::open(*blobs_, dir_->path() / "registry.db"));
  }
  oci::Layer layer(const std::map<std::string, std::string>& files) {
    auto folder = dir_->path() / fmt::format("layer{}", ++made_);
    for (const auto& [path, text] : files) {
      must(make_dirs((folder / path).parent_path()));
      must(write_file(folder / path, text));
    }
    return must(oci::pack_layer({}, *blobs_, folder));
  }
  Digest push(const std::vector<oci::Layer>& layers) {
    oci::Manifest manifest;
    oci::Config config;
    config.env = {"PATH=/bin", "DB_PASSWORD=h8Kq2vR9xZ3mT7w"};
    for (const auto& l : layers) manifest.layers.push_back(l.descriptor), config.diff_ids.push_back(l.diff_id);
    auto text = oci::print(config);
    manifest.config = {std::string(oci::media::config), must(blobs_->put(text)), text.size()};
    return must(registry_->put_manifest("shop/web", "v1", oci::media::manifest, oci::print(manifest))).digest;
  }
  std::unique_ptr<TempDir> dir_;
  std::unique_ptr<store::BlobStore> blobs_;
  std::unique_ptr<oci::Registry> registry_;
  int made_ = 0;
};

TEST_F(ScanImage, ReadsLayersOnceAndAttachesTheSbom) {
  auto digest = push({layer({{"etc/os-release", "ID=alpine\nVERSION_ID=3.16.1\n"},
                             {"lib/apk/db/installed", "P:zlib\nV:1.2.12-r1\no:zlib\n\n"},
                             {"app/.env",
                              "STRIPE=sk_li"
                              "ve_4eC39HqLyjWDarjtT1zdp7dc\n"}}),
                      layer({{"app/.wh..env", ""},
                             {"app/node_modules/minimist/package.json", R"({"name":"minimist","version":"1.2.5"})"}})});
  auto cache = dir_->path() / "cache";
  auto scan = scanner({.registry = registry_.get(), .cache = cache});
  auto report = must(scan->scan_image({}, "shop/web", "v1"));
  EXPECT_EQ(rules(report.findings), "stripe-key! CVE-2021-44906! generic-secret! CVE-2022-37434!")
      << path::print_text(report.findings);
  EXPECT_EQ(report.packages, 2U);
  EXPECT_EQ(must(list_dir(cache)).size(), 2U);
  EXPECT_EQ(must(registry_->referrers("shop/web", digest)).size(), 1U);
  // Again: from the cache, the SBOM not twice.
  EXPECT_EQ(rules(must(scan->scan_image({}, "shop/web", digest.str())).findings), rules(report.findings));
  EXPECT_EQ(must(registry_->referrers("shop/web", digest)).size(), 1U);
}

}  // namespace
}  // namespace slipway::scan
