#include "engine/notices.h"

#include "base/encode.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/house.h"
#include "engine/recorder.h"
#include "notify/notify.h"

namespace slipway::engine {
namespace {

// A value of a Secret in the home namespace.
notify::SecretLookup secrets_of(const Ctx& ctx, House& house) {
  return [&ctx, &house](const std::string& name, const std::string& key) -> Result<std::string> {
    TRY(auto secret, house.client->get(ctx, {"v1", "Secret"}, {home, name}));
    if (!secret) return fail(Kind::not_found, "there is no Secret {}/{}", home, name);
    auto value = (*secret)["data"][key].text();
    if (value.empty()) return fail(Kind::not_found, "Secret {}/{} has no key {}", home, name, key);
    TRY(auto plain, from_base64(value));
    house.redaction->add(plain);
    return plain;
  };
}

std::set<std::string> delivered_to(const kube::Object& notice) {
  std::set<std::string> names;
  for (const auto& name : notice["status"]["delivered"].items()) names.insert(name.text());
  return names;
}

// What the Notifier's status says, so that a wrong one is seen where it is listed. Writes nothing that is there
// already.
Result<> note(const Ctx& ctx, House& house, const std::string& name, const std::function<void(doc::Value&)>& change) {
  auto noted = kube::modify(ctx, *house.client, kind("Notifier"), {home, name}, {.subresource = "status"},
                            [&](doc::Value& o) -> Result<bool> {
                              auto before = doc::View(o)["status"].value();
                              if (!o["status"].is_map()) o["status"] = doc::Map{};
                              change(o["status"]);
                              return !(doc::View(o)["status"].value() == before);
                            });
  if (noted || noted.error().is(Kind::not_found)) return {};
  return Fail(std::move(noted).error());
}

Result<> note_problem(const Ctx& ctx, House& house, const std::string& name, const std::string& problem) {
  return note(ctx, house, name, [&](doc::Value& status) { status["message"] = house.redaction->redact(problem); });
}

Result<> note_delivery(const Ctx& ctx, House& house, const std::string& name) {
  return note(ctx, house, name, [](doc::Value& status) {
    status["delivered"] = doc::View(status)["delivered"].num_or(0) + 1;
    status["message"] = "";
  });
}

}  // namespace

Result<> check_notifier(const doc::Value& notifier) {
  // What Secrets hold is not known yet, and may change: only that it is named.
  auto anything = [](const std::string&, const std::string&) -> Result<std::string> { return "https://secret"; };
  auto target = notify::target_from(doc::View(notifier), anything);
  return target ? Result<>{} : Result<>(Fail(std::move(target).error()));
}

Result<std::optional<Millis>> look_at_notifier(const Ctx& ctx, House& house, const std::string& name) {
  std::optional<Millis> later;
  TRY(auto notifier, find(ctx, *house.client, "Notifier", name));
  if (!notifier) return later;
  auto target = notify::target_from(notifier->view(), secrets_of(ctx, house));
  if (!target && target.error().retryable()) return Fail(std::move(target).error());
  if (!target) later = Millis(60000);  // the Secret that it names may come
  TRY_OK(note(ctx, house, name, [&](doc::Value& status) {
    auto before = doc::View(status);
    bool of_the_past =
        before["wrong"].bool_or(false) || before["observedGeneration"].num_or(0) != notifier->generation();
    if (!target)
      status["message"] = house.redaction->redact(target.error().what());
    else if (of_the_past)  // how the last delivery went stays
      status["message"] = "";
    status["wrong"] = !target.has_value();
    status["observedGeneration"] = notifier->generation();
  }));
  return later;
}

Result<> announce(const Ctx& ctx, House& house, const path::Notice& notice) {
  auto made = record(ctx, *house.client, "Notice", object_name(notice.id), to_doc(notice));
  return made ? Result<>{} : Result<>(Fail(std::move(made).error()));
}

Result<std::optional<Millis>> deliver(const Ctx& ctx, House& house, const std::string& name) {
  std::optional<Millis> later;
  TRY(auto object, find(ctx, *house.client, "Notice", name));
  if (!object || (*object)["status"]["phase"].text() == "Delivered") return later;
  // The write of a failed try wakes us again; the next try has its time.
  if (auto due = parse_rfc3339((*object)["status"]["nextTry"].text()); due && *due > ctx.clock->wall())
    return std::optional(std::chrono::duration_cast<Millis>(*due - ctx.clock->wall()) + Millis(1));
  TRY(auto notice, path::notice_from((*object)["spec"]));
  TRY(auto notifiers, all(ctx, *house.client, "Notifier"));
  auto done = delivered_to(*object);
  auto tries = (*object)["status"]["tries"].num_or(0);
  doc::List problems;
  for (const auto& notifier : notifiers) {
    if (done.contains(notifier.name())) continue;
    auto target = notify::target_from(notifier.view(), secrets_of(ctx, house));
    if (!target) {
      problems.emplace_back(notifier.name() + ": " + target.error().what());
      TRY_OK(note_problem(ctx, house, notifier.name(), target.error().what()));
      continue;
    }
    if (!notify::matches(target->rule, notice)) continue;
    notify::NotifierOptions options;
    options.redact = [redaction = house.redaction](std::string_view text) { return redaction->redact(text); };
    auto sender = notify::make_notifier(*std::move(target), std::move(options));
    auto sent = sender ? (*sender)->send(ctx.within(Millis(15000)), notice) : Result<>(Fail(std::move(sender).error()));
    if (sent) {
      done.insert(notifier.name());
      TRY_OK(note_delivery(ctx, house, notifier.name()));
      continue;
    }
    if (sent.error().is(Kind::cancelled)) return Fail(std::move(sent).error());
    LOG(warn, "notify.failed", {"notifier", notifier.name()}, {"notice", name}, {"error", sent.error().what()});
    problems.emplace_back(notifier.name() + ": " + sent.error().what());
    TRY_OK(note_problem(ctx, house, notifier.name(),
                        fmt::format("{} was not delivered: {}", notice.event, sent.error().what())));
    if (sent.error().retryable() && tries < 20)
      later = std::min(Millis(1000) * (1 << std::min<std::int64_t>(tries, 8)), Millis(300000));
  }
  doc::List names;
  for (const auto& n : done) names.emplace_back(n);
  TRY_OK(
      set_status(ctx, *house.client, "Notice", name,
                 doc::Map{{"delivered", names},
                          {"problems", problems},
                          {"tries", tries + 1},
                          {"phase", later ? "Retrying" : "Delivered"},
                          {"nextTry", later ? doc::Value(rfc3339_millis(ctx.clock->wall() + *later)) : doc::Value()}}));
  return later;
}

}  // namespace slipway::engine
