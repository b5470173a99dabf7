// cache ls, rm: what jobs keep between runs. Also beside a running slipway: entries are in a database.
#include "base/text.h"
#include "ci/jobcache.h"
#include "cli/command.h"

namespace slipway::cli {
namespace {

Result<std::unique_ptr<ci::JobCache>> open(const Arguments& arguments) {
  auto folder = data_dir(arguments) / "jobs";
  if (!path_exists(folder))
    return Fail(Error(Kind::not_found, fmt::format("{}: there are no caches here", folder.native()))
                    .with_hint("--data says whose caches are meant"));
  // Nothing is put by these commands, so no limit of the server's is needed.
  return ci::open_file_job_cache(folder);
}

std::string short_ref(std::string ref) {
  for (std::string_view prefix : {"refs/heads/", "refs/tags/"})
    if (ref.starts_with(prefix)) ref.erase(0, prefix.size());
  return ref;
}

bool is_meant(const ci::CacheEntry& entry, const Arguments& arguments) {
  auto key = arguments.get("key"), ref = arguments.get("ref");
  return entry.name.key.starts_with(key) &&
         (ref.empty() || ref == entry.name.scope || ref == short_ref(entry.name.scope));
}

Result<int> ls(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto cache, open(arguments));
  TRY(auto* store, cache->caches());
  TRY(auto entries, store->list(arguments.get("repository")));
  std::erase_if(entries, [&](const auto& entry) { return !is_meant(entry, arguments); });
  if (io.json()) {
    doc::List out;
    for (const auto& e : entries)
      out.emplace_back(doc::Map{{"id", e.number},
                                {"repository", e.name.repository},
                                {"ref", e.name.scope},
                                {"key", e.name.key},
                                {"version", e.name.version},
                                {"sizeInBytes", e.bytes},
                                {"digest", e.digest.str()},
                                {"createdAt", rfc3339(e.created)},
                                {"lastAccessedAt", rfc3339(e.used)}});
    io.document(out);
    return 0;
  }
  std::vector<std::vector<std::string>> rows;
  std::uint64_t total = 0;
  auto age = [&](WallTime then) {
    return human_duration(std::chrono::duration_cast<Millis>(ctx.clock->wall() - then));
  };
  for (const auto& e : entries) {
    rows.push_back({std::to_string(e.number), e.name.repository, short_ref(e.name.scope), e.name.key,
                    human_bytes(e.bytes), age(e.created), age(e.used)});
    total += e.bytes;
  }
  if (!rows.empty()) io.table({"ID", "REPOSITORY", "REF", "KEY", "SIZE", "AGE", "USED"}, rows);
  io.note(fmt::format("{} caches, {}", entries.size(), human_bytes(total)));
  return 0;
}

Result<int> rm(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto cache, open(arguments));
  TRY(auto* store, cache->caches());
  std::vector<std::int64_t> numbers;
  for (const auto& text : arguments.all("id")) {
    auto number = to_int(text);
    if (!number) return fail(Kind::invalid, "\"{}\" is no ID of slipway cache ls", text);
    numbers.push_back(*number);
  }
  if (numbers.empty()) {
    if (!arguments.has("repository") && !arguments.has("key") && !arguments.has("ref") && !arguments.has("all"))
      return Fail(Error(Kind::invalid, "say which caches: IDs, --repository, --ref, --key or --all"));
    TRY(auto entries, store->list(arguments.get("repository")));
    for (const auto& entry : entries)
      if (is_meant(entry, arguments)) numbers.push_back(entry.number);
  }
  for (auto number : numbers) TRY_OK(store->remove(ctx, number));
  io.said(fmt::format("{} caches are removed", numbers.size()), doc::Map{{"removed", numbers.size()}});
  return 0;
}

}  // namespace

std::vector<Command> cache_commands() {
  std::vector<Option> which{{"--repository,-R", "of this repository, as OWNER/NAME"},
                            {"--ref", "written for this branch or ref"},
                            {"--key,-k", "whose key begins so"},
                            {"--data", "data directory"}};
  auto some = which;
  some.push_back({"--all,-a", "all of them", true});
  return {
      {"cache ls", "the caches that jobs keep", "slipway cache ls --key linux-", which, {}, ls},
      {"cache rm",
       "removes caches; jobs make them anew",
       "slipway cache rm --repository acme/shop",
       some,
       {{"id", "as cache ls prints it", false, true}},
       rm},
  };
}

}  // namespace slipway::cli
