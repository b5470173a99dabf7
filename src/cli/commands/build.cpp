// build: a Dockerfile to an image in the local store, and from there to a registry or a file.
#include "base/text.h"
#include "base/time.h"
#include "box/box.h"
#include "cli/build_options.h"
#include "cli/build_progress.h"
#include "cli/local_store.h"
#include "doc/json.h"
#include "image/builder.h"
#include "image/checks.h"
#include "oci/export.h"
#include "oci/layout.h"
#include "path/build_spelling.h"
#include "scan/scanner.h"

namespace slipway::cli {
namespace {

// What a build needs beside the store. Layers and steps are kept apart from those of a running slipway, which has its
// own alone; a second build at the same time waits its turn.
struct Workbench {
  fs::path root;
  std::optional<FileLock> lock;
  std::unique_ptr<oci::LayerCache> layers;
  std::unique_ptr<box::Runtime> runtime;
  std::unique_ptr<path::Scanner> scanner;
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

Result<std::unique_ptr<Workbench>> open_bench(const Ctx& ctx, LocalStore& store, Io& io, bool scans) {
  auto bench = std::make_unique<Workbench>();
  bench->root = store.data / "cli";
  TRY_OK(make_dirs(bench->root, 0711));
  TRY_OK(take_turn(ctx, *bench, io));
  TRY(bench->layers, oci::LayerCache::open(*store.blobs, bench->root / "layers", oci::LayerCache::Ending::quick));
  TRY(bench->runtime, box::Runtime::open(bench->root / "box"));
  TRY_OK(image::clean_up_after_crash(*bench->runtime));
  image::BuilderOptions options;
  options.registry = store.registry.get();
  options.layers = bench->layers.get();
  options.runtime = bench->runtime.get();
  options.remote = store.remote.get();
  options.root = bench->root / "build";
  options.registry_names = store.names;
  if (scans) {
    TRY(bench->scanner, scan::make_scanner({.registry = store.registry.get(), .attach_sbom = false}));
    options.scanner = bench->scanner.get();
  }
  bench->builder = image::make_builder(std::move(options));
  return bench;
}

// The Dockerfile as the builder will read it.
Result<int> check(const path::BuildRequest& request, Io& io) {
  fs::path path = request.dockerfile;
  if (path.is_relative()) path = request.context / path;
  TRY(auto text, read_file(path, 16 << 20));
  auto parsed = image::parse_dockerfile(text, request.dockerfile);
  auto plan = parsed ? image::plan_stages(*parsed) : Fail(parsed.error());
  if (!plan) {
    io.note("slipway: build: " + plan.error().print());
    return 1;
  }
  std::optional<image::IgnoreList> ignore;
  for (const auto& name : {path.native() + ".dockerignore", (request.context / ".dockerignore").native()}) {
    auto list = read_file(name, 4 << 20);
    if (!list) continue;
    TRY(ignore, image::IgnoreList::parse(*list, name));
    break;
  }
  TRY(auto checked,
      image::check_dockerfile(*parsed, *plan, {.args = request.args, .ignore = ignore ? &*ignore : nullptr}));
  doc::List all;
  for (const auto& c : checked.found) {
    all.emplace_back(doc::Map{{"rule", c.rule}, {"file", request.dockerfile}, {"line", c.line}, {"message", c.text}});
    if (!io.json()) io.line(fmt::format("{}:{}: {}: {}", request.dockerfile, c.line, c.rule, c.text));
  }
  if (io.json())
    io.document(doc::Map{{"checks", std::move(all)}});
  else
    io.note(checked.found.empty() ? "nothing found" : fmt::format("{} found", checked.found.size()));
  return checked.found.empty() ? 0 : 1;
}

Result<std::vector<ImageName>> names_of(const LocalStore& store, const std::vector<std::string>& tags, bool push) {
  std::vector<ImageName> names;
  for (const auto& tag : tags) {
    TRY(auto name, image_name(store, tag));
    if (!name.remote.digest.empty()) return fail(Kind::invalid, "--tag {}: a tag, not a digest", tag);
    names.push_back(std::move(name));
  }
  if (push)
    for (const auto& name : names)
      if (name.bare)
        return Fail(Error(Kind::invalid, fmt::format("--push: {} names no registry", name.given))
                        .with_hint(fmt::format("--tag HOST/{}", name.given)));
  if (push && names.empty()) return fail(Kind::invalid, "--push: want a --tag HOST/NAME:TAG to push to");
  return names;
}

// --output type=image,name=...,push=true says what --tag and --push say.
Result<> read_outputs(const Arguments& arguments, std::vector<BuildOutput>& outputs, std::vector<std::string>& tags,
                      bool& push) {
  for (const auto& text : arguments.all("output")) {
    TRY(auto output, output_of(text));
    if (output.type == "image" || output.type == "registry") {
      TRY(auto fields, path::build_fields("--output", text));
      for (auto name : split(fields["name"], ','))
        if (!name.empty()) tags.emplace_back(name);
      push = push || output.type == "registry" || fields["push"] == "true";
    } else {
      outputs.push_back(std::move(output));
    }
  }
  return {};
}

Result<> write_output(const Ctx& ctx, LocalStore& store, const std::string& repository, const Digest& digest,
                      const std::string& name, const BuildOutput& output) {
  if (output.type == "local") return oci::export_folder(ctx, *store.registry, repository, digest, output.to);
  if (output.type == "tar") return oci::export_tar(ctx, *store.registry, repository, digest, output.to);
  auto form = output.type == "docker" ? oci::LayoutForm::docker : oci::LayoutForm::tar;
  if (output.to != "-") TRY_OK(remove_tree(output.to));  // as buildx: the file is replaced
  return oci::write_layout(ctx, *store.registry, repository, digest.str(), name, output.to, form);
}

// What buildx writes with --metadata-file, and the image of each platform.
doc::Map metadata_of(const path::BuildResult& built, const oci::StoredManifest& stored,
                     const std::vector<ImageName>& names) {
  doc::Map out{{"containerimage.digest", built.digest.str()},
               {"containerimage.descriptor", doc::Map{{"mediaType", stored.descriptor.media_type},
                                                      {"digest", built.digest.str()},
                                                      {"size", stored.bytes.size()}}}};
  if (!oci::is_index(stored.descriptor.media_type))
    if (auto manifest = oci::parse_manifest(stored.bytes))
      out.set("containerimage.config.digest", manifest->config.digest.str());
  std::vector<std::string> given;
  for (const auto& name : names) given.push_back(name.given);
  out.set("image.name", join(std::span<const std::string>(given), ","));
  doc::Map images;
  for (const auto& [platform, digest] : built.images) images.set(platform, digest.str());
  out.set("slipway.images", std::move(images));
  return out;
}

// Under every name, and at the registries they name. Gives what was pushed.
Result<doc::List> name_and_push(const Ctx& ctx, LocalStore& store, const std::string& repository,
                                const oci::StoredManifest& stored, const std::vector<ImageName>& names, bool push) {
  for (const auto& name : names) {
    TRY_OK(oci::copy_within(*store.registry, repository, stored, name.repository));
    TRY_OK(store.registry->put_manifest(name.repository, name.remote.tag, stored.descriptor.media_type, stored.bytes));
  }
  doc::List pushed;
  for (const auto& name : names) {
    if (!push || name.ours) continue;  // what is ours is there
    TRY_IN(auto done, "push " + name.given,
           store.remote->push(ctx, *store.registry, name.repository, name.remote.tag, name.remote));
    pushed.emplace_back(name.given);
  }
  return pushed;
}

doc::Map summary_of(const path::BuildResult& built, const std::string& repository,
                    const std::vector<ImageName>& names) {
  doc::List tags;
  for (const auto& name : names) tags.emplace_back(name.given);
  doc::Map images;
  for (const auto& [platform, digest] : built.images) images.set(platform, digest.str());
  return {{"digest", built.digest.str()}, {"mediaType", built.media_type}, {"image", repository},
          {"images", std::move(images)},  {"tags", std::move(tags)},       {"bytes", built.bytes},
          {"steps", built.steps},         {"cached", built.cached},        {"inputs", built.inputs}};
}

Result<int> build(const Ctx& ctx, const Arguments& arguments, Io& io) {
  BuildMeans means;
  TRY(auto request, build_request(ctx, arguments, means));
  if (arguments.has("check")) return check(request, io);
  TRY(auto style, progress_style(arguments.get("progress"), arguments.has("quiet") || io.json()));
  bool push = arguments.has("push");
  auto tags = arguments.all("tag");
  std::vector<BuildOutput> outputs;
  TRY_OK(read_outputs(arguments, outputs, tags, push));
  TRY(auto store, LocalStore::open(arguments));
  TRY(auto names, names_of(*store, tags, push));
  request.image = names.empty() ? "local/build" : names[0].repository;
  TRY(auto bench, open_bench(ctx, *store, io, request.sbom));
  auto began = std::chrono::steady_clock::now();
  BuildProgress progress(io, style);
  request.on_step = [&](const path::BuildStep& step) { progress.step(step); };
  auto built =
      bench->builder->build(ctx, request, [&](int stream, std::string_view piece) { progress.log(stream, piece); });
  progress.finish();
  if (!built) {
    // The command line was right: what it was to build is not.
    if (!built.error().is(Kind::invalid)) return Fail(std::move(built).error());
    io.note("slipway: build: " + built.error().print());
    return 1;
  }
  TRY(auto stored, store->registry->manifest(request.image, built->digest.str()));
  if (!stored) return fail(Kind::corrupt, "the image {} is not in the store any more", built->digest.str());
  TRY(auto pushed, name_and_push(ctx, *store, request.image, *stored, names, push));
  auto shown = names.empty() ? built->digest.str() : names[0].given;
  if (arguments.has("layout"))
    TRY_OK(
        oci::write_layout(ctx, *store->registry, request.image, built->digest.str(), shown, arguments.get("layout")));
  bool on_stdout = false;
  for (const auto& output : outputs) {
    TRY_OK_IN("--output", write_output(ctx, *store, request.image, built->digest, shown, output));
    on_stdout = on_stdout || output.to == "-";
  }
  if (arguments.has("iidfile")) TRY_OK(write_file(arguments.get("iidfile"), built->digest.str()));
  if (arguments.has("metadata-file"))
    TRY_OK(
        write_file(arguments.get("metadata-file"), doc::print_json_pretty(metadata_of(*built, *stored, names)) + "\n"));
  auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (io.json()) {
    auto summary = summary_of(*built, request.image, names);
    summary.set("pushed", std::move(pushed));
    summary.set("seconds", seconds);
    io.document(summary);
    return 0;
  }
  if (!on_stdout) io.line(built->digest.str());
  if (style != BuildProgress::Style::quiet)
    io.note(fmt::format("{} of {} steps from the cache, {:.2f} s{}", built->cached, built->steps, seconds,
                        names.empty() ? "; untagged: --tag NAME:TAG names it" : ""));
  return 0;
}

}  // namespace

std::vector<Command> build_commands() {
  return {{"build",
           "a Dockerfile to an image in the local store",
           "slipway build . -t shop/web:1 --build-arg VERSION=1",
           build_options(),
           {{"context", "the folder that COPY copies from, a Git address, the address of a tar, or - for a pipe"}},
           build,
           true}};
}

}  // namespace slipway::cli
