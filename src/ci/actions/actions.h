#pragma once
// The actions that are part of the program. Each is a function: inputs in, outputs and effects out. Registered in
// registry.cpp, with the names of their inputs.
#include "ci/detail/job_run.h"

namespace slipway::ci {

Result<> checkout(const Ctx& ctx, ActionUse& use);
Result<> upload_artifact(const Ctx& ctx, ActionUse& use);
Result<> merge_artifacts(const Ctx& ctx, ActionUse& use);
Result<> download_artifact(const Ctx& ctx, ActionUse& use);
Result<> cache(const Ctx& ctx, ActionUse& use);
Result<> cache_restore(const Ctx& ctx, ActionUse& use);
Result<> cache_save(const Ctx& ctx, ActionUse& use);
// setup.cpp, setup_more.cpp, setup_rust.cpp
Result<> setup_node(const Ctx& ctx, ActionUse& use);
Result<> setup_python(const Ctx& ctx, ActionUse& use);
Result<> setup_go(const Ctx& ctx, ActionUse& use);
Result<> setup_java(const Ctx& ctx, ActionUse& use);
Result<> setup_dotnet(const Ctx& ctx, ActionUse& use);
Result<> setup_ruby(const Ctx& ctx, ActionUse& use);
Result<> setup_rust(const Ctx& ctx, ActionUse& use);
Result<> cargo(const Ctx& ctx, ActionUse& use);
Result<> rust_cache(const Ctx& ctx, ActionUse& use);
Result<> setup_uv(const Ctx& ctx, ActionUse& use);
Result<> setup_pnpm(const Ctx& ctx, ActionUse& use);
Result<> setup_deno(const Ctx& ctx, ActionUse& use);
Result<> setup_bun(const Ctx& ctx, ActionUse& use);
Result<> setup_php(const Ctx& ctx, ActionUse& use);
Result<> setup_gradle(const Ctx& ctx, ActionUse& use);
Result<> gradle_wrapper(const Ctx& ctx, ActionUse& use);
Result<> golangci_lint(const Ctx& ctx, ActionUse& use);
// cluster.cpp
Result<> setup_helm(const Ctx& ctx, ActionUse& use);
Result<> setup_kubectl(const Ctx& ctx, ActionUse& use);
Result<> kind_cluster(const Ctx& ctx, ActionUse& use);
// images.cpp, image_metadata.cpp, bake_action.cpp
Result<> docker_setup(const Ctx& ctx, ActionUse& use);
Result<> docker_qemu(const Ctx& ctx, ActionUse& use);
Result<> docker_login(const Ctx& ctx, ActionUse& use);
Result<> docker_metadata(const Ctx& ctx, ActionUse& use);
Result<> docker_build_push(const Ctx& ctx, ActionUse& use);
Result<> docker_bake(const Ctx& ctx, ActionUse& use);
Result<> trivy(const Ctx& ctx, ActionUse& use);
Result<> anchore(const Ctx& ctx, ActionUse& use);
Result<> preview(const Ctx& ctx, ActionUse& use);
Result<> test_report(const Ctx& ctx, ActionUse& use);
Result<> paths_filter(const Ctx& ctx, ActionUse& use);
Result<> changed_files(const Ctx& ctx, ActionUse& use);
Result<> github_script(const Ctx& ctx, ActionUse& use);
Result<> create_pull_request(const Ctx& ctx, ActionUse& use);
Result<> create_github_app_token(const Ctx& ctx, ActionUse& use);
// release.cpp
Result<> gh_release(const Ctx& ctx, ActionUse& use);
Result<> release_action(const Ctx& ctx, ActionUse& use);
Result<> create_release(const Ctx& ctx, ActionUse& use);
Result<> upload_release_asset(const Ctx& ctx, ActionUse& use);
// cloud_aws.cpp, cloud_google.cpp, cloud_azure.cpp
Result<> aws_credentials(const Ctx& ctx, ActionUse& use);
Result<> google_auth(const Ctx& ctx, ActionUse& use);
Result<> azure_login(const Ctx& ctx, ActionUse& use);
// tools.cpp
Result<> cosign_installer(const Ctx& ctx, ActionUse& use);
Result<> install_action(const Ctx& ctx, ActionUse& use);
Result<> goreleaser(const Ctx& ctx, ActionUse& use);
// pages.cpp
Result<> configure_pages(const Ctx& ctx, ActionUse& use);
Result<> upload_pages(const Ctx& ctx, ActionUse& use);
Result<> deploy_pages(const Ctx& ctx, ActionUse& use);
// reports.cpp
Result<> upload_sarif(const Ctx& ctx, ActionUse& use);
Result<> not_here(const Ctx& ctx, ActionUse& use);
Result<> harden_runner(const Ctx& ctx, ActionUse& use);
Result<> coverage_report(const Ctx& ctx, ActionUse& use);

}  // namespace slipway::ci
