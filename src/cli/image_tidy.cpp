#include "cli/image_tidy.h"

#include "base/text.h"
#include "cli/local_store.h"
#include "engine/registry_settings.h"

namespace slipway::cli {
namespace {

struct Owner {
  std::shared_ptr<const oci::RegistryRules> rules;
  std::set<std::string> in_use;
};

// A file's rules go by themselves; those of a running slipway come with what its cluster uses.
Result<Owner> owner_of(const Ctx& ctx, const Arguments& arguments, const LocalStore& store) {
  Owner owner;
  if (arguments.has("rules")) {
    auto file = arguments.get("rules");
    TRY(auto text, read_file(file));
    TRY(auto rules, oci::parse_registry_rules(text, file));
    owner.rules = std::make_shared<const oci::RegistryRules>(std::move(rules));
    if (!path_exists(store.data / "kubeconfig")) return owner;
  }
  auto client = connect(ctx, arguments);
  if (!client)
    return Fail(std::move(client)
                    .error()
                    .in("what is in use")
                    .with_hint("slipway up --data DIR: its rules, and what its cluster runs, decide what may go"));
  if (!owner.rules) {
    TRY(auto rules, engine::read_registry_rules(ctx, **client));
    owner.rules = std::make_shared<const oci::RegistryRules>(std::move(rules));
  }
  TRY(owner.in_use, engine::digests_in_use(ctx, **client, *store.registry, store.names));
  return owner;
}

}  // namespace

Result<int> collect_garbage(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto store, LocalStore::open(arguments));
  oci::GcOptions options;
  options.dry_run = arguments.has("dry-run");
  TRY_IN(options.grace, "--grace", parse_duration(arguments.get("grace")));
  TRY(auto report, store->registry->collect_garbage(ctx, options));
  if (io.json()) {
    io.document(doc::Map{{"dryRun", options.dry_run},
                         {"removed", report.removed},
                         {"bytes", report.bytes},
                         {"waiting", report.waiting},
                         {"waitingBytes", report.waiting_bytes},
                         {"links", report.links},
                         {"uploads", report.uploads}});
    return 0;
  }
  io.line(fmt::format("{} {} in {} blobs", options.dry_run ? "would free" : "freed", human_bytes(report.bytes),
                      report.removed));
  if (report.waiting > 0)
    io.line(fmt::format("{} in {} blobs wait: nothing reaches them, but they were here {} ago",
                        human_bytes(report.waiting_bytes), report.waiting, human_duration(options.grace)));
  if (report.uploads > 0) io.line(fmt::format("{} uploads that nobody went on with", report.uploads));
  return 0;
}

Result<int> expire_images(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto store, LocalStore::open(arguments));
  TRY(auto owner, owner_of(ctx, arguments, *store));
  if (owner.rules->keep.empty())
    return Fail(Error(Kind::invalid, "no rule says what is kept, so everything is")
                    .with_hint("docs/registry.md: `keep` in the ConfigMap registry"));
  oci::RegistryOptions options;
  options.rules = [&] { return owner.rules; };
  TRY(auto registry, oci::Registry::open(*store->blobs, store->data / "registry.db", std::move(options)));
  oci::ExpireOptions expire;
  expire.dry_run = arguments.has("dry-run");
  expire.in_use = [&](std::string_view, const Digest& digest) { return owner.in_use.contains(digest.str()); };
  TRY(auto gone, registry->expire(ctx, expire));
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : gone) {
    rows.push_back({item.repository, item.tag.empty() ? "-" : item.tag, item.digest.str().substr(0, 19), item.why});
    documents.emplace_back(
        doc::Map{{"repository", item.repository}, {"tag", item.tag}, {"digest", item.digest.str()}, {"why", item.why}});
  }
  if (io.json()) {
    io.document(doc::Map{{"dryRun", expire.dry_run}, {"expired", std::move(documents)}});
    return 0;
  }
  if (!rows.empty()) io.table({"REPOSITORY", "TAG", "DIGEST", "WHY"}, rows);
  io.note(
      fmt::format("{} {}", rows.size(), expire.dry_run ? "would go" : "are gone; slipway image gc frees their bytes"));
  return 0;
}

}  // namespace slipway::cli
