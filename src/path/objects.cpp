#include "path/objects.h"

#include "base/cron_window.h"

namespace slipway::path {
namespace {

// Writes fields, leaving empty ones out.
class Writer {
 public:
  Writer& text(std::string_view key, std::string_view value) {
    if (!value.empty()) map_.set(key, value);
    return *this;
  }
  Writer& number(std::string_view key, std::int64_t value) {
    if (value != 0) map_.set(key, value);
    return *this;
  }
  Writer& flag(std::string_view key, bool value, bool usual = false) {
    if (value != usual) map_.set(key, value);
    return *this;
  }
  Writer& strings(std::string_view key, const std::vector<std::string>& values) {
    if (values.empty()) return *this;
    doc::List list;
    for (const auto& v : values) list.emplace_back(v);
    map_.set(key, std::move(list));
    return *this;
  }
  Writer& value(std::string_view key, doc::Value v) {
    map_.set(key, std::move(v));
    return *this;
  }
  doc::Value done() { return std::move(map_); }

 private:
  doc::Map map_;
};

// Reads fields; remembers the first that is wrong. An absent or null field keeps the default.
class Reader {
 public:
  explicit Reader(doc::View view) : view_(std::move(view)) {
    if (view_.present() && !view_.value().is_map()) note(view_.wrong("want a map").error());
  }
  void text(std::string_view key, std::string& out) {
    read(key, out, [](const doc::View& v) { return v.str(); });
  }
  template <class Number>
  void number(std::string_view key, Number& out) {
    read(key, out, [](const doc::View& v) -> Result<Number> {
      TRY(auto n, v.num());
      return static_cast<Number>(n);
    });
  }
  void flag(std::string_view key, bool& out) {
    read(key, out, [](const doc::View& v) { return v.boolean(); });
  }
  void strings(std::string_view key, std::vector<std::string>& out) {
    read(key, out, [](const doc::View& v) { return v.strings(); });
  }
  void duration(std::string_view key, Millis& out) {
    read(key, out, [](const doc::View& v) { return v.duration(); });
  }
  template <class Enum, class Parse>
  void name(std::string_view key, Enum& out, Parse parse, std::string_view want) {
    read(key, out, [&](const doc::View& v) -> Result<Enum> {
      TRY(auto word, v.str());
      if (auto value = parse(word)) return *value;
      return v.wrong(fmt::format("\"{}\" is not known, want {}", word, want));
    });
  }
  template <class T, class From>
  void nested(std::string_view key, T& out, From from) {
    read(key, out, [&](const doc::View& v) { return from(v); });
  }
  template <class T, class From>
  void each(std::string_view key, std::vector<T>& out, From from) {
    read(key, out, [&](const doc::View& v) -> Result<std::vector<T>> {
      TRY(auto items, v.list());
      std::vector<T> all;
      for (const auto& item : items) {
        TRY(auto one, from(item));
        all.push_back(std::move(one));
      }
      return all;
    });
  }
  template <class T>
  Result<T> done(T value) {
    if (error_) return Fail(*std::move(error_));
    return value;
  }
  void note(Error error) {
    if (!error_) error_ = std::move(error);
  }
  const doc::View& view() const { return view_; }

 private:
  template <class T, class Get>
  void read(std::string_view key, T& out, Get get) {
    auto field = view_[key];
    if (!field.present()) return;
    auto value = get(field);
    if (value)
      out = *std::move(value);
    else
      note(std::move(value).error());
  }
  doc::View view_;
  std::optional<Error> error_;
};

constexpr std::string_view phase_names = "Pending, Running, Waiting, Succeeded, Failed, Cancelled or Skipped";

Result<std::map<std::string, std::string>> texts(const doc::View& view) {
  TRY(auto members, view.map());
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : members) {
    TRY(out[key], value.str());
  }
  return out;
}

doc::View spec_of(const doc::View& view) { return view["spec"].present() ? view["spec"] : view; }

}  // namespace

doc::Value to_doc(const Change& c) {
  Writer w;
  if (!c.inputs.empty()) {
    doc::Map inputs;
    for (const auto& [key, value] : c.inputs) inputs.set(key, value);
    w.value("inputs", std::move(inputs));
  }
  if (!c.details.is_null()) w.value("details", c.details);
  return w.text("event", to_string(c.event))
      .text("repository", c.repository)
      .text("ref", c.ref)
      .text("before", c.before)
      .text("after", c.after)
      .text("tree", c.tree)
      .number("pullRequest", c.pull_request)
      .text("baseRef", c.base_ref)
      .text("base", c.base)
      .text("author", c.author)
      .text("subject", c.subject)
      .strings("paths", c.paths)
      .flag("trusted", c.trusted, true)
      .text("workflow", c.workflow)
      .text("action", c.action)
      .text("cron", c.cron)
      .done();
}
Result<Change> change_from(doc::View view) {
  Change c;
  Reader r(spec_of(view));
  r.name("event", c.event, parse_event,
         "push, pull_request, tag, workflow_dispatch, schedule, repository_dispatch, workflow_run, create, delete or "
         "release");
  r.text("repository", c.repository), r.text("ref", c.ref);
  r.text("before", c.before), r.text("after", c.after), r.text("tree", c.tree);
  r.number("pullRequest", c.pull_request);
  r.text("baseRef", c.base_ref), r.text("base", c.base);
  r.text("author", c.author), r.text("subject", c.subject);
  r.strings("paths", c.paths);
  r.flag("trusted", c.trusted);
  r.text("workflow", c.workflow), r.text("action", c.action), r.text("cron", c.cron);
  r.nested("inputs", c.inputs, texts);
  if (r.view()["details"].present()) c.details = r.view()["details"].value();
  return r.done(std::move(c));
}

doc::Value to_doc(const Finding& f) {
  return Writer()
      .text("check", f.check)
      .text("rule", f.rule)
      .text("severity", to_string(f.severity))
      .text("file", f.place.file)
      .number("line", f.place.line)
      .number("column", f.place.column)
      .text("message", f.message)
      .text("package", f.package)
      .text("version", f.version)
      .text("fixedIn", f.fixed_in)
      .text("fingerprint", f.fingerprint)
      .flag("fails", f.fails)
      .done();
}
Result<Finding> finding_from(doc::View view) {
  Finding f;
  Reader r(view);
  r.text("check", f.check), r.text("rule", f.rule);
  r.name("severity", f.severity, parse_severity, "info, low, medium, high, critical, error or warning");
  r.text("file", f.place.file), r.number("line", f.place.line), r.number("column", f.place.column);
  r.text("message", f.message), r.text("package", f.package), r.text("version", f.version);
  r.text("fixedIn", f.fixed_in), r.text("fingerprint", f.fingerprint);
  r.flag("fails", f.fails);
  return r.done(std::move(f));
}

doc::Value to_doc(const Artifact& a) {
  return Writer()
      .text("service", a.service)
      .text("image", a.image)
      .text("digest", a.digest.str())
      .strings("tags", a.tags)
      .text("repository", a.repository)
      .text("commit", a.commit)
      .text("run", a.run)
      .text("inputs", a.inputs)
      .flag("reused", a.reused)
      .number("bytes", static_cast<std::int64_t>(a.bytes))
      .done();
}
Result<Artifact> artifact_from(doc::View view) {
  Artifact a;
  Reader r(spec_of(view));
  r.text("service", a.service), r.text("image", a.image);
  r.nested("digest", a.digest, [](const doc::View& v) -> Result<Digest> {
    TRY(auto text, v.str());
    auto digest = Digest::parse(text);
    if (!digest) return v.wrong(digest.error().what());
    return digest;
  });
  r.strings("tags", a.tags);
  r.text("repository", a.repository), r.text("commit", a.commit), r.text("run", a.run);
  r.text("inputs", a.inputs);
  r.flag("reused", a.reused);
  r.number("bytes", a.bytes);
  return r.done(std::move(a));
}

doc::Value to_doc(const Promotion& p) {
  Writer w;
  w.text("service", p.service).text("environment", p.environment);
  if (!(p.artifact == Artifact{})) w.value("artifact", to_doc(p.artifact));
  w.text("configRepository", p.config_repository).text("configPath", p.config_path).text("reason", p.reason);
  w.text("approvedBy", p.approved_by);
  if (p.phase != Phase::pending) w.text("phase", to_string(p.phase));
  return w.text("commit", p.commit).text("message", p.message).flag("revert", p.revert).done();
}
Result<Promotion> promotion_from(doc::View view) {
  Promotion p;
  Reader r(spec_of(view));
  r.text("service", p.service), r.text("environment", p.environment);
  r.nested("artifact", p.artifact, artifact_from);
  r.text("configRepository", p.config_repository), r.text("configPath", p.config_path);
  r.text("reason", p.reason);
  r.flag("revert", p.revert);
  auto outcome = [&](Reader& from) {
    from.text("approvedBy", p.approved_by);
    from.name("phase", p.phase, parse_phase, phase_names);
    from.text("commit", p.commit), from.text("message", p.message);
  };
  outcome(r);
  if (!view["spec"].present()) return r.done(std::move(p));
  Reader status(view["status"]);
  outcome(status);
  TRY_OK(r.done(true));
  return status.done(std::move(p));
}

doc::Value to_doc(const Verdict& v) {
  return Writer().text("outcome", to_string(v.outcome)).text("why", v.why).strings("evidence", v.evidence).done();
}
Result<Verdict> verdict_from(doc::View view) {
  Verdict v;
  Reader r(view);
  r.name("outcome", v.outcome, parse_outcome, "pass, fail or inconclusive");
  r.text("why", v.why), r.strings("evidence", v.evidence);
  return r.done(std::move(v));
}

doc::Value to_doc(const Notice& n) {
  Writer w;
  w.text("id", n.id).text("event", n.event).text("severity", to_string(n.severity)).text("title", n.title);
  w.text("text", n.text).text("link", n.link);
  doc::Map facts;
  for (const auto& [key, value] : n.facts) facts.set(key, value);
  if (!facts.empty()) w.value("facts", std::move(facts));
  return w.done();
}
Result<Notice> notice_from(doc::View view) {
  Notice n;
  Reader r(view);
  r.text("id", n.id), r.text("event", n.event);
  r.name("severity", n.severity, parse_severity, "info, low, medium, high, critical, error or warning");
  r.text("title", n.title), r.text("text", n.text), r.text("link", n.link);
  r.nested("facts", n.facts, texts);
  return r.done(std::move(n));
}

namespace {

Result<ServiceSource> service_from(const doc::View& view) {
  ServiceSource s;
  Reader r(view);
  TRY(s.name, view["name"].str());
  r.text("image", s.image), r.text("repository", s.repository);
  r.strings("paths", s.paths);
  r.text("workflow", s.workflow);
  return r.done(std::move(s));
}

Result<PromotionWindow> window_from(const doc::View& view) {
  PromotionWindow w;
  auto kind = view["kind"].text();
  if (kind != "allow" && kind != "deny") return view["kind"].wrong("want allow or deny");
  w.allow = kind == "allow";
  TRY(w.schedule, view["schedule"].str());
  if (!is_cron(w.schedule)) return view["schedule"].wrong(fmt::format("got \"{}\", want five cron fields", w.schedule));
  TRY(w.duration, view["duration"].duration());
  if (w.duration <= Millis(0) || w.duration > std::chrono::hours(24 * 31))
    return view["duration"].wrong("want a time above 0, at most 31 days");
  std::string zone_name;
  if (view["timeZone"].present()) {
    TRY(zone_name, view["timeZone"].str());
  }
  auto zone = TimeZone::find(zone_name);
  if (!zone) return view["timeZone"].wrong(zone.error().what());
  w.zone = *std::move(zone);
  return w;
}

Result<Environment> environment_from(const doc::View& view) {
  Environment e;
  Reader r(view);
  TRY(e.name, view["name"].str());
  r.text("path", e.path), r.text("namespace", e.ns), r.text("after", e.after);
  r.flag("automatic", e.automatic);
  r.strings("approvers", e.approvers);
  r.duration("soak", e.soak);
  r.flag("pullRequest", e.pull_request), r.flag("together", e.together);
  r.each("windows", e.windows, window_from);
  r.text("application", e.application);
  return r.done(std::move(e));
}

// The chain has no gaps, no doubles and no circles.
Result<> check_chain(const doc::View& list, const std::vector<Environment>& environments) {
  std::map<std::string, std::string> after;
  for (std::size_t i = 0; i < environments.size(); ++i)
    if (!after.emplace(environments[i].name, environments[i].after).second)
      return list[i]["name"].wrong(fmt::format("environment \"{}\" is there twice", environments[i].name));
  for (std::size_t i = 0; i < environments.size(); ++i) {
    const auto& e = environments[i];
    if (!e.after.empty() && !after.contains(e.after))
      return list[i]["after"].wrong(fmt::format("there is no environment \"{}\"", e.after));
    std::size_t hops = 0;
    for (auto name = e.after; !name.empty(); name = after[name])
      if (++hops > environments.size())
        return list[i]["after"].wrong("the environments wait for each other in a circle");
  }
  return {};
}

}  // namespace

Result<Pipeline> pipeline_from(doc::View object) {
  Pipeline p;
  p.name = object["metadata"]["name"].str_or("");
  auto spec = spec_of(object);
  Reader r(spec);
  r.text("repository", p.config_repository), r.text("branch", p.branch), r.text("url", p.config_url);
  r.each("services", p.services, service_from);
  r.each("environments", p.environments, environment_from);
  TRY(p, r.done(std::move(p)));
  TRY_OK(check_chain(spec["environments"], p.environments));
  return p;
}

}  // namespace slipway::path
