// build: a Dockerfile to an image in the local store, and from there to a registry or a file.
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "base/time.h"
#include "box/box.h"
#include "cli/image_layout.h"
#include "cli/local_store.h"
#include "image/builder.h"

namespace slipway::cli {
namespace {

// What a build needs beside the store. Layers and steps are kept apart from those of a running slipway, which has its
// own alone; a second build at the same time waits its turn.
struct Workbench {
  fs::path root;
  std::optional<FileLock> lock;
  std::unique_ptr<oci::LayerCache> layers;
  std::unique_ptr<box::Runtime> runtime;
  std::unique_ptr<path::ImageBuilder> builder;
};

Result<> take_turn(const Ctx& ctx, Workbench& bench, Io& io) {
  for (bool told = false;; told = true) {
    auto lock = FileLock::take(bench.root / "lock");
    if (lock) {
      bench.lock = *std::move(lock);
      return {};
    }
    if (!lock.error().is(Kind::conflict)) return Fail(std::move(lock).error());
    if (!told) io.note(fmt::format("another build uses {}: waiting for it", bench.root.native()));
    TRY_OK(sleep(ctx, Millis(100)));
  }
}

Result<std::unique_ptr<Workbench>> open_bench(const Ctx& ctx, LocalStore& store, Io& io) {
  auto bench = std::make_unique<Workbench>();
  bench->root = store.data / "cli";
  TRY_OK(make_dirs(bench->root, 0711));
  TRY_OK(take_turn(ctx, *bench, io));
  TRY(bench->layers, oci::LayerCache::open(*store.blobs, bench->root / "layers"));
  TRY(bench->runtime, box::Runtime::open(bench->root / "box"));
  TRY_OK(image::clean_up_after_crash(*bench->runtime));
  image::BuilderOptions options;
  options.registry = store.registry.get();
  options.layers = bench->layers.get();
  options.runtime = bench->runtime.get();
  options.remote = store.remote.get();
  options.root = bench->root / "build";
  options.registry_names = store.names;
  bench->builder = image::make_builder(std::move(options));
  return bench;
}

Result<std::pair<std::string, std::string>> pair_of(const std::string& option, const std::string& text) {
  auto pair = cut(text, "=");
  if (pair) return std::pair(std::string(pair->first), std::string(pair->second));
  const char* value = option == "--build-arg" ? std::getenv(text.c_str()) : nullptr;  // as docker does
  if (value != nullptr) return std::pair(text, std::string(value));
  return fail(Kind::invalid, "{} \"{}\": want NAME=VALUE", option, text);
}

// id=npm,src=.npmrc or id=token,env=TOKEN; without either the environment variable of that name.
Result<std::pair<std::string, std::string>> secret_of(const std::string& text) {
  std::string id, file, variable;
  for (auto part : split(text, ',')) {
    auto pair = cut(part, "=");
    if (!pair) return fail(Kind::invalid, "--secret \"{}\": want id=NAME,src=FILE or id=NAME,env=VARIABLE", text);
    if (pair->first == "id")
      id = pair->second;
    else if (pair->first == "src" || pair->first == "source")
      file = pair->second;
    else if (pair->first == "env")
      variable = pair->second;
    else if (pair->first != "type")
      return fail(Kind::invalid, "--secret \"{}\": unknown key \"{}\", want id, src or env", text, pair->first);
  }
  if (id.empty()) return fail(Kind::invalid, "--secret \"{}\": want an id", text);
  if (!file.empty()) {
    TRY_IN(auto value, "--secret", read_file(file));
    return std::pair(id, std::move(value));
  }
  const char* value = std::getenv((variable.empty() ? id : variable).c_str());
  if (value == nullptr)
    return fail(Kind::invalid, "--secret {}: there is no environment variable {}", id,
                variable.empty() ? id : variable);
  return std::pair(id, std::string(value));
}

Result<path::BuildRequest> request_of(const Arguments& arguments) {
  path::BuildRequest request;
  request.context = fs::absolute(arguments.get("context")).lexically_normal();
  if (arguments.get("context").contains("://") || arguments.get("context") == "-")
    return fail(Kind::unavailable, "context {}: not there yet, want a folder", arguments.get("context"));
  if (!fs::is_directory(request.context))
    return fail(Kind::invalid, "context {}: no such folder", request.context.native());
  // As docker has it: a path from where one stands, else one in the context.
  auto file = arguments.get("file");
  if (!file.empty()) request.dockerfile = path_exists(file) ? fs::absolute(file).native() : file;
  request.target = arguments.get("target");
  request.platform = arguments.get("platform");
  request.no_cache = arguments.has("no-cache");
  for (const auto& text : arguments.all("build-arg")) {
    TRY(auto pair, pair_of("--build-arg", text));
    request.args.insert_or_assign(pair.first, pair.second);
  }
  for (const auto& text : arguments.all("label")) {
    TRY(auto pair, pair_of("--label", text));
    request.labels.insert_or_assign(pair.first, pair.second);
  }
  for (const auto& text : arguments.all("build-context")) {
    TRY(auto pair, pair_of("--build-context", text));
    request.contexts.insert_or_assign(pair.first, fs::absolute(pair.second));
  }
  for (const auto& text : arguments.all("secret")) {
    TRY(auto pair, secret_of(text));
    request.secrets.insert_or_assign(pair.first, pair.second);
  }
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH"); epoch != nullptr) {
    auto seconds = to_int(epoch);
    if (!seconds) return fail(Kind::invalid, "SOURCE_DATE_EPOCH \"{}\": want a number of seconds", epoch);
    request.source_date_epoch = *seconds;
  }
  for (const char* option : {"cache-from", "cache-to"})
    if (arguments.has(option))
      return Fail(
          Error(Kind::unavailable, fmt::format("--{}: not there yet", option))
              .with_hint("steps are answered from the data directory's own cache: keep it between builds (--data)"));
  return request;
}

Result<int> build(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto request, request_of(arguments));
  TRY(auto store, LocalStore::open(arguments));
  std::vector<ImageName> names;
  for (const auto& tag : arguments.all("tag")) {
    TRY(auto name, image_name(*store, tag));
    if (!name.remote.digest.empty()) return fail(Kind::invalid, "--tag {}: a tag, not a digest", tag);
    names.push_back(std::move(name));
  }
  if (arguments.has("push"))
    for (const auto& name : names)
      if (name.bare)
        return Fail(Error(Kind::invalid, fmt::format("--push: {} names no registry", name.given))
                        .with_hint(fmt::format("--tag HOST/{}", name.given)));
  if (arguments.has("push") && names.empty())
    return fail(Kind::invalid, "--push: want a --tag HOST/NAME:TAG to push to");
  request.image = names.empty() ? "local/build" : names[0].repository;
  TRY(auto bench, open_bench(ctx, *store, io));
  bool quiet = arguments.has("quiet") || io.json();
  std::mutex printing;
  std::string partial;
  auto log = [&](int, std::string_view piece) {
    if (quiet) return;
    std::lock_guard hold(printing);
    partial += piece;
    for (auto end = partial.find('\n'); end != std::string::npos; end = partial.find('\n')) {
      io.note(std::string_view(partial).substr(0, end));
      partial.erase(0, end + 1);
    }
  };
  auto began = std::chrono::steady_clock::now();
  auto built = bench->builder->build(ctx, request, log);
  if (!partial.empty()) io.note(partial);
  if (!built) {
    // The command line was right: what it was to build is not.
    if (!built.error().is(Kind::invalid)) return Fail(std::move(built).error());
    io.note("slipway: build: " + built.error().print());
    return 1;
  }
  TRY(auto stored, store->registry->manifest(request.image, built->digest.str()));
  if (!stored) return fail(Kind::corrupt, "the image {} is not in the store any more", built->digest.str());
  for (const auto& name : names)
    TRY_OK(
        store->registry->put_manifest(name.repository, name.remote.tag, stored->descriptor.media_type, stored->bytes));
  doc::List pushed;
  if (arguments.has("push"))
    for (const auto& name : names) {
      if (name.ours) continue;  // it is there
      TRY_IN(auto done, "push " + name.given,
             store->remote->push(ctx, *store->registry, name.repository, name.remote.tag, name.remote));
      pushed.emplace_back(name.given);
    }
  if (arguments.has("layout"))
    TRY_OK(write_layout(ctx, *store->registry, request.image, built->digest.str(),
                        names.empty() ? built->digest.str() : names[0].given, arguments.get("layout")));
  auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (io.json()) {
    doc::List tags;
    for (const auto& name : names) tags.emplace_back(name.given);
    io.document(doc::Map{{"digest", built->digest.str()},
                         {"image", request.image},
                         {"tags", std::move(tags)},
                         {"pushed", std::move(pushed)},
                         {"bytes", built->bytes},
                         {"steps", built->steps},
                         {"cached", built->cached},
                         {"inputs", built->inputs},
                         {"seconds", seconds}});
  } else {
    io.line(built->digest.str());
    if (!quiet)
      io.note(fmt::format("{} of {} steps from the cache, {:.2f} s{}", built->cached, built->steps, seconds,
                          names.empty() ? "; untagged: --tag NAME:TAG names it" : ""));
  }
  return 0;
}

}  // namespace

std::vector<Command> build_commands() {
  return {{"build",
           "a Dockerfile to an image in the local store",
           "slipway build . -t shop/web:1 --build-arg VERSION=1",
           {{"--file,-f", "the Dockerfile (CONTEXT/Dockerfile)"},
            {"--tag,-t", "NAME:TAG, or HOST/NAME:TAG for another registry", false, true},
            {"--target", "stop at this stage"},
            {"--build-arg", "NAME=VALUE, or NAME from the environment", false, true},
            {"--label", "NAME=VALUE", false, true},
            {"--secret", "id=NAME,src=FILE or id=NAME,env=VARIABLE: for RUN --mount=type=secret", false, true},
            {"--build-context", "NAME=FOLDER for COPY --from=NAME", false, true},
            {"--platform", "like linux/arm64"},
            {"--no-cache", "do every step again", true},
            {"--push", "send it to the registries that the tags name", true},
            {"--layout", "also write an OCI layout: a folder, or a file that ends with .tar"},
            {"--cache-from", "not there yet"},
            {"--cache-to", "not there yet"},
            {"--quiet,-q", "only the digest", true},
            {"--data", "data directory of the store"}},
           {{"context", "the folder that COPY copies from"}},
           build,
           true}};
}

}  // namespace slipway::cli
