// pr list, view, merge. A pull request is opened by git itself: git push origin HEAD:refs/for/main.
#include "base/process.h"
#include "base/text.h"
#include "cli/command.h"
#include "engine/recorder.h"
#include "promote/chain.h"

namespace slipway::cli {
namespace {

using engine::home;
using engine::kind;

std::string state_paint(const Io& io, std::string_view state) {
  if (state == "Succeeded" || state == "merged") return io.paint(Io::Paint::good, state);
  if (state == "Failed" || state == "Cancelled") return io.paint(Io::Paint::bad, state);
  if (state == "Pending" || state == "Running" || state == "Waiting") return io.paint(Io::Paint::warn, state);
  return std::string(state);
}

// "shop#7", "shop/7" or "7" with --repository.
Result<std::string> object_of(const Arguments& arguments) {
  auto text = arguments.get("number");
  auto at = text.find_last_of("#/");
  auto repository = at == std::string::npos ? arguments.get("repository") : text.substr(0, at);
  auto number = to_int(at == std::string::npos ? text : text.substr(at + 1));
  if (!number || repository.empty())
    return Fail(Error(Kind::invalid, fmt::format("pull request \"{}\": want REPOSITORY#NUMBER", text))
                    .with_hint("slipway pr list"));
  return engine::object_name(fmt::format("{}-{}", repository, *number));
}

Result<kube::Object> get(const Ctx& ctx, kube::Client& client, const Arguments& arguments) {
  TRY(auto name, object_of(arguments));
  TRY(auto object, engine::find(ctx, client, "PullRequest", name));
  if (!object)
    return Fail(Error(Kind::not_found, fmt::format("there is no pull request {}", arguments.get("number")))
                    .with_hint("slipway pr list"));
  return *object;
}

Result<int> create(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto output,
      run(ctx, {.argv = {"git", "push", arguments.get("remote"), "HEAD:refs/for/" + arguments.get("base")}}));
  if (io.json())
    io.document(doc::Map{{"ok", output.ok()}, {"output", output.out + output.err}});
  else
    io.print(output.out), io.note(output.err);
  return output.ok() ? 0 : 1;
}

Result<int> list(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto objects, engine::all(ctx, *client, "PullRequest"));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& o : objects) {
    auto spec = o["spec"], status = o["status"];
    if (!arguments.has("all") && status["state"].str_or("open") != "open") continue;
    if (arguments.has("repository") && spec["repository"].text() != arguments.get("repository")) continue;
    rows.push_back({fmt::format("{}#{}", spec["repository"].text(), spec["number"].text()),
                    status["state"].str_or("open"), state_paint(io, status["checksState"].str_or("Pending")),
                    spec["author"].text(), spec["title"].text()});
    documents.push_back(o.copy());
  }
  if (io.json())
    io.document(documents);
  else
    io.table({"PULL REQUEST", "STATE", "CHECKS", "AUTHOR", "TITLE"}, rows);
  return 0;
}

Result<int> view(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto object, get(ctx, *client, arguments));
  if (io.json()) {
    io.document(object.value());
    return 0;
  }
  auto spec = object["spec"], status = object["status"];
  io.line(io.paint(Io::Paint::bold,
                   fmt::format("{}#{}  {}", spec["repository"].text(), spec["number"].text(), spec["title"].text())));
  io.line(fmt::format("{} by {}, into {}, head {}", status["state"].str_or("open"), spec["author"].text(),
                      spec["base"].text(), spec["head"].text().substr(0, 12)));
  if (auto message = status["message"].text(); !message.empty()) io.line(message);
  for (const auto& check : status["checks"].items())
    io.line(fmt::format("  {:<12} {}  {}", state_paint(io, check["state"].text()), check["context"].text(),
                        check["message"].text()));
  if (auto comment = status["comment"].text(); !comment.empty()) io.line("\n" + comment);
  return 0;
}

Result<int> merge(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto object, get(ctx, *client, arguments));
  if (object["status"]["state"].text() == "merged") {
    io.said("merged already", object.value());
    return 0;
  }
  TRY_OK(kube::modify(ctx, *client, kind("PullRequest"), object.key(), {}, [&](doc::Value& o) -> Result<bool> {
    o["spec"]["merge"] = doc::Map{{"by", current_user()}};
    if (arguments.has("override-window")) o["spec"]["merge"]["overrideWindow"] = true;
    return true;
  }));
  TRY(auto wait, parse_duration(arguments.get("timeout")));
  std::string why;
  bool held = false, past = arguments.has("override-window");
  auto done = kube::await(ctx.within(wait), *client, kind("PullRequest"), object.key(), [&](const kube::Object& now) {
    auto checks = now["status"]["checksState"].text();
    bool mergeable = now["status"]["mergeable"].bool_or(true);
    auto message = now["status"]["message"].text();
    held = !past && message.starts_with(promote::held_mark);  // what is put past it may still say so from before
    why = held || !mergeable ? message : "checks: " + checks;
    return now["status"]["state"].text() == "merged" || checks == "Failed" || !mergeable || held;
  });
  if (done && held) {
    io.said(fmt::format("{}; merges when the window lets it, --override-window does not wait", why), done->value());
    return 0;
  }
  if (!done && done.error().is(Kind::timeout))
    return fail(Kind::timeout, "not merged after {}: {} (it merges when its checks pass)", arguments.get("timeout"),
                why);
  if (!done) return Fail(std::move(done).error());
  if ((*done)["status"]["state"].text() != "merged") return fail(Kind::denied, "not merged: {}", why);
  if (io.json())
    io.document(done->value());
  else
    io.line("merged as " + (*done)["status"]["mergeCommit"].text());
  return 0;
}

Result<int> close(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto object, get(ctx, *client, arguments));
  if (auto state = object["status"]["state"].text(); state == "closed" || state == "merged") {
    io.said(state + " already", object.value());
    return state == "closed" ? 0 : 1;
  }
  TRY_OK(kube::modify(ctx, *client, kind("PullRequest"), object.key(), {}, [](doc::Value& o) -> Result<bool> {
    o["spec"]["close"] = doc::Map{{"by", current_user()}};
    return true;
  }));
  TRY(auto done, kube::await(ctx.within(Millis(60000)), *client, kind("PullRequest"), object.key(),
                             [](const kube::Object& now) { return now["status"]["state"].str_or("open") != "open"; }));
  if (auto state = done["status"]["state"].text(); state != "closed") return fail(Kind::conflict, "is {} now", state);
  io.said("closed", done.value());
  return 0;
}

}  // namespace

std::vector<Command> pr_commands() {
  Option repository{"--repository,-r", "repository of the embedded host"};
  Positional number{"number", "REPOSITORY#NUMBER"};
  return {
      {"pr create",
       "opens a pull request from HEAD (git push REMOTE HEAD:refs/for/BRANCH)",
       "slipway pr create --base main",
       {{"--base", "branch to merge into", false, false, "main"},
        {"--remote", "git remote of the embedded host", false, false, "origin"}},
       {},
       create},
      {"pr list",
       "open pull requests",
       "slipway pr list",
       with_connection({repository, {"--all", "closed and merged ones too", true}}),
       {},
       list},
      {"pr view",
       "one pull request: checks and what merging changes",
       "slipway pr view shop#1",
       with_connection({repository}),
       {number},
       view},
      {"pr merge",
       "merges when the checks are green",
       "slipway pr merge shop#1",
       with_connection({repository,
                        {"--timeout", "how long to wait", false, false, "5m"},
                        {"--override-window", "also while a promotion window is closed", true}}),
       {number},
       merge},
      {"pr close",
       "gives a pull request up; a promotion that it was for is cancelled",
       "slipway pr close shop#1",
       with_connection({repository}),
       {number},
       close},
  };
}

}  // namespace slipway::cli
