#pragma once
// The actions that are part of the program. Each is a function: inputs in, outputs and effects out.
#include "ci/detail/job_run.h"

namespace slipway::ci {

Result<> checkout(const Ctx& ctx, ActionUse& use);
Result<> upload_artifact(const Ctx& ctx, ActionUse& use);
Result<> download_artifact(const Ctx& ctx, ActionUse& use);
Result<> cache(const Ctx& ctx, ActionUse& use);
Result<> cache_restore(const Ctx& ctx, ActionUse& use);
Result<> cache_save(const Ctx& ctx, ActionUse& use);
Result<> setup_node(const Ctx& ctx, ActionUse& use);
Result<> setup_python(const Ctx& ctx, ActionUse& use);
Result<> setup_go(const Ctx& ctx, ActionUse& use);
Result<> setup_java(const Ctx& ctx, ActionUse& use);
Result<> docker_setup(const Ctx& ctx, ActionUse& use);
Result<> docker_login(const Ctx& ctx, ActionUse& use);
Result<> docker_metadata(const Ctx& ctx, ActionUse& use);
Result<> docker_build_push(const Ctx& ctx, ActionUse& use);
Result<> trivy(const Ctx& ctx, ActionUse& use);
Result<> anchore(const Ctx& ctx, ActionUse& use);
Result<> preview(const Ctx& ctx, ActionUse& use);
Result<> paths_filter(const Ctx& ctx, ActionUse& use);
Result<> changed_files(const Ctx& ctx, ActionUse& use);
Result<> test_report(const Ctx& ctx, ActionUse& use);
Result<> reports_elsewhere(const Ctx& ctx, ActionUse& use);

}  // namespace slipway::ci
