// docker/metadata-action: names, tags, labels and annotations of an image from the event.
// Rule: the action's README: tags are rules "type=ref,event=branch", the one of the highest priority names the version
// and decides about latest; flavor adds to all of them.
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/image_tags.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::string_view label_keys = "org.opencontainers.image.";

class Metadata {
 public:
  Metadata(const Ctx& ctx, ActionUse& use) : use_(use), event_(use.job.plan().event) {
    source_.event_name = event_.name, source_.ref = event_.ref, source_.sha = event_.sha;
    source_.default_branch = event_.default_branch, source_.base_ref = event_.base_ref, source_.number = event_.number;
    source_.now = source_.committed = ctx.clock->wall();
    if (auto* repository = use.job.options().repository)
      if (auto commit = repository->commit(use.job.options().commit)) {
        source_.committed = commit->committer.when;
        created_ = rfc3339(source_.committed);
      }
  }

  Result<> run() {
    TRY(auto tags, image_tags(source_, use_.list("tags"), use_.list("flavor")));
    for (auto& warning : tags.warnings) use_.say("##[warning]" + warning);
    if (tags.names.empty()) use_.say("##[warning]No Docker tag has been generated. Check tags input.");
    TRY(auto images, image_names());
    for (auto& image : images)
      for (auto& tag : tags.names) names_.push_back(fmt::format("{}:{}", image, tag));
    if (images.empty()) names_ = tags.names;
    version_ = tags.version;
    TRY(auto labels, facts("labels"));
    TRY(auto annotations, facts("annotations"));
    return give(tags.names, labels, annotations, images);
  }

 private:
  using Facts = std::map<std::string, std::string>;

  // "shop/web" or "name=shop/web,enable=true".
  Result<std::vector<std::string>> image_names() {
    std::vector<std::string> out;
    for (auto& line : use_.list("images")) {
      std::string name = line;
      bool enabled = true;
      auto parts = tag_fields(line);
      if (line.contains('=')) {
        for (auto& [key, value] : parts) {
          if (key == "name")
            name = value;
          else if (key == "enable") {
            TRY(auto text, fill_in(source_, value));
            enabled = iequals(text, "true");
          } else {
            return fail(Kind::invalid, "images: \"{}\": unknown attribute \"{}\", want name or enable", line, key);
          }
        }
      }
      TRY(name, fill_in(source_, name));
      for (auto one : split(name, ','))
        if (enabled && !trim(one).empty()) out.push_back(lower(trim(one)));
    }
    return out;
  }

  Result<Facts> facts(std::string_view input) {
    auto url = fmt::format("{}/{}", use_.job.options().server_url, event_.repository);
    auto description = event_.payload.str_at({"repository", "description"});
    Facts out;
    auto put = [&](std::string_view key, const std::string& value) {
      out[std::string(label_keys) + std::string(key)] = value;
    };
    put("title", event_.repository.substr(event_.repository.find('/') + 1));
    put("description", description), put("url", url), put("source", url), put("version", version_);
    put("revision", event_.sha), put("licenses", event_.payload.str_at({"repository", "license", "spdx_id"}));
    // The commit's time, not now: the same commit gives the same image.
    if (!created_.empty()) put("created", created_);
    for (auto& line : use_.list(input))
      if (auto pair = cut(line, "=")) {
        TRY(auto value, fill_in(source_, std::string(pair->second)));
        out[std::string(trim(pair->first))] = value;
      }
    return out;
  }

  static std::vector<std::string> print(const Facts& facts, std::string_view prefix) {
    std::vector<std::string> out;
    for (auto& [key, value] : facts) out.push_back(fmt::format("{}{}={}", prefix, key, value));
    return out;
  }
  void tell(const std::string& name, const std::string& value) {
    use_.output(name, value);
    std::string variable = "DOCKER_METADATA_OUTPUT_";
    for (char c : name) variable += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    use_.job.set_env(use_.step, variable, value);
  }

  Result<> give(const std::vector<std::string>& tags, const Facts& labels, const Facts& annotations,
                const std::vector<std::string>& images) {
    using Texts = std::span<const std::string>;
    auto label_lines = print(labels, ""), annotation_lines = print(annotations, "manifest:");
    doc::Value json;
    json["tags"] = doc::List(names_.begin(), names_.end());
    json["tag-names"] = doc::List(tags.begin(), tags.end());
    json["labels"] = doc::Map{};
    for (auto& [key, value] : labels) json["labels"][key] = value;
    json["annotations"] = doc::List(annotation_lines.begin(), annotation_lines.end());
    auto separator = [&](const char* input) {
      return use_.inputs.contains(input) ? use_.inputs.find(input)->second : "\n";
    };
    tell("version", version_);
    tell("tags", join(Texts(names_), separator("sep-tags")));
    tell("tag-names", join(Texts(tags), separator("sep-tags")));
    tell("labels", join(Texts(label_lines), separator("sep-labels")));
    tell("annotations", join(Texts(annotation_lines), separator("sep-annotations")));
    tell("json", doc::print_json(json));
    for (auto& name : names_) use_.say(name);
    return bake_files(json, images);
  }

  Result<> bake_files(const doc::Value& json, const std::vector<std::string>& images) {
    auto write = [&](const std::string& output, doc::Value body) -> Result<> {
      auto file = fmt::format("{}/docker-metadata-action-{}.json", use_.job.folder().temp(), output);
      doc::Value all;
      all["target"][use_.input("bake-target", "docker-metadata-action")] = std::move(body);
      TRY_OK(use_.job.folder().write(file, doc::print_json_pretty(all)));
      tell(output, use_.job.inside(file));
      return {};
    };
    doc::Value tags, labels, annotations;
    tags["tags"] = *json.find("tags");
    tags["args"]["DOCKER_META_IMAGES"] = join(std::span<const std::string>(images), ",");
    tags["args"]["DOCKER_META_VERSION"] = version_;
    labels["labels"] = *json.find("labels");
    annotations["annotations"] = *json.find("annotations");
    TRY_OK(write("bake-file-tags", tags));
    TRY_OK(write("bake-file-labels", labels));
    TRY_OK(write("bake-file-annotations", annotations));
    auto whole = tags;
    whole["labels"] = *json.find("labels");
    return write("bake-file", std::move(whole));
  }

  ActionUse& use_;
  const Event& event_;
  TagSource source_;
  std::string version_, created_;
  std::vector<std::string> names_;
};

}  // namespace

Result<> docker_metadata(const Ctx& ctx, ActionUse& use) { return Metadata(ctx, use).run(); }

}  // namespace slipway::ci
