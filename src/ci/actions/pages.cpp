// actions/configure-pages, actions/upload-pages-artifact, actions/deploy-pages.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"

namespace slipway::ci {
namespace {

struct Site {
  std::string origin, path;  // http://house, /pages/OWNER/NAME
};
Site site_of(const ActionUse& use) {
  return {use.job.options().server_url, "/pages/" + use.job.plan().event.repository};
}

}  // namespace

Result<> configure_pages(const Ctx&, ActionUse& use) {
  auto site = site_of(use);
  auto host = cut(site.origin, "://");
  use.output("origin", site.origin);
  use.output("host", std::string(host ? host->second : site.origin));
  use.output("base_url", site.origin + site.path);
  use.output("base_path", site.path);
  if (auto generator = use.input("static_site_generator"); !generator.empty())
    use.say(fmt::format("{}: its configuration is left as it is; the site stands below {}", generator, site.path));
  return {};
}

Result<> upload_pages(const Ctx& ctx, ActionUse& use) {
  ActionUse upload{use.job, use.step, "actions/upload-artifact", "v4", {}};
  upload.inputs["name"] = use.input("name", "github-pages");
  upload.inputs["path"] = use.input("path", "_site/");
  upload.inputs["if-no-files-found"] = "error";
  upload.inputs["include-hidden-files"] = use.input("include-hidden-files", "false");
  upload.inputs["overwrite"] = "true";
  if (auto days = use.input("retention-days"); !days.empty()) upload.inputs["retention-days"] = days;
  TRY_OK(upload_artifact(ctx, upload));
  use.output("artifact_id", use.step.record->outputs["artifact-id"]);
  return {};
}

Result<> deploy_pages(const Ctx&, ActionUse& use) {
  auto name = use.input("artifact_name", "github-pages");
  if (!use.job.shared().artifacts.lock()->contains(name))
    return Fail(Error(Kind::not_found, fmt::format("No artifacts named \"{}\" were found for this workflow run", name))
                    .with_hint("is there a job before with actions/upload-pages-artifact, which this one needs?"));
  return Fail(Error(Kind::unavailable,
                    fmt::format("the site is kept as the artifact \"{}\", and this house does not serve sites", name))
                  .with_hint("build it into an image of a web server with docker/build-push-action, and let it be "
                             "delivered like any other service"));
}

}  // namespace slipway::ci
