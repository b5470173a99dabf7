#include "base/text.h"
#include "ci/actions/actions.h"

namespace slipway::ci {
namespace {

struct Entry {
  std::string_view name;
  NativeAction run;
};
constexpr Entry entries[] = {
    {"actions/checkout", checkout},
    {"actions/upload-artifact", upload_artifact},
    {"actions/download-artifact", download_artifact},
    {"actions/cache", cache},
    {"actions/cache/restore", cache_restore},
    {"actions/cache/save", cache_save},
    {"actions/setup-node", setup_node},
    {"actions/setup-python", setup_python},
    {"actions/setup-go", setup_go},
    {"actions/setup-java", setup_java},
    {"docker/setup-buildx-action", docker_setup},
    {"docker/setup-qemu-action", docker_setup},
    {"docker/login-action", docker_login},
    {"docker/metadata-action", docker_metadata},
    {"docker/build-push-action", docker_build_push},
    {"aquasecurity/trivy-action", trivy},
    {"anchore/scan-action", anchore},
    {"slipway/preview", preview},
    {"slipway/test-report", test_report},
    {"dorny/test-reporter", test_report},
    {"mikepenz/action-junit-report", test_report},
    {"dorny/paths-filter", paths_filter},
    {"tj-actions/changed-files", changed_files},
    {"step-security/harden-runner", reports_elsewhere},
    {"codecov/codecov-action", reports_elsewhere},
    {"github/codeql-action/init", reports_elsewhere},
    {"github/codeql-action/autobuild", reports_elsewhere},
    {"github/codeql-action/analyze", reports_elsewhere},
    {"github/codeql-action/upload-sarif", reports_elsewhere},
};

}  // namespace

NativeAction find_native_action(std::string_view name) {
  for (auto& entry : entries)
    if (iequals(entry.name, name)) return entry.run;
  return nullptr;
}
std::vector<std::string> native_action_names() {
  std::vector<std::string> out;
  for (auto& entry : entries) out.emplace_back(entry.name);
  return out;
}

}  // namespace slipway::ci
