// Rules: Argo CD's reposerver/repository/repository.go (makeJsonnetVM) and go-jsonnet's FileImporter.
#include "gitops/jsonnet.h"

#include <algorithm>

#include "base/text.h"

namespace slipway::gitops {
namespace {

Result<std::vector<script::Jsonnet::Variable>> variables_from(doc::View list) {
  std::vector<script::Jsonnet::Variable> variables;
  if (!list.present()) return variables;
  TRY(auto items, list.list());
  for (const auto& item : items) {
    TRY(auto name, item["name"].str());
    if (name.empty()) return item["name"].wrong("is empty, want a name");
    TRY(auto value, item["value"].present() ? item["value"].str() : Result<std::string>(std::string()));
    TRY(auto code, item["code"].present() ? item["code"].boolean() : Result<bool>(false));
    variables.push_back({std::move(name), std::move(value), code});
  }
  return variables;
}

// What a file's name has before its last part, with the slash.
std::string folder_of(const std::string& path) {
  auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

// What go-jsonnet's std has and libjsonnet 0.18's has not.
constexpr std::string_view younger =
    " all any atan2 avg contains deg2rad equalsIgnoreCase escapeStringXML flattenDeepArray hypot id "
    "isDecimal isEmpty isEven isInteger isOdd log10 log2 maxArray minArray objectKeysValues "
    "objectKeysValuesAll objectRemoveKey pi rad2deg remove removeAt round sha1 sha256 sha3 sha512 "
    "splitLimitR sum trim xnor xor ";

// A library that Argo CD evaluates may want one of them, and its author does not see why it is not there.
std::string with_reason(std::string failure) {
  constexpr std::string_view words = "field does not exist: ";
  auto at = failure.rfind(words);
  if (at == std::string::npos) return failure;
  auto name = failure.substr(at + words.size());
  if (younger.contains(fmt::format(" {} ", name)))
    failure += fmt::format(" (std.{} is younger than the libjsonnet 0.18 that evaluates this)", name);
  return failure;
}

// Finds what the files of one program import. Errors name files as the source shows them, so where each is, is noted
// under its shown name.
class Importer {
 public:
  Importer(manifest::FileSource& files, const std::string& folder, const JsonnetOptions& options)
      : files_(files), folder_(folder), options_(options) {}

  script::Jsonnet::File known(const std::string& path, std::string text) {
    auto shown = files_.display(path);
    auto folder = folder_of(path);
    if (!folder.empty()) folder.pop_back();
    folders_[folder_of(shown)] = std::move(folder);
    return {std::move(shown), std::move(text)};
  }

  Result<script::Jsonnet::File> find(const std::string& from, const std::string& path) {
    if (path.starts_with('/'))
      return fail(Kind::denied, "is an absolute path, want one from the importing file or from a library");
    std::vector<std::string> places;
    // Code of the Application itself is beside nothing.
    if (auto beside = folders_.find(from); beside != folders_.end()) places.push_back(beside->second);
    places.insert(places.end(), options_.libraries.rbegin(), options_.libraries.rend());
    places.push_back(folder_);
    bool leaves = false;
    for (const auto& place : places) {
      auto at = manifest::join_path(place, path);
      leaves = leaves || !at;
      if (!at || at->empty()) continue;
      TRY(auto text, files_.read(*at));
      if (text) return known(*at, *std::move(text));
    }
    if (leaves) return fail(Kind::denied, "leaves the repository");
    std::vector<std::string> all;
    for (const auto& place : places)
      if (auto shown = files_.display(place); std::find(all.begin(), all.end(), shown) == all.end())
        all.push_back(std::move(shown));
    return fail(Kind::not_found, "there is no such file in {}", join(all, ", "));
  }

 private:
  manifest::FileSource& files_;
  const std::string& folder_;
  const JsonnetOptions& options_;
  std::map<std::string, std::string> folders_;
};

}  // namespace

Result<JsonnetOptions> jsonnet_from(doc::View block) {
  JsonnetOptions options;
  TRY(options.external, variables_from(block["extVars"]));
  TRY(options.arguments, variables_from(block["tlas"]));
  if (!block["libs"].present()) return options;
  TRY(auto libraries, block["libs"].list());
  for (const auto& library : libraries) {
    TRY(auto written, library.str());
    // From the repository's root with and without a slash.
    std::string_view path = written;
    while (path.starts_with('/')) path.remove_prefix(1);
    auto folder = manifest::join_path("", path.empty() ? "." : path);
    if (!folder) return library.wrong(fmt::format("got \"{}\", which leaves the repository", written));
    options.libraries.push_back(*std::move(folder));
  }
  return options;
}

JsonnetOptions with_environment(JsonnetOptions options, const Variables& variables) {
  for (auto* list : {&options.external, &options.arguments})
    for (auto& variable : *list) variable.value = expand(variable.value, variables);
  return options;
}

std::function<Result<doc::Value>(const std::string& path, std::string text)> jsonnet_evaluator(
    const Ctx& ctx, manifest::FileSource& files, const std::string& folder, const JsonnetOptions& options) {
  return [&](const std::string& path, std::string text) -> Result<doc::Value> {
    Importer importer(files, folder, options);
    script::Jsonnet program{
        importer.known(path, std::move(text)), options.external, options.arguments,
        [&](const std::string& from, const std::string& what) { return importer.find(from, what); }};
    auto outcome = script::run(ctx, program);
    // A failure says its places itself.
    if (!outcome) return Fail(std::move(outcome).error().in(program.file.name));
    if (!outcome->failure.empty()) return fail(Kind::invalid, "{}", with_reason(std::move(outcome->failure)));
    return std::move(outcome->value);
  };
}

}  // namespace slipway::gitops
