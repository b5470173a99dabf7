// The native actions by name, and what is checked of every one before it runs.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/catalog.h"

namespace slipway::ci {
namespace {

constexpr std::string_view node_inputs =
    "node-version node-version-file architecture check-latest~ registry-url scope token~ cache package-manager-cache "
    "cache-dependency-path always-auth mirror~ mirror-token~";
constexpr std::string_view cache_outputs = "cache-hit cache-primary-key cache-matched-key";
constexpr std::string_view junit_inputs =
    "path report_paths files fail-on-error fail_on_failure name~ reporter~ check_name~ token~ github_token~ "
    "include_passed~ require_tests~ only-summary~ list-suites~ list-tests~ max-annotations~ annotate_only~ "
    "detailed_summary~ job_summary~ annotations_limit~ path-replace-backslashes~ working-directory~ commit~ "
    "fail-on-empty~ use-actions-summary~ badge-title~ report-title~ update_check~ require_passed_tests~ summary~ "
    "suite_regex~ transformers~ test_files_prefix~ skip_success_summary~ include_skipped~ group_suite~ comment~";

constexpr CatalogEntry entries[] = {
    {"actions/checkout", checkout,
     "repository ref token ssh-key~ ssh-known-hosts~ ssh-strict~ ssh-user~ persist-credentials path clean filter~ "
     "sparse-checkout sparse-checkout-cone-mode fetch-depth fetch-tags show-progress~ lfs submodules "
     "set-safe-directory github-server-url~",
     "ref commit", Nature::tells},
    {"actions/upload-artifact", upload_artifact,
     "name path! if-no-files-found retention-days compression-level overwrite include-hidden-files archive",
     "artifact-id artifact-url artifact-digest", Nature::tells},
    {"actions/upload-artifact/merge", merge_artifacts,
     "name pattern separate-directories retention-days compression-level delete-merged include-hidden-files",
     "artifact-id artifact-url artifact-digest"},
    {"actions/download-artifact", download_artifact,
     "name artifact-ids path pattern merge-multiple github-token~ repository run-id digest-mismatch~ skip-decompress~",
     "download-path", Nature::tells},
    {"actions/cache", cache,
     "path! key! restore-keys upload-chunk-size~ enableCrossOsArchive~ fail-on-cache-miss lookup-only save-always",
     cache_outputs, Nature::tells},
    {"actions/cache/restore", cache_restore,
     "path! key! restore-keys enableCrossOsArchive~ fail-on-cache-miss lookup-only", cache_outputs, Nature::tells},
    {"actions/cache/save", cache_save, "path! key! upload-chunk-size~ enableCrossOsArchive~", "", Nature::tells},
    {"actions/setup-node", setup_node, node_inputs, "node-version cache-hit", Nature::tells},
    {"actions/setup-python", setup_python,
     "python-version python-version-file cache architecture check-latest~ token~ cache-dependency-path "
     "update-environment allow-prereleases~ freethreaded pip-version~ pip-install",
     "python-version python-path cache-hit", Nature::tells},
    {"actions/setup-go", setup_go,
     "go-version go-version-file check-latest~ token~ cache cache-dependency-path architecture go-download-base-url~",
     "go-version cache-hit", Nature::tells},
    {"actions/setup-java", setup_java,
     "java-version java-version-file distribution java-package~ architecture jdkFile check-latest~ server-id "
     "server-username server-password settings-path overwrite-settings gpg-private-key~ gpg-passphrase~ cache "
     "cache-dependency-path job-status~ token~ mvn-toolchain-id~ mvn-toolchain-vendor~",
     "distribution version path cache-hit", Nature::tells},
    {"actions/setup-dotnet", setup_dotnet,
     "dotnet-version dotnet-quality~ global-json-file source-url~ owner~ config-file~ cache cache-dependency-path "
     "architecture workloads",
     "dotnet-version cache-hit", Nature::tells},
    {"ruby/setup-ruby", setup_ruby,
     "ruby-version rubygems bundler bundler-cache working-directory cache-version self-hosted~ windows-toolchain~ "
     "token~",
     "ruby-prefix", Nature::tells},
    {"dtolnay/rust-toolchain", setup_rust, "toolchain targets target components", "cachekey name", Nature::tells},
    {"actions-rs/toolchain", setup_rust, "toolchain target default~ override~ profile~ components",
     "rustc rustc_hash cargo rustup", Nature::tells},
    {"actions-rust-lang/setup-rust-toolchain", setup_rust,
     "toolchain target components cache cache-workspaces cache-directories~ cache-on-failure cache-key "
     "cache-shared-key~ cache-bin~ cache-provider~ cache-all-crates~ cache-save-if matcher~ rustflags override~ "
     "rust-src-dir",
     "rustc-version cargo-version rustup-version cachekey"},
    {"actions-rs/cargo", cargo, "toolchain command! args use-cross", ""},
    {"swatinem/rust-cache", rust_cache,
     "prefix-key shared-key key env-vars workspaces cache-directories cache-targets cache-on-failure cache-all-crates~ "
     "cache-workspace-crates~ save-if cache-provider~ cache-bin lookup-only cmd-format~ add-job-id-key "
     "add-rust-environment-hash-key",
     "cache-hit", Nature::tells},
    {"astral-sh/setup-uv", setup_uv,
     "version version-file python-version activate-environment working-directory checksum~ server-url~ github-token~ "
     "enable-cache restore-cache save-cache cache-dependency-glob cache-suffix cache-local-path prune-cache~ "
     "cache-python~ ignore-nothing-to-cache~ ignore-empty-workdir~ tool-dir tool-bin-dir manifest-file~ "
     "add-problem-matchers~ resolution-strategy~ venv-path",
     "uv-version uv-path uvx-path cache-hit cache-key venv python-version", Nature::tells},
    {"pnpm/action-setup", setup_pnpm,
     "version dest~ run_install cache cache_dependency_path package_json_file standalone~", "dest bin_dest",
     Nature::tells},
    {"denoland/setup-deno", setup_deno, "deno-version deno-version-file deno-binary-name cache cache-hash",
     "deno-version release-channel cache-hit", Nature::tells},
    {"oven-sh/setup-bun", setup_bun,
     "bun-version bun-version-file bun-download-url~ registries registry-url scope no-cache~ token~",
     "bun-version bun-revision bun-path bun-download-url cache-hit", Nature::tells},
    {"shivammathur/setup-php", setup_php,
     "php-version php-version-file extensions ini-file~ ini-values coverage tools github-token~", "php-version",
     Nature::tells},
    {"gradle/actions/setup-gradle", setup_gradle,
     "gradle-version cache-disabled cache-read-only cache-write-only~ cache-overwrite-existing~ cache-encryption-key~ "
     "cache-cleanup~ cache-provider~ gradle-home-cache-includes~ gradle-home-cache-excludes~ add-job-summary~ "
     "add-job-summary-as-pr-comment~ dependency-graph~ validate-wrappers allow-snapshot-wrappers~ arguments~ "
     "build-root-directory~ gradle-home-cache-strict-match~ workflow-job-context~ artifact-retention-days~ "
     "build-scan-publish~ build-scan-terms-of-use-url~ build-scan-terms-of-use-agree~ develocity-access-key~ "
     "dependency-graph-continue-on-failure~ dependency-graph-report-dir~ github-token~",
     "gradle-version cache-hit", Nature::tells},
    {"gradle/gradle-build-action", setup_gradle,
     "gradle-version cache-disabled cache-read-only arguments build-root-directory *", "gradle-version cache-hit"},
    {"gradle/actions/wrapper-validation", gradle_wrapper,
     "min-wrapper-count allow-snapshots~ allow-snapshot-wrappers~ allow-checksums", "failed-wrapper"},
    {"gradle/wrapper-validation-action", gradle_wrapper, "min-wrapper-count allow-snapshots~ allow-checksums",
     "failed-wrapper"},
    {"golangci/golangci-lint-action", golangci_lint,
     "version version-file install-mode~ install-only working-directory github-token~ verify~ only-new-issues "
     "skip-cache~ skip-save-cache~ cache-invalidation-interval~ problem-matchers~ args debug~ experimental~ "
     "skip-pkg-cache~ skip-build-cache~",
     ""},
    {"azure/setup-helm", setup_helm, "version token~ downloadBaseURL~", "helm-path", Nature::tells},
    {"azure/setup-kubectl", setup_kubectl, "version", "kubectl-path", Nature::tells},
    {"helm/kind-action", kind_cluster,
     "version~ config~ node_image~ cluster_name wait verbosity~ kubectl_version~ registry registry_image~ "
     "registry_name~ registry_port~ registry_enable_delete~ install_only ignore_failed_clean~ cloud_provider~ "
     "kubeconfig",
     "LOCAL_REGISTRY"},
    {"docker/setup-buildx-action", docker_setup,
     "version~ driver~ driver-opts~ buildkitd-flags~ buildkitd-config~ buildkitd-config-inline~ config~ "
     "config-inline~ install~ use~ endpoint~ platforms~ append~ cache-binary~ cleanup~ keep-state~ name~",
     "name driver platforms nodes status flags endpoint", Nature::tells},
    {"docker/setup-qemu-action", docker_qemu, "image~ platforms cache-image~ reset~", "platforms", Nature::tells},
    {"docker/setup-docker-action", docker_setup,
     "version~ channel~ daemon-config~ tcp-port~ context~ set-host~ rootless~ runtime-basedir~", "sock tcp",
     Nature::tells},
    {"docker/login-action", docker_login, "registry username password scope~ ecr~ logout~ registry-auth", "",
     Nature::tells},
    {"docker/metadata-action", docker_metadata,
     "context~ images tags flavor labels annotations sep-tags sep-labels sep-annotations bake-target github-token~",
     "version tags tag-names labels annotations json bake-file-tags bake-file-labels bake-file-annotations bake-file",
     Nature::tells},
    {"docker/build-push-action", docker_build_push,
     "add-hosts allow~ annotations attests build-args build-contexts builder~ cache-from cache-to call "
     "cgroup-parent~ context file labels load~ network~ no-cache no-cache-filters outputs platforms provenance pull~ "
     "push sbom secrets secret-envs secret-files shm-size~ ssh tags target ulimit~ github-token~",
     "imageid digest metadata", Nature::tells},
    {"docker/bake-action", docker_bake,
     "source workdir files targets no-cache pull~ load~ provenance push sbom set builder~ allow~ call~ github-token~",
     "metadata"},
    {"aquasecurity/trivy-action", trivy,
     "scan-type image-ref input~ scan-ref exit-code ignore-unfixed vuln-type~ severity format template~ output "
     "skip-dirs~ skip-files~ cache-dir~ timeout~ ignore-policy~ hide-progress~ list-all-pkgs~ scanners~ trivyignores~ "
     "github-pat~ trivy-config~ tf-vars~ limit-severities-for-sarif~ docker-host~ version~ cache~ skip-setup-trivy~ "
     "token-setup-trivy~ artifact-type~",
     ""},
    {"anchore/scan-action", anchore,
     "image path sbom~ fail-build severity-cutoff only-fixed output-format output-file add-cpes-if-none~ by-cve~ "
     "grype-version~ vex~ cache-db~ config~ registry-username~ registry-password~",
     "sarif json cyclonedx"},
    {"slipway/preview", preview, "name repository overlay! images ready-timeout lives keep", "namespace *",
     Nature::acts},
    {"slipway/test-report", test_report, junit_inputs, "passed failed skipped conclusion"},
    {"dorny/test-reporter", test_report, junit_inputs, "passed failed skipped conclusion", Nature::tells},
    {"mikepenz/action-junit-report", test_report, junit_inputs, "passed failed skipped conclusion", Nature::tells},
    {"dorny/paths-filter", paths_filter,
     "token~ working-directory ref base filters! list-files initial-fetch-depth~ predicate-quantifier", "changes *"},
    {"tj-actions/changed-files", changed_files,
     "files files_separator files_ignore files_ignore_separator files_yaml files_yaml_from_source_file "
     "files_ignore_yaml files_from_source_file files_ignore_from_source_file separator json escape_json base_sha sha "
     "dir_names dir_names_max_depth path "
     "matrix quotepath~ since~ until~ fetch_depth~ fetch_additional_submodule_history~ since_last_remote_commit~ "
     "use_rest_api~ token~ api_url~ safe_output write_output_files output_dir "
     "output_renamed_files_as_deleted_and_added~ "
     "include_all_old_new_renamed_files~ diff_relative~ skip_initial_fetch~ fail_on_initial_diff_error~ "
     "fail_on_submodule_diff_error~ recover_deleted_files~ negation_patterns_first~ exclude_submodules~ "
     "dir_names_exclude_current_dir dir_names_include_files~ skip_same_sha~ old_new_separator~ tags_pattern~",
     "added_files deleted_files modified_files renamed_files type_changed_files all_changed_files all_modified_files "
     "all_changed_and_modified_files other_changed_files any_changed any_modified any_deleted only_changed "
     "only_modified changed_keys modified_keys *"},
    {"actions/github-script", github_script,
     "script! github-token debug~ user-agent~ previews~ result-encoding retries~ retry-exempt-status-codes~ base-url",
     "result *", Nature::acts},
    {"peter-evans/create-pull-request", create_pull_request,
     "token branch-token~ path add-paths commit-message committer author signoff branch delete-branch~ branch-suffix "
     "base push-to-fork sign-commits~ title body body-path labels~ assignees~ reviewers~ team-reviewers~ milestone~ "
     "draft~ maintainer-can-modify~",
     "pull-request-number pull-request-url pull-request-operation pull-request-head-sha pull-request-branch "
     "pull-request-commits-verified",
     Nature::acts},
    {"actions/create-github-app-token", create_github_app_token,
     "app-id client-id private-key! owner repositories skip-token-revoke github-api-url *",
     "token installation-id app-slug", Nature::acts},
    {"softprops/action-gh-release", gh_release,
     "body body_path name tag_name draft prerelease preserve_order~ files working_directory overwrite_files "
     "fail_on_unmatched_files repository token target_commitish discussion_category_name~ generate_release_notes "
     "append_body make_latest previous_tag~",
     "url id upload_url assets", Nature::acts},
    {"ncipollo/release-action", release_action,
     "allowUpdates artifactErrorsFailBuild artifact artifacts artifactContentType~ body bodyFile commit "
     "discussionCategory~ draft generateReleaseNotes generateReleaseNotesPreviousTag~ immutableCreate~ makeLatest name "
     "omitBody omitBodyDuringUpdate~ omitDraftDuringUpdate~ omitName omitNameDuringUpdate~ "
     "omitPrereleaseDuringUpdate~ owner prerelease removeArtifacts~ replacesArtifacts repo skipIfReleaseExists tag "
     "token updateOnlyUnreleased~",
     "id html_url upload_url tarball_url zipball_url assets", Nature::acts},
    {"actions/create-release", create_release,
     "tag_name! release_name! body body_path draft prerelease commitish owner repo", "id html_url upload_url",
     Nature::acts},
    {"actions/upload-release-asset", upload_release_asset, "upload_url! asset_path! asset_name! asset_content_type!",
     "browser_download_url", Nature::acts},
    {"aws-actions/configure-aws-credentials", aws_credentials,
     "aws-region! role-to-assume aws-access-key-id aws-secret-access-key aws-session-token web-identity-token-file "
     "role-chaining audience mask-aws-account-id role-duration-seconds role-external-id role-session-name "
     "role-skip-session-tagging~ inline-session-policy managed-session-policies output-credentials "
     "output-env-credentials http-proxy~ no-proxy~ unset-current-credentials~ disable-retry~ retry-max-attempts~ "
     "special-characters-workaround~ use-existing-credentials~ allowed-account-ids~ force-skip-oidc~ "
     "action-timeout-s~ custom-tags~ transitive-tag-keys~ aws-profile~",
     "aws-account-id aws-access-key-id aws-secret-access-key aws-session-token aws-expiration", Nature::acts},
    {"google-github-actions/auth", google_auth,
     "project_id workload_identity_provider service_account audience credentials_json create_credentials_file "
     "export_environment_variables token_format delegates universe request_reason~ cleanup_credentials "
     "access_token_lifetime access_token_scopes access_token_subject~ id_token_audience id_token_include_email",
     "project_id credentials_file_path auth_token access_token id_token", Nature::acts},
    {"azure/login", azure_login,
     "creds client-id tenant-id subscription-id enable-AzPSSession~ environment allow-no-subscriptions audience "
     "auth-type",
     "", Nature::acts},
    {"sigstore/cosign-installer", cosign_installer, "cosign-release install-dir~ use-sudo~", ""},
    {"taiki-e/install-action", install_action, "tool checksum~ fallback~", ""},
    {"goreleaser/goreleaser-action", goreleaser, "distribution version args workdir install-only", "artifacts metadata",
     Nature::acts},
    {"actions/configure-pages", configure_pages, "static_site_generator generator_config_file~ token~ enablement~",
     "base_url origin host base_path"},
    {"actions/upload-pages-artifact", upload_pages, "name path retention-days include-hidden-files", "artifact_id"},
    {"actions/deploy-pages", deploy_pages, "artifact_name token~ timeout~ error_count~ reporting_interval~ preview~",
     "page_url", Nature::acts},
    {"github/codeql-action/upload-sarif", upload_sarif,
     "sarif_file checkout_path~ ref~ sha~ category wait-for-processing~ token~ matrix~", "sarif-id"},
    {"github/codeql-action/init", not_here, "*", ""},
    {"github/codeql-action/autobuild", not_here, "*", ""},
    {"github/codeql-action/analyze", not_here, "*", "sarif-id"},
    {"actions/stale", not_here, "*", "closed-issues-prs staled-issues-prs"},
    {"dessant/lock-threads", not_here, "*", "issues prs"},
    {"actions/labeler", not_here, "*", "new-labels all-labels"},
    {"ossf/scorecard-action", not_here, "*", ""},
    {"step-security/harden-runner", harden_runner, "egress-policy allowed-endpoints *", ""},
    {"codecov/codecov-action", coverage_report,
     "files file directory fail_ci_if_error disable_search flags~ token~ name~ verbose~ *", ""},
    {"coverallsapp/github-action", coverage_report, "path-to-lcov file files base-path fail-on-error *",
     "coveralls-api-result"},
};

struct Names {
  std::vector<std::string> known, required, idle;
  bool any = false;
};
Names names_of(std::string_view inputs) {
  Names out;
  for (auto word : split(inputs, ' ')) {
    if (word.empty()) continue;
    if (word == "*") {
      out.any = true;
      continue;
    }
    std::string name(word.ends_with('!') || word.ends_with('~') ? word.substr(0, word.size() - 1) : word);
    if (word.ends_with('!')) out.required.push_back(name);
    if (word.ends_with('~')) out.idle.push_back(name);
    out.known.push_back(std::move(name));
  }
  return out;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(), [&](auto& n) { return iequals(n, name); });
}

void warn_of_unknown(ActionUse& use, const Names& names) {
  std::vector<std::string> unknown;
  for (auto& [name, value] : use.inputs)
    if (!has(names.known, name)) unknown.push_back(name);
  if (unknown.empty() || names.any) return;
  std::string text = "Unexpected input(s) ", valid;
  for (auto& name : unknown) {
    auto near = nearest(lower(name), names.known);
    text += fmt::format("{}'{}'{}", &name == &unknown[0] ? "" : ", ", name,
                        near ? fmt::format(" (did you mean '{}'?)", *near) : "");
  }
  for (auto& name : names.known) valid += fmt::format("{}'{}'", valid.empty() ? "" : ", ", name);
  use.job.annotate(use.step, {.level = Annotation::Level::warning,
                              .title = use.uses,
                              .message = fmt::format("{}, valid inputs are [{}]", text, valid)});
}

Result<> run_entry(const Ctx& ctx, ActionUse& use) {
  auto* entry = find_entry(use.uses);
  if (!entry) return fail(Kind::internal, "{}: no such action", use.uses);
  auto names = names_of(entry->inputs);
  warn_of_unknown(use, names);
  for (auto& name : names.required)
    if (use.input(name).empty()) return fail(Kind::invalid, "Input required and not supplied: {}", name);
  std::string idle;
  for (auto& [name, value] : use.inputs)
    if (!trim(value).empty() && has(names.idle, name)) idle += (idle.empty() ? "" : ", ") + name;
  if (!idle.empty()) use.say("Without effect here: " + idle);
  return entry->run(ctx, use);
}

std::string code_list(const std::vector<std::string>& names) {
  std::string out;
  for (auto& name : names) out += fmt::format("{}`{}`", out.empty() ? "" : " ", name);
  return out;
}

}  // namespace

std::span<const CatalogEntry> catalog() { return entries; }

const CatalogEntry* find_entry(std::string_view name) {
  for (auto& entry : entries)
    if (iequals(entry.name, name)) return &entry;
  return nullptr;
}

NativeAction find_native_action(std::string_view name) { return find_entry(name) ? run_entry : nullptr; }

std::vector<std::string> native_action_names() {
  std::vector<std::string> out;
  for (auto& entry : entries) out.emplace_back(entry.name);
  return out;
}

std::string print_catalog() {
  std::string out = "| action | inputs that count | taken without effect | outputs |\n| --- | --- | --- | --- |\n";
  for (auto& entry : entries) {
    auto inputs = names_of(entry.inputs), outputs = names_of(entry.outputs);
    std::vector<std::string> count;
    for (auto& name : inputs.known)
      if (!has(inputs.idle, name)) count.push_back(name + (has(inputs.required, name) ? "!" : ""));
    out += fmt::format("| {} | {} | {} | {}{} |\n", entry.name, code_list(count),
                       code_list(inputs.idle) + (inputs.any ? " all others" : ""), code_list(outputs.known),
                       outputs.any ? " and more by name" : "");
  }
  return out;
}

}  // namespace slipway::ci
