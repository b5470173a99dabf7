// Job results as documents: for the cache, and for whoever takes an interrupted run up again.
#include "base/text.h"
#include "ci/detail/documents.h"
#include "ci/runner.h"
#include "path/objects.h"

namespace slipway::ci {

std::string_view to_string(Conclusion conclusion) {
  constexpr std::string_view names[] = {"success", "failure", "cancelled", "skipped"};
  return names[static_cast<int>(conclusion)];
}
std::optional<Conclusion> parse_conclusion(std::string_view text) {
  for (auto c : {Conclusion::success, Conclusion::failure, Conclusion::cancelled, Conclusion::skipped})
    if (to_string(c) == text) return c;
  return {};
}

namespace {

doc::Value step_doc(const StepResult& s) {
  doc::Value out;
  out["id"] = s.id, out["name"] = s.name;
  out["outcome"] = to_string(s.outcome), out["conclusion"] = to_string(s.conclusion);
  out["millis"] = static_cast<std::int64_t>(s.duration.count());
  if (!s.outputs.empty()) out["outputs"] = texts(s.outputs);
  if (s.command) out["command"] = true;
  if (s.from_cache) out["cached"] = true;
  return out;
}

doc::Value annotation_doc(const Annotation& a) {
  constexpr std::string_view levels[] = {"notice", "warning", "error"};
  doc::Value out;
  out["level"] = levels[static_cast<int>(a.level)];
  out["message"] = a.message;
  if (!a.title.empty()) out["title"] = a.title;
  if (!a.place.file.empty()) out["file"] = a.place.file;
  if (a.place.line > 0) out["line"] = a.place.line;
  if (a.place.column > 0) out["column"] = a.place.column;
  if (a.end_line > 0) out["endLine"] = a.end_line;
  if (a.end_column > 0) out["endColumn"] = a.end_column;
  return out;
}
Annotation annotation_from(doc::View v) {
  Annotation a;
  auto level = v["level"].str_or("notice");
  a.level = level == "error"     ? Annotation::Level::error
            : level == "warning" ? Annotation::Level::warning
                                 : Annotation::Level::notice;
  a.message = v["message"].str_or(""), a.title = v["title"].str_or("");
  a.place = {v["file"].str_or(""), static_cast<int>(v["line"].num_or(0)), static_cast<int>(v["column"].num_or(0))};
  a.end_line = static_cast<int>(v["endLine"].num_or(0)), a.end_column = static_cast<int>(v["endColumn"].num_or(0));
  return a;
}

doc::Value image_doc(const BuiltImage& i) {
  doc::Value out;
  out["image"] = i.image, out["digest"] = i.digest.str(), out["inputs"] = i.inputs;
  out["bytes"] = static_cast<std::int64_t>(i.bytes);
  for (auto& tag : i.tags) out["tags"].list().emplace_back(tag);
  return out;
}

}  // namespace

doc::Value to_doc(const JobResult& r) {
  doc::Value out;
  out["key"] = r.key, out["id"] = r.id, out["name"] = r.name;
  out["conclusion"] = to_string(r.conclusion);
  out["millis"] = static_cast<std::int64_t>(r.duration.count());
  if (!r.why.empty()) out["why"] = r.why;
  if (!r.outputs.empty()) out["outputs"] = texts(r.outputs);
  if (!r.summary.empty()) out["summary"] = r.summary;
  if (!r.resumable.empty()) out["resumable"] = r.resumable;
  if (r.from_cache) out["fromCache"] = true;
  if (!r.cache_key.empty()) out["cacheKey"] = r.cache_key;
  if (r.exit_code != 0) out["exitCode"] = r.exit_code;
  if (r.timed_out) out["timedOut"] = true;
  if (r.coverage) out["coverage"] = *r.coverage;
  if (!r.environment.empty()) out["environment"] = r.environment;
  if (!r.environment_url.empty()) out["environmentUrl"] = r.environment_url;
  for (auto& s : r.steps) out["steps"].list().push_back(step_doc(s));
  for (auto& a : r.annotations) out["annotations"].list().push_back(annotation_doc(a));
  for (auto& a : r.artifacts) {
    doc::Value one;
    one["name"] = a.name, one["digest"] = a.digest.str(), one["bytes"] = static_cast<std::int64_t>(a.bytes);
    if (!a.type.empty()) one["type"] = a.type;
    out["artifacts"].list().push_back(std::move(one));
  }
  for (auto& i : r.images) out["images"].list().push_back(image_doc(i));
  for (auto& f : r.findings) out["findings"].list().push_back(path::to_doc(f));
  return out;
}

Result<JobResult> job_result_from(doc::View v) {
  JobResult r;
  TRY(r.key, v["key"].str());
  r.id = v["id"].str_or(""), r.name = v["name"].str_or(r.key);
  auto conclusion = parse_conclusion(v["conclusion"].str_or(""));
  if (!conclusion) return v["conclusion"].wrong("want success, failure, cancelled or skipped");
  r.conclusion = *conclusion;
  r.duration = Millis(v["millis"].num_or(0));
  r.why = v["why"].str_or(""), r.summary = v["summary"].str_or("");
  r.from_cache = v["fromCache"].bool_or(false), r.cache_key = v["cacheKey"].str_or("");
  r.resumable = v["resumable"].str_or("");
  r.exit_code = static_cast<int>(v["exitCode"].num_or(0)), r.timed_out = v["timedOut"].bool_or(false);
  if (const auto* coverage = v["coverage"].exists() ? &v["coverage"].value() : nullptr)
    r.coverage = Data::from(*coverage).number();
  r.environment = v["environment"].str_or(""), r.environment_url = v["environmentUrl"].str_or("");
  r.outputs = texts_from(v["outputs"]);
  for (auto& s : v["steps"].items()) {
    StepResult step{s["id"].str_or(""),
                    s["name"].str_or(""),
                    parse_conclusion(s["outcome"].str_or("")).value_or(Conclusion::skipped),
                    parse_conclusion(s["conclusion"].str_or("")).value_or(Conclusion::skipped),
                    Millis(s["millis"].num_or(0)),
                    texts_from(s["outputs"]),
                    s["command"].bool_or(false)};
    r.steps.push_back(std::move(step));
  }
  for (auto& a : v["annotations"].items()) r.annotations.push_back(annotation_from(a));
  for (auto& a : v["artifacts"].items()) {
    TRY(auto digest, Digest::parse(a["digest"].str_or("")));
    r.artifacts.push_back(
        {a["name"].str_or(""), digest, static_cast<std::uint64_t>(a["bytes"].num_or(0)), a["type"].str_or("")});
  }
  for (auto& i : v["images"].items()) {
    TRY(auto digest, Digest::parse(i["digest"].str_or("")));
    r.images.push_back({i["image"].str_or(""), digest, list_from(i["tags"]), i["inputs"].str_or(""),
                        static_cast<std::uint64_t>(i["bytes"].num_or(0))});
  }
  for (auto& f : v["findings"].items()) {
    TRY(auto finding, path::finding_from(f));
    r.findings.push_back(std::move(finding));
  }
  return r;
}

}  // namespace slipway::ci
