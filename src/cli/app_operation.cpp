#include "cli/app_operation.h"

#include "base/text.h"

namespace slipway::cli {
namespace {

constexpr std::string_view home = "argocd";

std::string paint(const Io& io, const std::string& phase) {
  return io.paint(phase == "Succeeded" ? Io::Paint::good : Io::Paint::bad, phase);
}

// Its operation, what is wrong with it, or how it stands.
std::string what_it_says(const kube::Object& app) {
  auto status = app["status"];
  if (status["operationState"]["phase"].text() == "Running") return status["operationState"]["message"].text();
  for (const auto& condition : status["conditions"].items())
    if (condition["type"].text().ends_with("Error")) return condition["message"].text();
  return fmt::format("it is {} and {}", status["sync"]["status"].str_or("not looked at yet"),
                     status["health"]["status"].str_or("Unknown"));
}

}  // namespace

Result<kube::Object> await_application(const Ctx& ctx, kube::Client& client, const kube::Key& key,
                                       const std::function<bool(const kube::Object&)>& done) {
  auto there = kube::await(ctx, client, application_type, key, done);
  if (there || !there.error().is(Kind::timeout)) return there;
  auto asking = ctx;
  asking.deadline = Clock::time_point::max();
  TRY(auto now, client.get(asking.within(Millis(5000)), application_type, key));
  if (!now) return fail(Kind::not_found, "there is no application {} any more", key.name);
  auto name = name_of_application(*now);
  return Fail(Error(Kind::timeout, fmt::format("{}: the time is up: {}", name, what_it_says(*now)))
                  .with_hint("slipway app get " + name));
}

Result<kube::Object> application_named(const Ctx& ctx, kube::Client& client, const std::string& text) {
  kube::Key key{std::string(home), text};
  if (auto pair = cut(text, "/")) key = {std::string(pair->first), std::string(pair->second)};
  TRY(auto object, client.get(ctx, application_type, key));
  if (!object)
    return Fail(Error(Kind::not_found, fmt::format("there is no application {}", text)).with_hint("slipway app list"));
  return *object;
}

std::string name_of_application(const kube::Object& app) { return app.ns() == home ? app.name() : app.key().str(); }

Error held_by_git(const kube::Object& app, std::string_view wish) {
  auto source = app["spec"]["source"]["repoURL"].text();
  return Error(Kind::conflict, fmt::format("{} cannot be {}: its syncs are automatic, and the next would undo it",
                                           name_of_application(app), wish))
      .with_hint(fmt::format("git revert in {}, or turn spec.syncPolicy.automated off",
                             source.empty() ? "its repository" : source));
}

Result<int> sync_application(const Ctx& ctx, kube::Client& client, const kube::Object& app, doc::Map sync, Io& io) {
  doc::Map operation{{"sync", std::move(sync)}, {"initiatedBy", doc::Map{{"username", current_user()}}}};
  TRY_OK(
      client.patch(ctx, application_type, app.key(), kube::PatchType::merge, doc::Map{{"operation", operation}}, {}));
  TRY(auto done, await_application(ctx, client, app.key(), [](const kube::Object& now) {
        auto phase = now["status"]["operationState"]["phase"].text();
        return !now["operation"].present() && phase != "Running" && !phase.empty();
      }));
  auto op = done["status"]["operationState"];
  auto phase = op["phase"].text();
  io.said(fmt::format("{}: {}", paint(io, phase), op["message"].text()), op.value());
  return phase == "Succeeded" ? 0 : 1;
}

}  // namespace slipway::cli
