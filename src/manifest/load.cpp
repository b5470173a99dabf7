#include "manifest/load.h"

#include <algorithm>

#include "base/text.h"
#include "doc/json.h"
#include "doc/yaml.h"

namespace slipway::manifest {
namespace {

constexpr int deepest = 64;

// {a,b} into its alternatives, as Argo CD's globs have them.
void expand_braces(std::string_view pattern, std::vector<std::string>& all) {
  auto open = pattern.find('{');
  auto close = open == std::string_view::npos ? open : pattern.find('}', open);
  if (close == std::string_view::npos || all.size() > 1000) {
    all.emplace_back(pattern);
    return;
  }
  for (auto part : split(pattern.substr(open + 1, close - open - 1), ',')) {
    expand_braces(fmt::format("{}{}{}", pattern.substr(0, open), part, pattern.substr(close + 1)), all);
  }
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view path) {
  for (const auto& pattern : patterns) {
    if (glob_match(pattern, path)) return true;
  }
  return false;
}

class FolderReader {
 public:
  FolderReader(const Ctx& ctx, FileSource& source, const std::string& root, const LoadOptions& options)
      : ctx_(ctx), source_(source), root_(root), options_(options) {
    if (!options.include.empty()) expand_braces(options.include, include_);
    if (!options.exclude.empty()) expand_braces(options.exclude, exclude_);
    if (!options.argo) return;
    for (auto* patterns : {&include_, &exclude_})
      for (auto& pattern : *patterns) pattern = replace_all(replace_all(pattern, "**", "*"), "*", "**");
  }

  Result<> folder(const std::string& below, int depth) {
    TRY_OK(ctx_.alive());
    if (depth > deepest)
      return fail(Kind::invalid, "{}: folders are nested deeper than {} levels", source_.display(below), deepest);
    TRY(auto entries, source_.list(at(below)));
    for (const auto& entry : entries) {
      if (entry.name.starts_with('.')) continue;
      auto path = below.empty() ? entry.name : fmt::format("{}/{}", below, entry.name);
      if (entry.folder) {
        if (options_.recursive && !(options_.argo && entry.link)) TRY_OK(folder(path, depth + 1));
      } else {
        TRY_OK(file(path));
      }
    }
    return {};
  }
  std::vector<Loaded> take() { return std::move(all_); }

 private:
  std::string at(const std::string& below) const {
    return root_.empty() ? below : below.empty() ? root_ : fmt::format("{}/{}", root_, below);
  }

  Result<> file(const std::string& path) {
    bool jsonnet = options_.jsonnet && path.ends_with(".jsonnet");
    if (!path.ends_with(".yaml") && !path.ends_with(".yml") && !path.ends_with(".json") && !jsonnet) return {};
    if (!include_.empty() && !matches_any(include_, path)) return {};
    if (matches_any(exclude_, path)) return {};
    auto name = source_.display(at(path));
    TRY(auto text, source_.read(at(path)));
    if (!text || (options_.argo && text->contains("+argocd:skip-file-rendering"))) return {};
    if (jsonnet) {
      TRY(auto value, options_.jsonnet(at(path), *std::move(text)));
      return evaluated(std::move(value), name);
    }
    // Read as YAML for the places of what is wrong, but JSON it has to be.
    if (options_.argo && path.ends_with(".json"))
      if (auto strict = doc::parse_json(*text, name); !strict)
        return text->contains("apiVersion") && text->contains("kind") ? Result<>(Fail(strict.error())) : Result<>();
    TRY(auto documents, doc::parse_yaml_all(*text, {.source = name}));
    if (options_.argo && std::none_of(documents.begin(), documents.end(), is_half_an_object)) return {};
    for (auto& document : documents) TRY_OK(object(std::move(document), name));
    return {};
  }

  // Argo CD lets through what does not have all of apiVersion, kind and metadata in its text, and broken YAML: a typing
  // error would take away what the file brought. Here it is what has nothing of an object.
  static bool is_half_an_object(const doc::Value& value) {
    return value.is_map() && (value.find("apiVersion") != nullptr ||
                              (value.find("kind") != nullptr && value.find("metadata") != nullptr));
  }
  static bool is_object(const doc::Value& value) {
    return value.is_map() && !value.str_at({"kind"}).empty() && !value.str_at({"apiVersion"}).empty();
  }

  // `place`: what errors name where the object's own marks are not places in the file.
  Result<> object(doc::Value value, const std::string& name, const std::string& place = {}) {
    auto mark = value.mark();
    if (value.is_null() || (value.is_map() && value.if_map()->empty())) return {};
    if (!is_object(value))
      return fail(Kind::invalid, "{}: want an object with apiVersion and kind",
                  place.empty() ? fmt::format("{}:{}:{}", name, mark.line, mark.column) : place);
    const auto* items = value.find("items");
    if (value.str_at({"kind"}).ends_with("List") && items != nullptr && (items->is_list() || items->is_null())) {
      if (items->is_null()) return {};
      for (const auto& item : *items->if_list()) TRY_OK(object(item, name, place));
      return {};
    }
    all_.push_back({std::move(value), name});
    return {};
  }

  // What Jsonnet gives has no places in the file. `{}` is no object here, as in Argo CD.
  Result<> evaluated(doc::Value value, const std::string& name) {
    if (!value.is_list()) return evaluated_one(std::move(value), name, name, ", or a list of them");
    for (std::size_t i = 0; i < value.list().size(); ++i)
      TRY_OK(evaluated_one(std::move(value.list()[i]), name, fmt::format("{}: [{}]", name, i), ""));
    return {};
  }
  Result<> evaluated_one(doc::Value value, const std::string& name, const std::string& place,
                         std::string_view or_what) {
    if (value.is_null()) return {};
    if (is_object(value)) return object(std::move(value), name, place);
    return fail(Kind::invalid, "{}: gives {}, want an object with apiVersion and kind{}", place, what_it_is(value),
                or_what);
  }
  static std::string_view what_it_is(const doc::Value& value) {
    return value.is_map() ? "a map that is none" : value.is_list() ? "a list in a list" : "a plain value";
  }

  const Ctx& ctx_;
  FileSource& source_;
  const std::string& root_;
  const LoadOptions& options_;
  std::vector<std::string> include_, exclude_;
  std::vector<Loaded> all_;
};

}  // namespace

Result<std::vector<Loaded>> load_folder(const Ctx& ctx, FileSource& source, const std::string& folder,
                                        const LoadOptions& options) {
  auto root = join_path("", folder);
  if (!root) return fail(Kind::denied, "'{}' is outside the repository", folder);
  FolderReader reader(ctx, source, *root, options);
  TRY_OK(reader.folder("", 0));
  return reader.take();
}

}  // namespace slipway::manifest
