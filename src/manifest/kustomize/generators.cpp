// ConfigMaps and Secrets from literals, files and environment files.
#include <algorithm>

#include "base/encode.h"
#include "base/text.h"
#include "manifest/detail/build.h"

namespace slipway::manifest {
namespace {

using doc::Map;
using doc::Value;

constexpr std::size_t base64_line = 70;

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    auto c = static_cast<unsigned char>(text[i]);
    std::size_t more = c < 0x80                ? 0
                       : c >= 0xc2 && c < 0xe0 ? 1
                       : (c & 0xf0) == 0xe0    ? 2
                       : c >= 0xf0 && c < 0xf5 ? 3
                                               : 9;
    if (more == 9 || i + more >= text.size() + (more == 0 ? 1 : 0)) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    auto second = more > 0 ? static_cast<unsigned char>(text[i + 1]) : 0;
    if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second >= 0xa0) || (c == 0xf0 && second < 0x90) ||
        (c == 0xf4 && second >= 0x90))
      return false;
    i += more + 1;
  }
  return true;
}

// As kustomize folds it: lines of 70 as soon as there is more than one.
std::string folded_base64(std::string_view bytes) {
  auto text = to_base64(bytes);
  if (text.size() / base64_line == 0) return text;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += base64_line) {
    out += text.substr(i, base64_line);
    out += '\n';
  }
  return out;
}

std::string unquoted(std::string_view text) {
  bool quoted = text.size() >= 2 && text.front() == text.back() && (text.front() == '"' || text.front() == '\'');
  return std::string(quoted ? text.substr(1, text.size() - 2) : text);
}

class Sources {
 public:
  Sources(const Loader& loader, const Input& in) : loader_(loader), in_(in) {}

  Result<StringMap> read() {
    TRY(auto envs, in_.strings("envs"));
    TRY(auto env, in_.str("env"));
    if (!env.empty()) envs.push_back(env);
    for (const auto& path : envs) TRY_OK(env_file(path));
    TRY(auto literals, in_.strings("literals"));
    for (const auto& literal : literals) {
      auto parts = cut(literal, "=");
      if (!parts || parts->first.empty())
        return in_.wrong("literals", fmt::format("invalid literal source {}, expected key=value", literal));
      TRY_OK(add(std::string(parts->first), unquoted(parts->second)));
    }
    TRY(auto files, in_.strings("files"));
    for (const auto& file : files) TRY_OK(file_source(file));
    return std::move(pairs_);
  }

 private:
  Result<> add(std::string key, std::string value) {
    if (!pairs_.emplace(key, std::move(value)).second)
      return in_.wrong("", fmt::format("the key `{}` is there twice", key));
    return {};
  }

  Result<> file_source(const std::string& text) {
    auto count = std::count(text.begin(), text.end(), '=');
    if (count > 1) return in_.wrong("files", fmt::format("source \"{}\": key name or file path contains '='", text));
    std::string key = text.substr(text.rfind('/') == std::string::npos ? 0 : text.rfind('/') + 1), path = text;
    if (count == 1) {
      auto parts = *cut(text, "=");
      if (parts.first.empty())
        return in_.wrong("files", fmt::format("missing key name for file path \"{}\"", parts.second));
      if (parts.second.empty())
        return in_.wrong("files", fmt::format("missing file path for key name \"{}\"", parts.first));
      key = parts.first, path = parts.second;
    }
    auto content = loader_.load(path);
    if (!content)
      return Fail(std::move(content).error().in(fmt::format("{}:{}", in_.source(), in_.mark_of("files").line)));
    return add(std::move(key), *std::move(content));
  }

  Result<> env_file(const std::string& path) {
    auto content = loader_.load(path);
    if (!content)
      return Fail(std::move(content).error().in(fmt::format("{}:{}", in_.source(), in_.mark_of("envs").line)));
    std::string_view text = *content;
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    for (auto line : lines(text)) {
      if (!is_utf8(line)) return fail(Kind::invalid, "{}: not UTF-8", loader_.display(path));
      while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front()))) line.remove_prefix(1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty() || line.front() == '#') continue;
      auto parts = cut(line, "=");
      if (parts && parts->first.empty()) continue;
      TRY_OK(add(std::string(parts ? parts->first : line), std::string(parts ? parts->second : "")));
    }
    return {};
  }

  const Loader& loader_;
  const Input& in_;
  StringMap pairs_;
};

void merge_options(GeneratorDefaults& own, const GeneratorDefaults& global) {
  own.labels.insert(global.labels.begin(), global.labels.end());
  own.annotations.insert(global.annotations.begin(), global.annotations.end());
  own.no_hash |= global.no_hash;
  own.immutable |= global.immutable;
}

Value string_map(const StringMap& strings) {
  Map map;
  for (const auto& [key, text] : strings) map.append(key, Value(text));
  return map;
}

Result<Behavior> behavior_of(const Input& in) {
  TRY(auto text, in.str("behavior"));
  return text == "create"    ? Behavior::create
         : text == "replace" ? Behavior::replace
         : text == "merge"   ? Behavior::merge
                             : Behavior::unspecified;
}

}  // namespace

Result<GeneratorDefaults> read_generator_options(const std::optional<Input>& in) {
  GeneratorDefaults options;
  if (!in) return options;
  TRY(options.labels, in->string_map("labels"));
  TRY(options.annotations, in->string_map("annotations"));
  TRY(options.no_hash, in->flag("disableNameSuffixHash"));
  TRY(options.immutable, in->flag("immutable"));
  return options;
}

Result<std::shared_ptr<Resource>> generate(const Loader& loader, const Input& in, Generated kind,
                                           const GeneratorDefaults& defaults) {
  TRY(auto name, in.str("name"));
  if (name.empty())
    return in.wrong("", kind == Generated::secret ? "a Secret must have a name" : "a ConfigMap must have a name");
  TRY(auto child, in.child("options", {"labels", "annotations", "disableNameSuffixHash", "immutable"}));
  TRY(auto options, read_generator_options(child));
  merge_options(options, defaults);
  Value node = Value(Map{{"apiVersion", "v1"}, {"kind", kind == Generated::secret ? "Secret" : "ConfigMap"}});
  node["metadata"]["name"] = Value(name);
  TRY(auto space, in.str("namespace"));
  if (!space.empty()) node["metadata"]["namespace"] = Value(space);
  if (!options.labels.empty()) node["metadata"]["labels"] = string_map(options.labels);
  if (!options.annotations.empty()) node["metadata"]["annotations"] = string_map(options.annotations);
  TRY(auto pairs, Sources(loader, in).read());
  if (kind == Generated::secret) {
    TRY(auto type, in.str("type"));
    node["type"] = Value(type.empty() ? "Opaque" : type);
    node["data"] = Value(Map());
    for (const auto& [key, text] : pairs) node["data"][key] = Value(folded_base64(text));
  } else {
    for (const auto& [key, text] : pairs) {
      bool binary = !is_utf8(text);
      node[binary ? "binaryData" : "data"][key] = Value(binary ? folded_base64(text) : text);
    }
  }
  if (options.immutable) node["immutable"] = Value(true);
  auto resource = std::make_shared<Resource>(std::move(node));
  auto mark = in.mark_of("");
  resource->source = fmt::format("{}:{}:{}", in.source(), mark.line, mark.column);
  resource->hash_name = !options.no_hash;
  TRY(resource->behavior, behavior_of(in));
  return resource;
}

}  // namespace slipway::manifest
