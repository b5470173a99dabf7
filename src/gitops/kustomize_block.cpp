// Rules: Argo CD's util/kustomize/kustomize.go, "Build Environment" and "Parameter Overrides".
#include "gitops/kustomize_block.h"

#include "base/text.h"
#include "doc/json.h"
#include "doc/patch.h"
#include "doc/yaml.h"

namespace slipway::gitops {
namespace {

doc::Value expanded(const doc::Value& map, const Variables& variables) {
  doc::Map out;
  for (const auto& [key, value] : doc::View(map).members())
    out.set(key, value.value().if_string() != nullptr ? doc::Value(expand(value.text(), variables)) : value.value());
  return out;
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

}  // namespace

Variables build_environment(const Application& app, const SourceSpec& source, const git::Oid& commit) {
  return {{"ARGOCD_APP_NAME", app.key.name},
          {"ARGOCD_APP_NAMESPACE", app.ns},
          {"ARGOCD_APP_PROJECT_NAME", app.project},
          {"ARGOCD_APP_REVISION", commit},
          {"ARGOCD_APP_REVISION_SHORT", commit.substr(0, 7)},
          {"ARGOCD_APP_REVISION_SHORT_8", commit.substr(0, 8)},
          {"ARGOCD_APP_SOURCE_REPO_URL", source.repo_url},
          {"ARGOCD_APP_SOURCE_PATH", source.path},
          {"ARGOCD_APP_SOURCE_TARGET_REVISION", source.target_revision}};
}

std::string expand(std::string_view text, const Variables& variables) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '$' || at + 1 == text.size()) {
      out += text[at++];
      continue;
    }
    if (text[at + 1] == '$') {
      out += '$', at += 2;
      continue;
    }
    bool braces = text[at + 1] == '{';
    auto begin = at + (braces ? 2 : 1), end = begin;
    while (end < text.size() && is_name(text[end])) ++end;
    if (end == begin || (braces && (end == text.size() || text[end] != '}'))) {
      out += text[at++];
      continue;
    }
    if (auto found = variables.find(std::string(text.substr(begin, end - begin))); found != variables.end())
      out += found->second;
    at = end + (braces ? 1 : 0);
  }
  return out;
}

bool names_the_revision(const doc::Value& block) { return doc::print_json(block).contains("ARGOCD_APP_REVISION"); }

// The kustomize block of an Application, as fields of a kustomization laid over the path's own.
doc::Value overrides_of(const doc::Value& block, const Variables& variables) {
  doc::Map over;
  doc::View view(block);
  for (auto key : {"namePrefix", "nameSuffix", "namespace", "patches", "components"})
    if (view[key].present()) over.set(key, view[key].value());
  if (auto annotations = view["commonAnnotations"]; annotations.present())
    over.set("commonAnnotations", view["commonAnnotationsEnvsubst"].bool_or(false)
                                      ? expanded(annotations.value(), variables)
                                      : annotations.value());
  if (auto labels = view["commonLabels"]; labels.present()) {
    bool without = view["labelWithoutSelector"].bool_or(false);
    auto pairs = expanded(labels.value(), variables);
    if (without)
      over.set("labels", doc::List{doc::Map{{"pairs", std::move(pairs)},
                                            {"includeTemplates", view["labelIncludeTemplates"].bool_or(false)}}});
    else
      over.set("commonLabels", std::move(pairs));
  }
  doc::List images;
  for (const auto& image : view["images"].items()) {
    // [old=]name[:tag][@digest], as `kustomize edit set image` takes it.
    auto text = expand(image.text(), variables);
    doc::Map entry;
    auto equals = text.find('=');
    auto target = equals == std::string::npos ? text : text.substr(equals + 1);
    auto at = target.find('@');
    auto colon = target.rfind(':', at == std::string::npos ? std::string::npos : at);
    auto slash = target.rfind('/');
    bool tagged = colon != std::string::npos && (slash == std::string::npos || colon > slash) &&
                  (at == std::string::npos || colon < at);
    auto name = target.substr(0, tagged ? colon : at);
    entry.set("name", equals == std::string::npos ? name : text.substr(0, equals));
    if (equals != std::string::npos) entry.set("newName", name);
    if (tagged) entry.set("newTag", target.substr(colon + 1, at == std::string::npos ? at : at - colon - 1));
    if (at != std::string::npos) entry.set("digest", target.substr(at + 1));
    images.emplace_back(std::move(entry));
  }
  if (!images.empty()) over.set("images", std::move(images));
  doc::List replicas;
  for (const auto& item : view["replicas"].items()) {
    auto replica = item.value();
    if (auto count = to_int(item["count"].text()); count && replica.is_map()) replica["count"] = *count;
    replicas.push_back(std::move(replica));
  }
  if (!replicas.empty()) over.set("replicas", std::move(replicas));
  return over.empty() ? doc::Value() : doc::Value(std::move(over));
}

Result<doc::Value> with_components_that_are_there(manifest::FileSource& files, const std::string& folder,
                                                  const doc::Value& block) {
  doc::View view(block);
  if (!view["ignoreMissingComponents"].bool_or(false)) return block;
  doc::List there;
  for (const auto& component : view["components"].items()) {
    auto path = manifest::join_path(folder, component.text());
    TRY(auto exists, path ? files.is_dir(*path) : Result<bool>(false));
    if (exists) there.push_back(component.value());
  }
  auto out = block;
  out["components"] = std::move(there);
  out.map().erase("ignoreMissingComponents");
  return out;
}

Result<SourceSpec> with_override_files(manifest::FileSource& files, const std::string& folder, const SourceSpec& source,
                                       const std::string& application) {
  auto written = source.written;
  bool any = false;
  for (const auto& name : {std::string(".argocd-source.yaml"), fmt::format(".argocd-source-{}.yaml", application)}) {
    auto path = manifest::join_path(folder, name);
    if (!path) continue;
    TRY(auto text, files.read(*path));
    if (!text) continue;
    TRY(auto patch, doc::parse_yaml(*text, {.source = files.display(*path)}));
    if (patch.is_null()) continue;
    if (!patch.is_map()) return fail(Kind::invalid, "{}: want a map of fields of a source", files.display(*path));
    written = doc::merge_patch(written, patch);
    any = true;
  }
  if (!any) return source;
  // Where it is read from is the Application's alone to say.
  for (auto key : {"repoURL", "path", "targetRevision", "chart"}) {
    if (const auto* own = source.written.find(key))
      written[key] = *own;
    else
      written.map().erase(key);
  }
  auto merged = source_from(doc::View(written, "source"));
  if (!merged) return Fail(std::move(merged).error().in(files.display(folder) + ": with .argocd-source"));
  merged->load_anywhere = source.load_anywhere;
  return merged;
}

}  // namespace slipway::gitops
