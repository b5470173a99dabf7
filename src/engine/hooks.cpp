#include "engine/hooks.h"
#include "engine/config_repository.h"

#include "base/encode.h"
#include "base/log.h"
#include "base/metrics.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "engine/render.h"
#include "engine/workflows.h"
#include "forge/hook.h"
#include "intake/intake.h"

namespace slipway::engine {
namespace {

Counter hooks_total("slipway_intake_hooks_total", "webhooks that were taken, by forge");

std::vector<std::string> hook_secrets(House& house) {
  std::vector<std::string> values;
  auto secret = house.client->get(Ctx{}.within(Millis(5000)), {"v1", "Secret"}, {home, "webhooks"});
  if (!secret || !*secret) return values;
  for (const auto& [key, value] : (**secret)["data"].members())
    if (auto plain = from_base64(value.text())) values.push_back(*std::move(plain));
  return values;
}

Result<> take(const Ctx& ctx, House& house, const forge::Hook& hook) {
  hooks_total.add(1, {{"forge", std::string(to_string(hook.provider))}});
  if (hook.type != forge::Hook::Type::push && hook.type != forge::Hook::Type::tag &&
      hook.type != forge::Hook::Type::pull_request)
    return {};
  auto folder = house.git->path_of(hook.repository);
  TRY_OK(make_dirs(folder.parent_path()));
  TRY(auto access, access_to(ctx, house, hook.clone_url));
  TRY_IN(auto mirror, "mirror " + hook.repository,
         git::Repository::mirror(ctx.within(Millis(120000)), hook.clone_url, folder, access));
  if (hook.type != forge::Hook::Type::pull_request)
    TRY_OK(tell_of_ref(ctx, house, hook.repository, hook.ref, hook.before,
                       hook.after.empty() ? std::string(git::zero_oid) : hook.after, hook.author));
  TRY(auto change, intake::change_of_hook(hook, mirror));
  if (!change) return {};
  change->repository = hook.repository;
  TRY_OK(record(ctx, *house.client, "Change", name_of(*change), to_doc(*change),
                {{"slipway.dev/repository", object_name(hook.repository)}}));
  repository_changed(house, hook.clone_url);
  return {};
}

}  // namespace

net::Handler webhook_routes(House& house) {
  forge::ReceiverOptions options;
  options.secrets = [&house](forge::Provider) { return hook_secrets(house); };
  options.take = [&house](const Ctx& ctx, const forge::Hook& hook) { return take(ctx, house, hook); };
  auto receiver = std::make_shared<forge::HookReceiver>(std::move(options));
  return
      [receiver, routes = receiver->routes()](const Ctx& ctx, net::Request& request) { return routes(ctx, request); };
}

}  // namespace slipway::engine
