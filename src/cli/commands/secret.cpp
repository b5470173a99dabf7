// secret set, ls, rm: what workflow runs of a repository get as ${{ secrets.NAME }}.
#include <unistd.h>

#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "cli/command.h"
#include "engine/recorder.h"

namespace slipway::cli {
namespace {

const kube::Type secret_type{"v1", "Secret"};
constexpr std::string_view label = "slipway.dev/ci-secrets";

kube::Key key_of(const std::string& repository) { return {engine::home, engine::object_name("ci-" + repository)}; }

Result<> check_name(const std::string& name) {
  bool good = !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
  });
  if (!good) return fail(Kind::invalid, "secret name \"{}\": want letters, digits and _, no digit first", name);
  if (lower(name).starts_with("github_"))
    return fail(Kind::invalid, "secret name \"{}\": names that start with GITHUB_ are the runner's own", name);
  return {};
}

// From --file, else standard input: a value on the command line is seen by every user of the machine.
Result<std::string> value_of(const Arguments& arguments, Io& io) {
  if (arguments.has("file")) return read_file(arguments.get("file"), 1 << 20);
  if (::isatty(0) == 1) io.note("the value, then end of file (Ctrl-D):");
  TRY(auto text, read_all(0));
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<int> set(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto repository = arguments.get("repository"), name = arguments.get("name");
  TRY_OK(check_name(name));
  TRY(auto value, value_of(arguments, io));
  if (value.empty()) return fail(Kind::invalid, "secret {}: its value is empty", name);
  TRY(auto client, connect(ctx, arguments));
  auto key = key_of(repository);
  TRY(auto there, client->get(ctx, secret_type, key));
  if (!there) {
    auto object = kube::make_object(secret_type, key);
    object["metadata"]["labels"] = doc::Map{{std::string(label), "true"}};
    object["metadata"]["annotations"] = doc::Map{{"slipway.dev/repository", repository}};
    object["type"] = "Opaque";
    object["data"] = doc::Map{{name, to_base64(value)}};
    auto made = client->create(ctx, std::move(object), {});
    if (!made && !made.error().is(Kind::conflict)) return Fail(std::move(made).error());
    if (!made) there = kube::Object();  // somebody else made it just now
  }
  if (there)
    TRY_OK(client->patch(ctx, secret_type, key, kube::PatchType::merge,
                         doc::Map{{"data", doc::Map{{name, to_base64(value)}}}}, {}));
  if (io.json())
    io.document(doc::Map{{"repository", repository}, {"name", name}});
  else
    io.line(fmt::format("{}: {} is set; runs from now on get it, but for those of untrusted pull requests", repository,
                        name));
  return 0;
}

Result<int> ls(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto objects, client->list(ctx, secret_type, {.ns = engine::home}));
  auto only = arguments.get("repository");
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& object : objects.items) {
    if (!object.name().starts_with("ci-")) continue;
    auto repository = object["metadata"]["annotations"]["slipway.dev/repository"].str_or(object.name().substr(3));
    if (!only.empty() && repository != only) continue;
    for (const auto& [name, value] : object["data"].members()) {
      rows.push_back({repository, name});
      documents.emplace_back(doc::Map{{"repository", repository}, {"name", name}});
    }
  }
  if (io.json())
    io.document(documents);
  else
    io.table({"REPOSITORY", "SECRET"}, rows);
  return 0;
}

Result<int> rm(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto repository = arguments.get("repository"), name = arguments.get("name");
  TRY(auto client, connect(ctx, arguments));
  TRY(auto there, client->get(ctx, secret_type, key_of(repository)));
  if (!there || !(*there)["data"][name].exists())
    return Fail(Error(Kind::not_found, fmt::format("{}: there is no secret {}", repository, name))
                    .with_hint("slipway secret ls"));
  TRY_OK(client->patch(ctx, secret_type, key_of(repository), kube::PatchType::merge,
                       doc::Map{{"data", doc::Map{{name, nullptr}}}}, {}));
  if (io.json())
    io.document(doc::Map{{"repository", repository}, {"name", name}});
  else
    io.line(fmt::format("{}: {} is gone", repository, name));
  return 0;
}

}  // namespace

std::vector<Command> secret_commands() {
  Positional repository{"repository", "source repository"}, name{"name", "NAME of ${{ secrets.NAME }}"};
  return {
      {"secret set",
       "gives the workflows of a repository a secret",
       "slipway secret set shop DEPLOY_KEY <key",
       with_connection({{"--file", "read the value from this file, not from standard input"}}),
       {repository, name},
       set},
      {"secret ls",
       "names of secrets, never their values",
       "slipway secret ls shop",
       with_connection(),
       {{"repository", "only of this one", false}},
       ls},
      {"secret rm",
       "takes a secret away",
       "slipway secret rm shop DEPLOY_KEY",
       with_connection(),
       {repository, name},
       rm},
  };
}

}  // namespace slipway::cli
