// image ls, inspect, pull, push, copy, rm, export, import, gc, expire: the local store and any registry.
#include <algorithm>

#include "base/text.h"
#include "cli/image_tidy.h"
#include "cli/local_store.h"
#include "doc/json.h"
#include "doc/view.h"
#include "image/scratch.h"
#include "oci/layout.h"
#include "oci/signing.h"

namespace slipway::cli {
namespace {

const std::vector<Option> data_option{{"--data", "data directory of the store"}};

std::vector<Option> with_data(std::vector<Option> options) {
  options.insert(options.end(), data_option.begin(), data_option.end());
  return options;
}

Result<Ctx> limited(const Ctx& ctx, const Arguments& arguments) {
  if (!arguments.has("timeout")) return ctx;
  TRY(auto wait, parse_duration(arguments.get("timeout")));
  return ctx.within(wait);
}

Result<oci::Platform> platform_of(const Arguments& arguments) {
  return arguments.has("platform") ? oci::parse_platform(arguments.get("platform"))
                                   : Result<oci::Platform>(oci::Platform{});
}

// Bytes of the layers and the configuration; of an index the sum over what is here.
Result<std::uint64_t> size_of(const oci::Registry& registry, const std::string& repository,
                              const oci::StoredManifest& stored, std::vector<std::string>& platforms) {
  std::uint64_t bytes = 0;
  if (oci::is_index(stored.descriptor.media_type)) {
    TRY(auto index, oci::parse_index(stored.bytes));
    for (const auto& child : index.manifests) {
      TRY(auto inner, registry.manifest(repository, child.digest.str()));
      if (!inner) continue;
      if (child.platform) platforms.push_back(child.platform->print());
      std::vector<std::string> unused;
      TRY(auto more, size_of(registry, repository, *inner, unused));
      bytes += more;
    }
    return bytes;
  }
  TRY(auto manifest, oci::parse_manifest(stored.bytes));
  bytes = manifest.config.size;
  for (const auto& layer : manifest.layers) bytes += layer.size;
  if (platforms.empty())
    if (auto text = registry.blobs().read(manifest.config.digest))
      if (auto config = oci::parse_config(*text)) platforms.push_back(config->platform.print());
  return bytes;
}

Result<int> ls(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto store, LocalStore::open(arguments));
  TRY(auto repositories, store->registry->repositories());
  auto only = arguments.get("name");
  doc::List documents;
  std::vector<std::vector<std::string>> rows;
  for (const auto& repository : repositories) {
    if (!only.empty() && repository != only && !glob_match(only, repository)) continue;
    TRY_OK(ctx.alive());
    TRY(auto tags, store->registry->tags(repository));
    for (const auto& tag : tags) {
      bool attachment = oci::is_attachment_tag(tag);
      if (attachment && !arguments.has("all")) continue;
      TRY(auto stored, store->registry->manifest(repository, tag));
      if (!stored) continue;
      std::vector<std::string> platforms;
      TRY(auto bytes, size_of(*store->registry, repository, *stored, platforms));
      bool with_signature = false;
      if (!attachment) {
        TRY(with_signature, oci::has_signature(*store->registry, repository, stored->descriptor.digest));
      }
      rows.push_back({repository, tag, stored->descriptor.digest.str().substr(0, 19), human_bytes(bytes),
                      with_signature ? "yes" : "-", join(platforms, " ")});
      documents.emplace_back(doc::Map{{"repository", repository},
                                      {"tag", tag},
                                      {"digest", stored->descriptor.digest.str()},
                                      {"bytes", bytes},
                                      {"mediaType", stored->descriptor.media_type},
                                      {"signed", with_signature},
                                      {"platforms", doc::List(platforms.begin(), platforms.end())}});
    }
  }
  if (io.json())
    io.document(documents);
  else
    io.table({"REPOSITORY", "TAG", "DIGEST", "SIZE", "SIGNED", "PLATFORM"}, rows);
  return 0;
}

struct Shown {
  oci::StoredManifest top;
  std::optional<oci::Manifest> manifest;
  std::optional<oci::Config> config;
  doc::Value config_document, manifest_document;
};

Result<Shown> look_here(const LocalStore& store, const ImageName& name, const oci::Platform& platform) {
  Shown shown;
  TRY(auto stored, store.registry->manifest(name.repository, name.which()));
  shown.top = *stored;
  auto chosen = *stored;
  if (oci::is_index(stored->descriptor.media_type)) {
    TRY(auto image, store.registry->image(name.repository, name.which(), platform));
    TRY(auto inner, store.registry->manifest(name.repository, image.digest.str()));
    if (inner) chosen = *inner;
  }
  TRY(shown.manifest_document, doc::parse_json(chosen.bytes, name.given));
  TRY(shown.manifest, oci::parse_manifest(chosen.bytes));
  TRY(auto text, store.registry->blobs().read(shown.manifest->config.digest));
  TRY(shown.config_document, doc::parse_json(text, name.given));
  if (auto config = oci::parse_config(text)) shown.config = *config;  // an artifact's is anything
  return shown;
}

void print_shown(Io& io, const ImageName& name, const Shown& shown) {
  auto line = [&](std::string_view what, const std::string& text) {
    if (!text.empty()) io.line(fmt::format("{:<12} {}", what, text));
  };
  line("image", io.paint(Io::Paint::bold, name.given));
  line("digest", shown.top.descriptor.digest.str());
  line("type", shown.top.descriptor.media_type);
  if (shown.config) {
    line("platform", shown.config->platform.print());
    line("created", shown.config->created);
    line("user", shown.config->user);
    line("folder", shown.config->working_dir);
    line("entrypoint", join(shown.config->entrypoint, " "));
    line("command", join(shown.config->cmd, " "));
    line("ports", join(shown.config->exposed_ports, " "));
    for (const auto& text : shown.config->env) line("env", text);
    for (const auto& [key, value] : shown.config->labels) line("label", key + "=" + value);
  }
  if (shown.manifest)
    for (const auto& layer : shown.manifest->layers)
      line("layer", fmt::format("{} {}", layer.digest.str(), human_bytes(layer.size)));
}

Result<int> inspect(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto store, LocalStore::open(arguments));
  TRY(auto platform, platform_of(arguments));
  TRY(auto inner, limited(ctx, arguments));
  auto here = find_here(*store, arguments.get("image"));
  if (here) {
    TRY(auto shown, look_here(*store, *here, platform));
    if (io.json())
      io.document(doc::Map{{"name", here->given},
                           {"digest", shown.top.descriptor.digest.str()},
                           {"mediaType", shown.top.descriptor.media_type},
                           {"from", "store"},
                           {"manifest", shown.manifest_document},
                           {"config", shown.config_document}});
    else
      print_shown(io, *here, shown);
    return 0;
  }
  TRY(auto name, image_name(*store, arguments.get("image")));
  if (!here.error().is(Kind::not_found) || name.ours) return Fail(here.error());
  TRY(auto stored, store->remote->manifest(inner, name.remote));
  TRY(auto manifest, doc::parse_json(stored.bytes, name.given));
  if (io.json()) {
    io.document(doc::Map{{"name", name.given},
                         {"digest", stored.descriptor.digest.str()},
                         {"mediaType", stored.descriptor.media_type},
                         {"from", name.remote.host},
                         {"manifest", manifest}});
    return 0;
  }
  io.line(fmt::format("{:<12} {}\n{:<12} {}\n{:<12} {}", "image", name.given, "digest", stored.descriptor.digest.str(),
                      "type", stored.descriptor.media_type));
  io.line(doc::print_json_pretty(manifest));
  return 0;
}

void said(Io& io, const std::string& what, const std::string& image, const Digest& digest) {
  if (io.json())
    io.document(doc::Map{{"done", what}, {"image", image}, {"digest", digest.str()}});
  else
    io.line(fmt::format("{} {}@{}", what, image, digest.str()));
}

Result<int> pull(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto store, LocalStore::open(arguments));
  TRY(auto inner, limited(ctx, arguments));
  TRY(auto platform, platform_of(arguments));
  TRY(auto name, image_name(*store, arguments.get("image")));
  if (name.ours && !name.bare) return fail(Kind::invalid, "{}: is this store's own", name.given);
  TRY(auto image, store->remote->pull(inner, name.remote, *store->registry, platform));
  said(io, "pulled", oci::local_repository(name.remote), image.digest);
  return 0;
}

// Another name in the store for what is here.
Result<Digest> name_again(const LocalStore& store, const ImageName& from, const ImageName& to) {
  if (!to.remote.digest.empty()) return fail(Kind::invalid, "{}: a copy is named by a tag, not a digest", to.given);
  TRY(auto stored, store.registry->manifest(from.repository, from.which()));
  if (!stored) return fail(Kind::not_found, "{}: not in the store", from.given);
  if (oci::is_index(stored->descriptor.media_type)) {
    TRY(auto index, oci::parse_index(stored->bytes));
    for (const auto& child : index.manifests) {
      TRY(auto one, store.registry->manifest(from.repository, child.digest.str()));
      if (one) TRY_OK(store.registry->put_manifest(to.repository, "", one->descriptor.media_type, one->bytes));
    }
  }
  TRY(auto done, store.registry->put_manifest(to.repository, to.remote.tag, stored->descriptor.media_type,
                                              stored->bytes, oci::Registry::Completeness::sparse));
  return done.digest;
}

Result<int> push(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto store, LocalStore::open(arguments));
  TRY(auto inner, limited(ctx, arguments));
  TRY(auto from, find_here(*store, arguments.get("image")));
  TRY(auto to, image_name(*store, arguments.get("to", from.given)));
  if (to.bare)
    return Fail(Error(Kind::invalid, fmt::format("{}: no registry in this name, want HOST/NAME:TAG", to.given))
                    .with_hint(fmt::format("slipway image push {} HOST/{}", from.given, to.given)));
  if (to.ours) {  // its registry serves this very store
    TRY(auto digest, name_again(*store, from, to));
    said(io, "pushed", to.given, digest);
    return 0;
  }
  TRY(auto pushed, store->remote->push(inner, *store->registry, from.repository, from.which(), to.remote));
  said(io, "pushed", to.remote.print(), pushed.digest);
  return 0;
}

// Here to there, there to here, here to here, or between two registries.
Result<int> copy(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto store, LocalStore::open(arguments));
  TRY(auto inner, limited(ctx, arguments));
  TRY(auto to, image_name(*store, arguments.get("to")));
  TRY(auto from, image_name(*store, arguments.get("from")));
  auto here = find_here(*store, from.given);
  if (!here && (!here.error().is(Kind::not_found) || from.ours)) return Fail(here.error());
  if (!to.ours) {
    TRY(auto done, here ? store->remote->push(inner, *store->registry, here->repository, here->which(), to.remote)
                        : store->remote->copy(inner, from.remote, to.remote, *store->registry));
    said(io, "copied to", to.remote.print(), done.digest);
    return 0;
  }
  if (!here) {
    TRY_OK(store->remote->pull(inner, from.remote, *store->registry));
    TRY(here, find_here(*store, from.given));
  }
  TRY(auto digest, name_again(*store, *here, to));
  said(io, "copied to", fmt::format("{}:{}", to.repository, to.remote.tag), digest);
  return 0;
}

Result<int> rm(const Ctx&, const Arguments& arguments, Io& io) {
  TRY(auto store, LocalStore::open(arguments));
  doc::List removed;
  for (const auto& text : arguments.all("image")) {
    TRY(auto name, find_here(*store, text));
    TRY_OK(name.remote.digest.empty() ? store->registry->remove_tag(name.repository, name.remote.tag)
                                      : store->registry->remove_manifest(name.repository, name.remote.digest));
    removed.emplace_back(fmt::format("{}{}{}", name.repository, name.remote.digest.empty() ? ":" : "@", name.which()));
    if (!io.json()) io.line(fmt::format("removed {}", removed.back().if_string()->c_str()));
  }
  if (io.json()) io.document(doc::Map{{"removed", std::move(removed)}});
  return 0;
}

Result<int> export_(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto store, LocalStore::open(arguments));
  TRY(auto name, find_here(*store, arguments.get("image")));
  TRY_OK(oci::write_layout(ctx, *store->registry, name.repository, name.which(), name.given, arguments.get("to")));
  if (io.json())
    io.document(doc::Map{{"image", name.given}, {"path", arguments.get("to")}});
  else
    io.line(fmt::format("wrote {}", arguments.get("to")));
  return 0;
}

Result<int> import(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto store, LocalStore::open(arguments));
  TRY(auto name, image_name(*store, arguments.get("image")));
  if (!name.remote.digest.empty())
    return fail(Kind::invalid, "{}: an import is named by a tag, its digest follows from its bytes", name.given);
  fs::path from = arguments.get("from");
  if (fs::is_directory(from) && !path_exists(from / "oci-layout")) {
    if (!arguments.has("root"))
      return Fail(Error(Kind::invalid, fmt::format("{}: no OCI image layout", from.native()))
                      .with_hint("--root takes the folder as the root of one layer"));
    TRY(auto digest, image::import_folder(ctx, *store->registry, name.repository, name.remote.tag, from, {}));
    said(io, "imported", fmt::format("{}:{}", name.repository, name.remote.tag), digest);
    return 0;
  }
  TRY(auto images, oci::read_layout(ctx, *store->registry, from, name.repository, name.remote.tag));
  said(io, "imported", fmt::format("{}:{}", name.repository, name.remote.tag), images[0].digest);
  if (images.size() > 1 && !io.json())
    io.note(fmt::format("{} more images of the layout are there by their digest", images.size() - 1));
  return 0;
}

}  // namespace

std::vector<Command> image_commands() {
  Option timeout{"--timeout", "give up after this long, like 30s"},
      platform{"--platform", "of an image for several, like linux/arm64 (linux/amd64)"};
  Positional image{"image", "NAME[:TAG|@DIGEST]"};
  return {
      {"image ls",
       "images of the local store",
       "slipway image ls 'shop/*'",
       with_data({{"--all,-a", "also the tags that hold signatures and lists of referrers", true}}),
       {{"name", "only this repository, or a pattern", false}},
       ls},
      {"image inspect",
       "what an image is: from the store, else from its registry",
       "slipway image inspect shop/web:1",
       with_data({platform, timeout}),
       {image},
       inspect},
      {"image pull",
       "brings an image from its registry into the store",
       "slipway image pull ghcr.io/team/web:1",
       with_data({platform, timeout}),
       {image},
       pull},
      {"image push",
       "sends an image of the store to a registry",
       "slipway image push shop/web:1 ghcr.io/team/web:1",
       with_data({timeout}),
       {image, {"to", "HOST/NAME:TAG (the image's own name)", false}},
       push},
      {"image copy",
       "copies between registries, or from or to the store",
       "slipway image copy ghcr.io/team/web:1 quay.io/team/web:1",
       with_data({timeout}),
       {{"from", "image"}, {"to", "its new name; without a host: in the store"}},
       copy},
      {"image rm",
       "takes names out of the store",
       "slipway image rm shop/web:1",
       with_data({}),
       {{"image", "NAME:TAG or NAME@DIGEST", true, true}},
       rm},
      {"image export",
       "writes an image as an OCI layout, a folder or a .tar",
       "slipway image export shop/web:1 web.tar",
       with_data({}),
       {image, {"to", "folder, or file that ends with .tar"}},
       export_},
      {"image import",
       "reads an OCI layout, or a folder as one layer",
       "slipway image import web.tar shop/web:1",
       with_data({{"--root", "the folder is the root of the image", true}}),
       {{"from", "folder or tar"}, image},
       import},
      {"image gc",
       "frees bytes that no image reaches, also while others push",
       "slipway image gc --dry-run",
       with_data({{"--grace", "what was here in this time stays", false, false, "1h"},
                  {"--dry-run", "only says what would go", true}}),
       {},
       collect_garbage},
      {"image expire",
       "takes away the tags that no rule keeps",
       "slipway image expire --dry-run",
       with_connection({{"--rules", "file of rules (those of the running slipway)"},
                        {"--dry-run", "only says what would go", true}}),
       {},
       expire_images},
  };
}

}  // namespace slipway::cli
