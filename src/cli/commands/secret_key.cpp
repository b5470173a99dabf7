// secret new-key, ls, export, import, rm: the keys of the running Slipway. They are one Secret in the namespace of its
// Applications; old ones stay until nothing is sealed for them any more.
#include <unistd.h>

#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "cli/sealing.h"
#include "gitops/keys.h"

namespace slipway::cli {
namespace {

const kube::Type secret_type{"v1", "Secret"};

kube::Key place(const Arguments& arguments) { return {arguments.get("namespace"), arguments.get("name")}; }

// Later keys sort behind earlier ones.
std::string entry_name(WallTime now) {
  auto time = replace_all(replace_all(rfc3339(now), ":", ""), "-", "");
  return fmt::format("{}-{}.agekey", lower(time), random_hex(2));
}

Result<> add(const Ctx& ctx, const Arguments& arguments, const std::vector<secret::AgeIdentity>& identities) {
  TRY(auto client, connect(ctx, arguments));
  doc::Map data;
  for (const auto& identity : identities)
    data.set(entry_name(ctx.clock->wall()),
             to_base64(fmt::format("# public key: {}\n{}\n", identity.recipient(), identity.text())));
  auto key = place(arguments);
  TRY(auto there, client->get(ctx, secret_type, key));
  if (there) {
    doc::Map label{{std::string(gitops::sops_keys_label), "true"}};
    auto patched =
        client->patch(ctx, secret_type, key, kube::PatchType::merge,
                      doc::Map{{"metadata", doc::Map{{"labels", std::move(label)}}}, {"data", std::move(data)}}, {});
    return patched ? Result<>{} : Result<>(Fail(std::move(patched).error()));
  }
  auto object = kube::make_object(secret_type, key);
  object["metadata"]["labels"] = doc::Map{{std::string(gitops::sops_keys_label), "true"}};
  object["data"] = std::move(data);
  auto made = client->create(ctx, std::move(object), {});
  return made ? Result<>{} : Result<>(Fail(std::move(made).error()));
}

Result<int> create(const Ctx& ctx, const Arguments& arguments, Io& io) {
  std::vector identities{secret::AgeIdentity::generate()};
  TRY_OK(add(ctx, arguments, identities));
  io.said(identities[0].recipient(), doc::Map{{"recipient", identities[0].recipient()}});
  io.note("keep a copy where the cluster cannot lose it: slipway secret export-keys");
  return 0;
}

Result<int> import(const Ctx& ctx, const Arguments& arguments, Io& io) {
  Arguments files;
  files.add("key-file", arguments.get("file"));
  TRY(auto text, read_file(arguments.get("file"), 1 << 20));
  TRY(auto identities, local_identities(files));
  if (identities.empty()) return fail(Kind::invalid, "{}: holds no age key", arguments.get("file"));
  TRY_OK(add(ctx, arguments, identities));
  io.said(fmt::format("{} keys are there", identities.size()), doc::Map{{"keys", std::int64_t(identities.size())}});
  return 0;
}

Result<std::vector<secret::AgeIdentity>> stored(const Ctx& ctx, const Arguments& arguments) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto there, client->get(ctx, secret_type, place(arguments)));
  if (!there)
    return Fail(Error(Kind::not_found, fmt::format("there is no Secret {}", place(arguments).str()))
                    .with_hint("slipway secret new-key"));
  return gitops::identities_of(*there);
}

Result<int> list(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto identities, stored(ctx, arguments));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < identities.size(); ++i) {
    bool newest = i + 1 == identities.size();
    documents.emplace_back(doc::Map{{"recipient", identities[i].recipient()}, {"newest", newest}});
    rows.push_back({identities[i].recipient(), newest ? "seals and opens" : "opens"});
  }
  if (io.json())
    io.document(documents);
  else
    io.table({"RECIPIENT", "USE"}, rows);
  return 0;
}

Result<int> export_keys(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto identities, stored(ctx, arguments));
  std::string text;
  for (const auto& identity : identities)
    text += fmt::format("# public key: {}\n{}\n", identity.recipient(), identity.text());
  if (arguments.has("passphrase-file")) {
    TRY(auto passphrase, read_file(arguments.get("passphrase-file"), 1 << 16));
    TRY(text, secret::age_encrypt(text, trim_end(passphrase), secret::Armor::yes));
  } else if (io.terminal()) {
    return Fail(Error(Kind::invalid, "keys are not shown on a terminal")
                    .with_hint("slipway secret export-keys > keys.txt, or --passphrase-file FILE"));
  }
  io.print(text);
  return 0;
}

Result<int> remove(const Ctx& ctx, const Arguments& arguments, Io& io) {
  auto recipient = arguments.get("recipient");
  TRY(auto client, connect(ctx, arguments));
  bool found = false;
  auto take = [&](doc::Value& object) -> Result<bool> {
    kube::Object secret{doc::Value(object)};
    std::vector<std::string> gone;
    for (const auto& [name, value] : secret["data"].members()) {
      auto text = name.ends_with(".agekey") ? from_base64(value.text()) : Result<std::string>("");
      if (!text) continue;
      auto keys = secret::parse_identities(*text, name);
      if (keys && keys->size() == 1 && keys->front().recipient() == recipient) gone.push_back(name);
    }
    for (const auto& name : gone) object["data"].map().erase(name);
    found = !gone.empty();
    return found;
  };
  TRY_OK(kube::modify(ctx, *client, secret_type, place(arguments), {}, take));
  if (!found) return fail(Kind::not_found, "{}: is no key of {}", recipient, place(arguments).str());
  io.said(fmt::format("{} is gone: what is sealed for it alone cannot be opened any more", recipient),
          doc::Map{{"recipient", recipient}});
  return 0;
}

}  // namespace

std::vector<Command> key_commands() {
  auto options = [](std::vector<Option> more = {}) {
    more.push_back({"--namespace", "of the Applications or Kustomizations that use the key", false, false, "argocd"});
    more.push_back({"--name", "of the Secret", false, false, std::string(gitops::sops_keys_name)});
    return with_connection(std::move(more));
  };
  return {
      {"secret new-key",
       "makes a key for the running slipway and prints whom to seal for",
       "slipway secret new-key",
       options(),
       {},
       create},
      {"secret keys", "whom files are sealed for", "slipway secret keys", options(), {}, list},
      {"secret export-keys",
       "prints the keys, for a backup",
       "slipway secret export-keys --passphrase-file pass > keys.age",
       options({{"--passphrase-file", "seal the backup with what this file says"}}),
       {},
       export_keys},
      {"secret import-keys",
       "gives a new cluster the keys of a backup",
       "slipway secret import-keys keys.age",
       options(),
       {{"file", "an age key file, or one with a passphrase (SLIPWAY_AGE_PASSPHRASE)"}},
       import},
      {"secret rm-key",
       "takes a key away that nothing is sealed for any more",
       "slipway secret rm-key age1old",
       options(),
       {{"recipient", "age1..."}},
       remove},
  };
}

}  // namespace slipway::cli
