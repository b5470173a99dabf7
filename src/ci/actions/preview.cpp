// slipway/preview: a temporary namespace with the change in it, for the rest of the job.
#include "base/text.h"
#include "ci/actions/actions.h"

namespace slipway::ci {

Result<> preview(const Ctx& ctx, ActionUse& use) {
  auto& job = use.job;
  auto* previewer = job.options().previewer;
  if (!previewer)
    return Fail(Error(Kind::unavailable, "no cluster for previews is connected to this runner")
                    .with_hint("run the workflow by `slipway up`"));
  path::PreviewRequest request;
  auto& event = job.plan().event;
  request.name = use.input(
      "name", event.number > 0 ? fmt::format("pr-{}", event.number) : fmt::format("run-{}", job.options().run_id));
  request.repository = use.input("repository");
  request.overlay = use.input("overlay");
  if (request.overlay.empty()) return fail(Kind::invalid, "Input required and not supplied: overlay");
  request.root = job.folder().home() / job.folder().workspace();
  for (auto& line : use.list("images")) {
    auto pair = cut(line, "=");
    if (!pair) return fail(Kind::invalid, "images: \"{}\": want NAME=DIGEST or NAME=IMAGE@DIGEST", line);
    std::string name(trim(pair->first)), image(trim(pair->second));
    request.images[name] = image.starts_with("sha256:") ? name + "@" + image : image;
  }
  for (auto [input, field] : {std::pair{"ready-timeout", &request.ready_within}, {"lives", &request.lives}}) {
    if (use.input(input).empty()) continue;
    TRY_IN(*field, input, parse_duration(use.input(input)));
  }
  auto log = [&](int stream, std::string_view piece) {
    for (auto line : lines(piece)) job.log(use.step, stream, line);
  };
  // Registered before it is made: a preview that comes up halfway is torn down as well.
  auto ns = std::make_shared<std::string>("preview-" + request.name);
  request.keep = use.flag("keep", false);
  if (!request.keep)
    job.defer("Tear down " + *ns, [&job, previewer, ns](const Ctx& later, StepContext& step) -> Result<> {
      return previewer->tear_down(later, *ns, [&](int stream, std::string_view piece) {
        for (auto line : lines(piece)) job.log(step, stream, line);
      });
    });
  TRY(auto handle, previewer->create(ctx, request, log));
  *ns = handle.ns;
  use.output("namespace", handle.ns);
  for (auto& [service, url] : handle.urls) {
    use.output("url-" + service, url);
    use.say(fmt::format("{}: {}", service, url));
  }
  return {};
}

}  // namespace slipway::ci
