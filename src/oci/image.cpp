#include "oci/image.h"

#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::oci {

namespace {

using doc::View;

Result<std::map<std::string, std::string>> string_map(View view) {
  std::map<std::string, std::string> out;
  if (!view.present()) return out;
  TRY(auto members, view.map());
  for (const auto& [key, value] : members) {
    TRY(auto text, value.str());
    out[key] = std::move(text);
  }
  return out;
}

Result<std::vector<std::string>> string_list(View view) {
  if (!view.present()) return std::vector<std::string>();
  return view.strings();
}

// A set written as {"80/tcp": {}}.
Result<std::vector<std::string>> key_set(View view) {
  std::vector<std::string> out;
  if (!view.present()) return out;
  TRY(auto members, view.map());
  for (const auto& member : members) out.push_back(member.first);
  return out;
}

Result<Digest> digest_of(View view) {
  TRY(auto text, view.str());
  auto digest = Digest::parse(text);
  if (!digest) return view.wrong("want sha256:<64 hex digits>");
  return digest;
}

Platform platform_of(View view) {
  Platform p;
  p.os = view["os"].str_or("");
  p.architecture = view["architecture"].str_or("");
  p.variant = view["variant"].str_or("");
  return p;
}

Result<Descriptor> descriptor_of(View view) {
  Descriptor d;
  TRY(d.media_type, view["mediaType"].str());
  TRY(d.digest, digest_of(view["digest"]));
  TRY(auto size, view["size"].num());
  if (size < 0) return view["size"].wrong("want a size of 0 or more");
  d.size = static_cast<std::uint64_t>(size);
  TRY(d.annotations, string_map(view["annotations"]));
  if (view["platform"].present()) d.platform = platform_of(view["platform"]);
  d.artifact_type = view["artifactType"].str_or("");
  return d;
}

Result<doc::Value> document(std::string_view json, std::string_view what) {
  TRY(auto value, doc::parse_json(json, what));
  View view(value, what);
  TRY(auto version, view["schemaVersion"].num());
  if (version != 2) return view["schemaVersion"].wrong("want 2");
  return value;
}

doc::Value to_doc(const std::map<std::string, std::string>& map) {
  doc::Map out;
  for (const auto& [key, value] : map) out.set(key, value);
  return out;
}

doc::Value to_doc(const std::vector<std::string>& list) {
  doc::List out;
  for (const auto& item : list) out.emplace_back(item);
  return out;
}

doc::Value to_doc(const Platform& p) {
  doc::Map out{{"architecture", p.architecture}, {"os", p.os}};
  if (!p.variant.empty()) out.set("variant", p.variant);
  return out;
}

}  // namespace

doc::Value to_doc(const Descriptor& d) {
  doc::Map out{{"mediaType", d.media_type}, {"digest", d.digest.str()}, {"size", d.size}};
  if (!d.artifact_type.empty()) out.set("artifactType", d.artifact_type);
  if (!d.annotations.empty()) out.set("annotations", to_doc(d.annotations));
  if (d.platform) out.set("platform", to_doc(*d.platform));
  return out;
}

std::string Platform::print() const {
  return variant.empty() ? os + "/" + architecture : os + "/" + architecture + "/" + variant;
}

Result<Platform> parse_platform(std::string_view text) {
  auto parts = split(text, '/');
  if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() || parts[1].empty())
    return fail(Kind::invalid, "platform {:?}: want os/architecture[/variant], for example linux/arm64", text);
  Platform p;
  p.os = lower(parts[0]);
  p.architecture = lower(parts[1]);
  if (p.architecture == "x86_64" || p.architecture == "x86-64") p.architecture = "amd64";
  if (p.architecture == "aarch64") p.architecture = "arm64";
  if (parts.size() == 3) p.variant = lower(parts[2]);
  if (p.architecture == "arm64" && p.variant == "v8") p.variant.clear();
  return p;
}

bool is_index(std::string_view media_type) { return media_type == media::index || media_type == media::docker_list; }

bool is_foreign(std::string_view media_type) {
  return media_type.find("nondistributable") != std::string_view::npos ||
         media_type.find(".foreign.") != std::string_view::npos;
}

Result<Manifest> parse_manifest(std::string_view json) {
  TRY(auto value, document(json, "manifest"));
  View view(value, "manifest");
  // A document that is both would be read one way by us and another way by the next client.
  if (view["manifests"].present()) return view["manifests"].wrong("an image manifest has no manifests");
  Manifest m;
  m.media_type = view["mediaType"].str_or(media::manifest);
  m.artifact_type = view["artifactType"].str_or("");
  TRY(m.config, descriptor_of(view["config"]));
  if (view["layers"].present()) {
    TRY(auto layers, view["layers"].list());
    for (const auto& layer : layers) {
      TRY(auto d, descriptor_of(layer));
      m.layers.push_back(std::move(d));
    }
  }
  if (view["subject"].present()) {
    TRY(auto subject, descriptor_of(view["subject"]));
    m.subject = std::move(subject);
  }
  TRY(m.annotations, string_map(view["annotations"]));
  return m;
}

Result<Index> parse_index(std::string_view json) {
  TRY(auto value, document(json, "index"));
  View view(value, "index");
  if (view["layers"].present() || view["config"].present()) return view.wrong("an index has neither config nor layers");
  Index index;
  index.media_type = view["mediaType"].str_or(media::index);
  index.artifact_type = view["artifactType"].str_or("");
  if (view["manifests"].present()) {
    TRY(auto manifests, view["manifests"].list());
    for (const auto& manifest : manifests) {
      TRY(auto d, descriptor_of(manifest));
      index.manifests.push_back(std::move(d));
    }
  }
  if (view["subject"].present()) {
    TRY(auto subject, descriptor_of(view["subject"]));
    index.subject = std::move(subject);
  }
  TRY(index.annotations, string_map(view["annotations"]));
  return index;
}

namespace {

Result<Healthcheck> healthcheck_of(View view) {
  Healthcheck h;
  TRY(h.test, string_list(view["Test"]));
  h.interval_ns = view["Interval"].num_or(0);
  h.timeout_ns = view["Timeout"].num_or(0);
  h.start_period_ns = view["StartPeriod"].num_or(0);
  h.start_interval_ns = view["StartInterval"].num_or(0);
  h.retries = view["Retries"].num_or(0);
  return h;
}

Result<> read_run_config(View view, Config& c) {
  c.user = view["User"].str_or("");
  c.working_dir = view["WorkingDir"].str_or("");
  c.stop_signal = view["StopSignal"].str_or("");
  TRY(c.env, string_list(view["Env"]));
  TRY(c.entrypoint, string_list(view["Entrypoint"]));
  TRY(c.cmd, string_list(view["Cmd"]));
  TRY(c.shell, string_list(view["Shell"]));
  TRY(c.on_build, string_list(view["OnBuild"]));
  TRY(c.exposed_ports, key_set(view["ExposedPorts"]));
  TRY(c.volumes, key_set(view["Volumes"]));
  TRY(c.labels, string_map(view["Labels"]));
  if (view["Healthcheck"].present()) {
    TRY(auto health, healthcheck_of(view["Healthcheck"]));
    c.healthcheck = std::move(health);
  }
  return {};
}

}  // namespace

Result<Config> parse_config(std::string_view json) {
  TRY(auto value, doc::parse_json(json, "image config"));
  View view(value, "image config");
  Config c;
  c.platform = platform_of(view);
  c.created = view["created"].str_or("");
  c.author = view["author"].str_or("");
  TRY_OK(read_run_config(view["config"], c));
  for (const auto& item : view["rootfs"]["diff_ids"].items()) {
    TRY(auto digest, digest_of(item));
    c.diff_ids.push_back(std::move(digest));
  }
  for (const auto& item : view["history"].items()) {
    HistoryEntry h;
    h.created = item["created"].str_or("");
    h.created_by = item["created_by"].str_or("");
    h.comment = item["comment"].str_or("");
    h.author = item["author"].str_or("");
    h.empty_layer = item["empty_layer"].bool_or(false);
    c.history.push_back(std::move(h));
  }
  return c;
}

std::string print(const Manifest& m) {
  doc::Map out{{"schemaVersion", 2}, {"mediaType", m.media_type}};
  if (!m.artifact_type.empty()) out.set("artifactType", m.artifact_type);
  out.set("config", to_doc(m.config));
  doc::List layers;
  for (const auto& layer : m.layers) layers.push_back(to_doc(layer));
  out.set("layers", std::move(layers));
  if (m.subject) out.set("subject", to_doc(*m.subject));
  if (!m.annotations.empty()) out.set("annotations", to_doc(m.annotations));
  return doc::print_json(out);
}

std::string print(const Index& index) {
  doc::Map out{{"schemaVersion", 2}, {"mediaType", index.media_type}};
  if (!index.artifact_type.empty()) out.set("artifactType", index.artifact_type);
  doc::List manifests;
  for (const auto& manifest : index.manifests) manifests.push_back(to_doc(manifest));
  out.set("manifests", std::move(manifests));
  if (index.subject) out.set("subject", to_doc(*index.subject));
  if (!index.annotations.empty()) out.set("annotations", to_doc(index.annotations));
  return doc::print_json(out);
}

namespace {

doc::Value run_config(const Config& c) {
  doc::Map out;
  auto text = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) out.set(key, value);
  };
  auto list = [&](std::string_view key, const std::vector<std::string>& value) {
    if (!value.empty()) out.set(key, to_doc(value));
  };
  auto set = [&](std::string_view key, const std::vector<std::string>& value) {
    if (value.empty()) return;
    doc::Map members;
    for (const auto& name : value) members.set(name, doc::Map());
    members.sort_keys();
    out.set(key, std::move(members));
  };
  text("User", c.user);
  set("ExposedPorts", c.exposed_ports);
  list("Env", c.env);
  list("Entrypoint", c.entrypoint);
  list("Cmd", c.cmd);
  set("Volumes", c.volumes);
  text("WorkingDir", c.working_dir);
  if (!c.labels.empty()) out.set("Labels", to_doc(c.labels));
  text("StopSignal", c.stop_signal);
  list("OnBuild", c.on_build);
  list("Shell", c.shell);
  if (const auto& h = c.healthcheck) {
    doc::Map health;
    if (!h->test.empty()) health.set("Test", to_doc(h->test));
    auto number = [&](std::string_view key, std::int64_t n) {
      if (n != 0) health.set(key, n);
    };
    number("Interval", h->interval_ns);
    number("Timeout", h->timeout_ns);
    number("StartPeriod", h->start_period_ns);
    number("StartInterval", h->start_interval_ns);
    number("Retries", h->retries);
    out.set("Healthcheck", std::move(health));
  }
  return out;
}

}  // namespace

std::string print(const Config& c) {
  doc::Map out;
  if (!c.created.empty()) out.set("created", c.created);
  if (!c.author.empty()) out.set("author", c.author);
  out.set("architecture", c.platform.architecture);
  if (!c.platform.variant.empty()) out.set("variant", c.platform.variant);
  out.set("os", c.platform.os);
  out.set("config", run_config(c));
  doc::List diff_ids;
  for (const auto& id : c.diff_ids) diff_ids.emplace_back(id.str());
  out.set("rootfs", doc::Map{{"type", "layers"}, {"diff_ids", std::move(diff_ids)}});
  doc::List history;
  for (const auto& h : c.history) {
    doc::Map entry;
    if (!h.created.empty()) entry.set("created", h.created);
    if (!h.author.empty()) entry.set("author", h.author);
    if (!h.created_by.empty()) entry.set("created_by", h.created_by);
    if (!h.comment.empty()) entry.set("comment", h.comment);
    if (h.empty_layer) entry.set("empty_layer", true);
    history.emplace_back(std::move(entry));
  }
  out.set("history", std::move(history));
  return doc::print_json(out);
}

}  // namespace slipway::oci
