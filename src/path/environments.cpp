// Environments of workflow jobs, and what people say of jobs that wait for them.
#include <algorithm>

#include "base/hash.h"
#include "base/text.h"
#include "path/detail/fields.h"
#include "path/objects.h"

namespace slipway::path {
namespace {

doc::View spec_of(const doc::View& view) { return view["spec"].present() ? view["spec"] : view; }

Result<std::map<std::string, std::string>> texts(const doc::View& view) {
  std::map<std::string, std::string> out;
  if (!view.present()) return out;
  TRY(auto members, view.map());
  for (const auto& [key, value] : members) {
    TRY(out[key], value.str());
  }
  return out;
}

// A DNS label that is another one for another text; case does not count.
std::string label_of(std::string_view given) {
  auto text = lower(given);
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  bool fits = !text.empty() && text.size() <= 63 && plain(text.front()) && plain(text.back()) &&
              std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '-'; });
  if (fits) return text;
  std::string out;
  for (char c : text.substr(0, 40))
    if (plain(c))
      out += c;
    else if (!out.empty() && !out.ends_with('-'))
      out += '-';
  while (out.ends_with('-')) out.pop_back();
  return fmt::format("{}{}x{}", out, out.empty() ? "" : "-", sha256_hex(text).substr(0, 10));
}

}  // namespace

std::string environment_object_name(std::string_view repository, std::string_view environment) {
  return label_of(repository) + "." + label_of(environment);
}

Result<JobEnvironment> job_environment_from(doc::View object) {
  auto spec = spec_of(object);
  TRY_OK(known_fields(
      spec, {"repository", "name", "reviewers", "approvals", "preventSelfReview", "wait", "branches", "tags", "vars"}));
  TRY_OK(known_fields(spec["reviewers"], {"users", "groups"}));
  JobEnvironment out;
  TRY(out.repository, spec["repository"].str());
  TRY(out.name, spec["name"].str());
  if (out.repository.empty()) return spec["repository"].wrong("want the name of a repository");
  if (out.name.empty() || out.name.size() > 255) return spec["name"].wrong("want a name of at most 255 characters");
  TRY(out.users, strings(spec["reviewers"]["users"]));
  TRY(out.groups, strings(spec["reviewers"]["groups"]));
  if (spec["approvals"].present()) {
    TRY(auto count, spec["approvals"].num());
    if (count < 1 || count > 6) return spec["approvals"].wrong("want 1 to 6");
    out.approvals = static_cast<int>(count);
  }
  if (spec["preventSelfReview"].present()) {
    TRY(out.prevent_self_review, spec["preventSelfReview"].boolean());
  }
  if (spec["wait"].present()) {
    TRY(out.wait, spec["wait"].duration());
    if (out.wait < Millis(0) || out.wait > std::chrono::hours(24 * 30)) return spec["wait"].wrong("want 0 to 30 days");
  }
  TRY(out.branches, strings(spec["branches"]));
  TRY(out.tags, strings(spec["tags"]));
  TRY(out.vars, texts(spec["vars"]));
  return out;
}

doc::Value to_doc(const Approval& a) {
  doc::Map map{{"run", a.run},
               {"attempt", a.attempt},
               {"commit", a.commit},
               {"environment", a.environment},
               {"decision", a.approved ? "approved" : "rejected"},
               {"by", a.by},
               {"at", a.at}};
  if (!a.job.empty()) map.set("job", a.job);
  if (!a.comment.empty()) map.set("comment", a.comment);
  if (!a.groups.empty()) map.set("groups", doc::List(a.groups.begin(), a.groups.end()));
  return map;
}

Result<Approval> approval_from(doc::View object) {
  auto spec = spec_of(object);
  Approval out;
  TRY(out.run, spec["run"].str());
  for (auto [key, value] :
       {std::pair{"commit", &out.commit}, std::pair{"environment", &out.environment}, std::pair{"job", &out.job},
        std::pair{"by", &out.by}, std::pair{"comment", &out.comment}, std::pair{"at", &out.at}}) {
    if (!spec[key].present()) continue;
    TRY(*value, spec[key].str());
  }
  if (spec["attempt"].present()) {
    TRY(out.attempt, spec["attempt"].num());
  }
  TRY(auto decision, spec["decision"].str());
  if (decision != "approved" && decision != "rejected")
    return spec["decision"].wrong(fmt::format("\"{}\" is not known, want approved or rejected", decision));
  out.approved = decision == "approved";
  TRY(out.groups, strings(spec["groups"]));
  return out;
}

}  // namespace slipway::path
