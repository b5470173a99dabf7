// What repositories and Secrets say of sources: ignore patterns, build environments, ranges of versions, sign-ins.
#include "base/semver.h"
#include "base/text.h"
#include "doc/yaml.h"
#include "gitops/flux/ignoring.h"
#include "gitops/kustomize_block.h"
#include "gitops/repository_login.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto pair = cut(text, "\n");
  auto head = pair ? pair->first : text, rest = pair ? pair->second : std::string_view();
  for (const auto& pattern : gitops::flux::ignore_patterns(rest)) {
    // What a folder's pattern says of a folder it says of what is in it.
    bool folder = pattern.matches(head, true);
    if (folder && !head.empty()) SLP_ASSERT(pattern.matches(fmt::format("{}/x", head), false));
  }
  auto expanded = gitops::expand(text, {{"A", "value"}, {"B", ""}});
  if (!text.contains('$')) SLP_ASSERT(expanded == text);
  if (auto range = VersionRange::parse(head))
    if (auto version = Version::parse(rest)) (void)range->holds(*version);
  if (auto time = doc::yaml_time(head)) SLP_ASSERT(doc::yaml_time(*time) == time);
  if (auto secret = doc::parse_yaml(text, {.max_nodes = 1000}); secret && secret->is_map()) {
    auto login = gitops::repository_login_from(kube::Object(*std::move(secret)));
    SLP_ASSERT(login.unusable.empty() || !login.access.signs_in());
    (void)gitops::same_repository(login.url);
  }
  return 0;
}
