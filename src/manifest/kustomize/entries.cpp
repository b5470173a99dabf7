// Entries that a kustomization and a plugin's configuration write the same way: patches and replacements.
#include "base/text.h"
#include "doc/yaml.h"
#include "manifest/detail/build.h"

namespace slipway::manifest {
namespace {

std::string place(const Input& in, std::string_view key) {
  auto mark = in.mark_of(key);
  return mark.line != 0 ? fmt::format("{}:{}:{}", in.source(), mark.line, mark.column) : in.source();
}

}  // namespace

Result<Patch> load_patch(const Loader& loader, const Input& in) {
  TRY(auto path, in.str("path"));
  TRY(auto text, in.str("patch"));
  text = trim(text);
  if (text.empty() && path.empty()) return in.wrong("", "must specify one of patch and path");
  if (!text.empty() && !path.empty()) return in.wrong("", "patch and path can't be set at the same time");
  auto source = place(in, "patch");
  if (!path.empty()) {
    auto loaded = loader.load(path);
    if (!loaded) return Fail(std::move(loaded).error().in(place(in, "path")));
    text = *std::move(loaded);
    source = loader.display(path);
  }
  TRY(auto patch, read_patch(text, source));
  patch.schemas = loader.shared().schemas;
  TRY(auto target, in.child("target", Selector::fields));
  if (target) {
    TRY(patch.target, Selector::read(*target));
  }
  TRY(auto options, in.flags("options"));
  for (auto& merge : patch.merges)
    merge->may_rename = options["allowNameChange"], merge->may_change_kind = options["allowKindChange"];
  return patch;
}

Result<Patch> load_merge(const Loader& loader, const std::string& text, std::string_view source) {
  Patch patch;
  patch.schemas = loader.shared().schemas;
  // An inline patch has lines and keys; anything else names a file.
  auto merges = text.find(':') != std::string::npos ? read_resources(text, source)
                                                    : Result<std::vector<std::shared_ptr<Resource>>>();
  if (merges && !merges->empty()) {
    patch.merges = *std::move(merges), patch.origin = source;
  } else {
    auto loaded = loader.load(text);
    if (!loaded) {
      bool inline_text = text.find('\n') != std::string::npos && !merges;
      return Fail((inline_text ? std::move(merges).error() : std::move(loaded).error()).in(source));
    }
    patch.origin = loader.display(text);
    TRY(patch.merges, read_resources(*loaded, patch.origin));
  }
  if (patch.merges.empty()) return fail(Kind::invalid, "{}: the patch is empty", patch.origin);
  patch.keeps_id = true;
  return patch;
}

Result<Patch> load_json_patch(const Loader& loader, const Input& in, std::string_view inline_key) {
  TRY(auto target, in.child("target", Selector::fields));
  if (!target) return in.wrong("", "must specify a target");
  Patch patch;
  patch.keeps_id = true;
  TRY(patch.target, Selector::read(*target));
  if (patch.target->id.name.empty()) return in.wrong("target", "must specify the target name");
  TRY(auto path, in.str("path"));
  TRY(auto text, in.str(inline_key));
  if (path.empty() == text.empty()) return in.wrong("", fmt::format("must specify one of path and {}", inline_key));
  patch.origin = place(in, inline_key);
  if (!path.empty()) {
    auto loaded = loader.load(path);
    if (!loaded) return Fail(std::move(loaded).error().in(place(in, "path")));
    text = *std::move(loaded);
    patch.origin = loader.display(path);
  }
  TRY(patch.operations, read_operations(text, patch.origin));
  return patch;
}

Result<std::vector<Replacement>> load_replacement(const Loader& loader, const Input& in) {
  std::vector<Replacement> all;
  TRY(auto path, in.str("path"));
  if (path.empty()) {
    TRY(auto one, Replacement::read(in));
    all.push_back(std::move(one));
    return all;
  }
  if (in.find("source") != nullptr || in.find("targets") != nullptr)
    return in.wrong("path", "cannot specify both path and inline replacement");
  auto text = loader.load(path);
  if (!text) return Fail(std::move(text).error().in(place(in, "path")));
  auto name = loader.display(path);
  TRY(auto root, doc::parse_yaml(*text, {.source = name}));
  std::vector<const doc::Value*> items{&root};
  if (const auto* list = root.if_list()) {
    items.clear();
    for (const auto& item : *list) items.push_back(&item);
  } else if (!root.is_map()) {
    return fail(Kind::invalid, "{}: want a replacement or a list of them", name);
  }
  for (const auto* item : items) {
    TRY(auto input, Input::lenient(*item, name, ""));
    TRY(auto one, Replacement::read(input));
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace slipway::manifest
