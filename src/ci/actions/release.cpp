// softprops/action-gh-release, ncipollo/release-action, actions/create-release, actions/upload-release-asset.
// With GITHUB_API_URL: releases of GitHub's API. Without: the tag in this house's repository, and an artifact of the
// run that is called "release TAG" and holds the files and release.json.
#include "base/encode.h"
#include "base/hash.h"
#include "base/text.h"
#include "ci/actions/actions.h"
#include "ci/actions/archive.h"
#include "ci/actions/toolchain.h"
#include "ci/actions/web.h"
#include "doc/json.h"

namespace slipway::ci {
namespace {

constexpr std::string_view own_upload = "slipway:release/";
constexpr std::size_t max_asset = std::size_t{1} << 30;

struct Release {
  std::string repository, tag, name, body, commit, token, api;
  bool draft = false, prerelease = false, notes = false;
  bool update = true, replace = true;  // one that is there; its files of the same name
  std::string latest;
};
struct Asset {
  std::string file, name;  // relative to home
};

std::string tag_of(const ActionUse& use, std::string_view input) {
  auto tag = use.input(input, use.job.plan().event.ref);
  for (std::string_view prefix : {"refs/tags/"})
    if (tag.starts_with(prefix)) tag.erase(0, prefix.size());
  return tag;
}

Result<Release> release_of(ActionUse& use, std::string_view tag_input) {
  Release out;
  auto& event = use.job.plan().event;
  out.repository = use.input("repository", event.repository);
  if (auto owner = use.input("owner"), repo = use.input("repo"); !owner.empty() && !repo.empty())
    out.repository = owner + "/" + repo;
  out.tag = tag_of(use, tag_input);
  if (out.tag.empty() || out.tag.starts_with("refs/"))
    return Fail(Error(Kind::invalid, "GitHub Releases requires a tag: the run is of " + event.ref)
                    .with_hint(fmt::format("give {}, or run on: {{push: {{tags: ['v*']}}}}", tag_input)));
  bool plain = !out.tag.contains("..") && !out.tag.starts_with('-') &&
               out.tag.find_first_of(" ~^:?*[\\\n\r\t") == std::string::npos;
  if (!plain) return fail(Kind::invalid, "{}: \"{}\" is no name for a tag", tag_input, out.tag);
  out.name = use.input("name", use.input("release_name", out.tag));
  out.body = use.input("body");
  auto file = use.input("body_path", use.input("bodyFile"));
  if (!file.empty()) {
    TRY(auto relative, use.job.relative_of(file));
    if (!use.job.folder().has_file(relative)) return fail(Kind::not_found, "body_path: no such file {}", file);
    TRY(out.body, use.job.folder().read(relative, 1 << 20));
  }
  out.commit = use.input("target_commitish", use.input("commitish", use.input("commit")));
  out.draft = use.flag("draft", false), out.prerelease = use.flag("prerelease", false);
  out.notes = use.flag("generate_release_notes", use.flag("generateReleaseNotes", false));
  out.latest = use.input("make_latest", use.input("makeLatest"));
  out.token = use.input("token", variable(use, "GITHUB_TOKEN"));
  if (out.token.empty()) out.token = use.job.token();
  if (!out.token.empty()) use.job.add_mask(out.token);
  out.api = github_api(use);
  return out;
}

Result<std::vector<Asset>> assets_of(const Ctx& ctx, ActionUse& use, const std::vector<std::string>& patterns,
                                     bool must) {
  std::vector<Asset> out;
  std::set<std::string> names;
  for (auto& pattern : patterns) {
    TRY(auto matched, match_files(ctx, use.job, {pattern}, true));
    if (matched.files.empty() && must)
      return Fail(Error(Kind::not_found, fmt::format("Pattern '{}' does not match any files.", pattern))
                      .with_hint("did the step that makes them run, and write there?"));
    if (matched.files.empty()) use.say(fmt::format("##[warning]Pattern '{}' does not match any files.", pattern));
    for (auto& file : matched.files) {
      auto name = fs::path(file).filename().string();
      if (names.insert(name).second) out.push_back({file, name});
    }
  }
  return out;
}

std::string asset_type(const std::string& name) {
  constexpr std::pair<std::string_view, std::string_view> types[] = {
      {".zip", "application/zip"},   {".gz", "application/gzip"}, {".tgz", "application/gzip"},
      {".json", "application/json"}, {".txt", "text/plain"},      {".md", "text/markdown"}};
  for (auto& [end, type] : types)
    if (name.ends_with(end)) return std::string(type);
  return "application/octet-stream";
}

// ---- GitHub's API

std::string without_template(std::string url) { return url.substr(0, url.find('{')); }

Result<doc::Value> upload(const Ctx& ctx, ActionUse& use, const std::string& upload_url, const std::string& token,
                          const Asset& asset, const std::string& type) {
  TRY(auto bytes, use.job.folder().read(asset.file, max_asset));
  net::ClientRequest request{
      .method = "POST", .url = fmt::format("{}?name={}", without_template(upload_url), percent_encode(asset.name))};
  request.headers = {{"Accept", "application/vnd.github+json"}, {"Content-Type", type}};
  if (!token.empty()) request.headers.set("Authorization", "Bearer " + token);
  request.body = std::move(bytes);
  TRY(auto answer, send(ctx, std::move(request)));
  return doc::parse_json(answer.body, "answer");
}

Result<doc::Value> on_github(const Ctx& ctx, ActionUse& use, const Release& release) {
  auto base = fmt::format("{}/repos/{}/releases", release.api, release.repository);
  doc::Map body{{"tag_name", release.tag},
                {"name", release.name},
                {"body", release.body},
                {"draft", release.draft},
                {"prerelease", release.prerelease}};
  if (!release.commit.empty()) body.set("target_commitish", release.commit);
  if (release.notes) body.set("generate_release_notes", true);
  if (!release.latest.empty()) body.set("make_latest", release.latest);
  auto there = github_call(ctx, "GET", fmt::format("{}/tags/{}", base, percent_encode(release.tag)), release.token);
  if (!there && !there.error().is(Kind::not_found)) return there;
  if (there && !release.update)
    return fail(Kind::conflict, "release {} is already there, and may not be changed", release.tag);
  if (!there) return github_call(ctx, "POST", base, release.token, std::move(body));
  auto id = static_cast<std::int64_t>(doc::View(*there, "release")["id"].num_or(0));
  if (use.flag("append_body", false)) body.set("body", there->str_at({"body"}) + "\n" + release.body);
  return github_call(ctx, "PATCH", fmt::format("{}/{}", base, id), release.token, std::move(body));
}

Result<doc::List> upload_all(const Ctx& ctx, ActionUse& use, const Release& release, const doc::Value& made,
                             const std::vector<Asset>& assets) {
  doc::List out;
  for (auto& asset : assets) {
    for (auto old : doc::View(made, "release")["assets"].items()) {
      if (old["name"].text() != asset.name || !release.replace) continue;
      auto id = static_cast<std::int64_t>(old["id"].num_or(0));
      auto url = fmt::format("{}/repos/{}/releases/assets/{}", release.api, release.repository, id);
      TRY_OK(github_call(ctx, "DELETE", url, release.token));
    }
    TRY(auto done, upload(ctx, use, made.str_at({"upload_url"}), release.token, asset, asset_type(asset.name)));
    use.say(fmt::format("Uploaded {}", asset.name));
    out.push_back(std::move(done));
  }
  return out;
}

// ---- of this house

std::string artifact_name(const std::string& tag) { return "release " + replace_all(tag, "/", "-"); }
std::string staging(ActionUse& use, const std::string& tag) {
  return fmt::format("{}/_releases/{}", use.job.folder().temp(), sha256_hex(tag).substr(0, 16));
}

// The tag is there, or it is pushed as a person would.
Result<> make_tag(const Ctx& ctx, ActionUse& use, const Release& release) {
  auto& options = use.job.options();
  auto& event = use.job.plan().event;
  if (!options.repository) {
    use.say("A run of a folder makes no tag: there is no host to keep it");
    return {};
  }
  TRY(auto there, options.repository->resolve("refs/tags/" + release.tag));
  if (there || release.draft) return {};
  auto wanted = release.commit.empty() ? event.sha : release.commit;
  TRY(auto commit, options.repository->resolve(wanted + "^{commit}"));
  if (!commit) return fail(Kind::not_found, "target_commitish: the repository has no {}", wanted);
  if (release.token.empty())
    return Fail(Error(Kind::denied,
                      fmt::format("tag {} is not there yet, and the job has no GITHUB_TOKEN to push it", release.tag))
                    .with_hint("push the tag and run on it, or keep a user's token as the secret GITHUB_TOKEN"));
  bool own = event.owner == "local" && event.repository.starts_with("local/");
  auto url = fmt::format("{}/git/{}.git", options.server_url, own ? event.repository.substr(6) : event.repository);
  auto basic = to_base64("x-access-token:" + release.token);
  use.job.add_mask(basic);
  Environment env = {{"GIT_CONFIG_COUNT", "1"},
                     {"GIT_CONFIG_KEY_0", "http.extraHeader"},
                     {"GIT_CONFIG_VALUE_0", "AUTHORIZATION: basic " + basic},
                     {"GIT_TERMINAL_PROMPT", "0"}};
  auto script = fmt::format("git -c safe.directory='*' push --no-verify {} {}:refs/tags/{} 2>&1", shell_quoted(url),
                            *commit, shell_quoted(release.tag));
  auto pushed = run_script(ctx, use, script, env);
  if (!pushed)
    return Fail(std::move(pushed)
                    .error()
                    .in(fmt::format("tag {} could not be pushed", release.tag))
                    .with_hint("is there an actions/checkout step before, and git where the job runs?"));
  use.say(fmt::format("Tag {} is at {}", release.tag, *commit));
  return {};
}

// What is kept under the release's name: anew each time it changes.
Result<std::string> keep(const Ctx& ctx, ActionUse& use, const std::string& tag) {
  auto folder = staging(use, tag);
  TRY(auto matched, match_files(ctx, use.job, {use.job.inside(folder)}, true));
  TRY(auto packed, pack_files(ctx, use.job, matched.files, folder));
  RunArtifact artifact{artifact_name(tag), packed.digest, packed.bytes};
  (*use.job.shared().artifacts.lock())[artifact.name] = artifact;
  auto& own = use.job.result().artifacts;
  std::erase_if(own, [&](auto& a) { return a.name == artifact.name; });
  own.push_back(artifact);
  return fmt::format("{}/artifacts/{}", use.job.options().server_url, packed.digest.hex());
}

Result<> stage(const Ctx& ctx, ActionUse& use, const std::string& tag, const std::vector<Asset>& assets, bool replace) {
  auto folder = staging(use, tag);
  if (!use.job.folder().has_folder(folder)) {
    TRY_OK(use.job.folder().make_dir(folder));
    std::optional<RunArtifact> before;
    {
      auto all = use.job.shared().artifacts.lock();
      if (auto at = all->find(artifact_name(tag)); at != all->end()) before = at->second;
    }
    if (before) TRY_OK(unpack_files(ctx, use.job, before->digest, folder));
  }
  for (auto& asset : assets) {
    auto target = folder + "/" + asset.name;
    if (asset.name == "release.json")
      return fail(Kind::invalid, "release.json: a release describes itself by that name");
    if (!replace && use.job.folder().has_file(target))
      return fail(Kind::conflict, "release {} has a file {} already", tag, asset.name);
    TRY_OK(copy_in_home(ctx, use.job, asset.file, target, 0644));
  }
  return {};
}

std::string id_of(const std::string& repository, const std::string& tag) {
  return std::to_string(std::stoull(sha256_hex(repository + "\n" + tag).substr(0, 11), nullptr, 16));
}

Result<std::string> in_house(const Ctx& ctx, ActionUse& use, const Release& release, const std::vector<Asset>& assets) {
  TRY_OK(make_tag(ctx, use, release));
  bool known = use.job.shared().artifacts.lock()->contains(artifact_name(release.tag));
  if (known && !release.update)
    return fail(Kind::conflict, "release {} is already there, and may not be changed", release.tag);
  TRY_OK(stage(ctx, use, release.tag, assets, release.replace));
  if (release.notes) use.say("Notes are not generated here: write `body`, or a CHANGELOG as body_path");
  doc::Map about{{"tag", release.tag},
                 {"name", release.name},
                 {"body", release.body},
                 {"repository", release.repository},
                 {"commit", use.job.plan().event.sha},
                 {"draft", release.draft},
                 {"prerelease", release.prerelease},
                 {"createdAt", rfc3339(ctx.clock->wall())}};
  TRY_OK(use.job.folder().write(staging(use, release.tag) + "/release.json", doc::print_json_pretty(about) + "\n"));
  TRY(auto url, keep(ctx, use, release.tag));
  use.say(fmt::format("Release {} is kept as the artifact \"{}\" with {} files", release.tag,
                      artifact_name(release.tag), assets.size()));
  return url;
}

struct Made {
  std::string id, url, upload_url, assets = "[]";
};

Result<Made> make(const Ctx& ctx, ActionUse& use, const Release& release, const std::vector<Asset>& assets) {
  Made out;
  if (release.api.empty()) {
    TRY(out.url, in_house(ctx, use, release, assets));
    out.id = id_of(release.repository, release.tag);
    out.upload_url = std::string(own_upload) + release.tag;
    doc::List list;
    for (auto& asset : assets) list.emplace_back(doc::Map{{"name", asset.name}, {"browser_download_url", out.url}});
    out.assets = doc::print_json(list);
    return out;
  }
  TRY(auto made, on_github(ctx, use, release));
  TRY(auto uploaded, upload_all(ctx, use, release, made, assets));
  out.id = std::to_string(static_cast<std::int64_t>(doc::View(made, "release")["id"].num_or(0)));
  out.url = made.str_at({"html_url"});
  out.upload_url = made.str_at({"upload_url"});
  out.assets = doc::print_json(uploaded);
  use.say(fmt::format("Release {}: {}", release.tag, out.url));
  return out;
}

}  // namespace

Result<> gh_release(const Ctx& ctx, ActionUse& use) {
  TRY(auto release, release_of(use, "tag_name"));
  release.replace = use.flag("overwrite_files", true);
  auto patterns = use.list("files");
  if (auto folder = use.input("working_directory"); !folder.empty())
    for (auto& pattern : patterns) pattern = folder + "/" + pattern;
  TRY(auto assets, assets_of(ctx, use, patterns, use.flag("fail_on_unmatched_files", false)));
  TRY(auto made, make(ctx, use, release, assets));
  use.output("url", made.url), use.output("id", made.id);
  use.output("upload_url", made.upload_url), use.output("assets", made.assets);
  return {};
}

Result<> release_action(const Ctx& ctx, ActionUse& use) {
  TRY(auto release, release_of(use, "tag"));
  release.update = use.flag("allowUpdates", false);
  release.replace = use.flag("replacesArtifacts", true);
  if (use.flag("omitBody", false)) release.body.clear();
  if (use.flag("omitName", false)) release.name.clear();
  std::vector<std::string> patterns;
  auto given = use.input("artifacts", use.input("artifact"));
  for (char& c : given)
    if (c == ',') c = '\n';
  for (auto line : lines(given))
    if (!trim(line).empty()) patterns.emplace_back(trim(line));
  TRY(auto assets, assets_of(ctx, use, patterns, use.flag("artifactErrorsFailBuild", false)));
  if (use.flag("skipIfReleaseExists", false)) release.update = false;
  auto made = make(ctx, use, release, assets);
  if (!made && made.error().is(Kind::conflict) && use.flag("skipIfReleaseExists", false)) {
    use.say(made.error().what());
    return {};
  }
  TRY_OK(made);
  use.output("id", made->id), use.output("html_url", made->url), use.output("upload_url", made->upload_url);
  use.output("assets", made->assets);
  return {};
}

Result<> create_release(const Ctx& ctx, ActionUse& use) {
  TRY(auto release, release_of(use, "tag_name"));
  release.update = false;
  TRY(auto made, make(ctx, use, release, {}));
  use.output("id", made.id), use.output("html_url", made.url), use.output("upload_url", made.upload_url);
  return {};
}

Result<> upload_release_asset(const Ctx& ctx, ActionUse& use) {
  auto url = use.input("upload_url");
  TRY(auto file, use.job.relative_of(use.input("asset_path")));
  if (!use.job.folder().has_file(file))
    return fail(Kind::not_found, "asset_path: no such file {}", use.input("asset_path"));
  Asset asset{file, use.input("asset_name")};
  if (asset.name.find_first_of("/\\") != std::string::npos || asset.name.starts_with('.'))
    return fail(Kind::invalid, "asset_name: \"{}\" is no name of a file", asset.name);
  if (url.starts_with(own_upload)) {
    auto tag = url.substr(own_upload.size());
    TRY_OK(stage(ctx, use, tag, {asset}, false));
    TRY(auto kept, keep(ctx, use, tag));
    use.output("browser_download_url", kept);
    return {};
  }
  if (!url.starts_with("https://") && !url.starts_with("http://"))
    return fail(Kind::invalid, "upload_url: got \"{}\", want the upload_url of the step that made the release", url);
  auto token = variable(use, "GITHUB_TOKEN");
  if (token.empty()) token = use.job.token();
  use.job.add_mask(token);
  TRY(auto done, upload(ctx, use, url, token, asset, use.input("asset_content_type")));
  use.output("browser_download_url", done.str_at({"browser_download_url"}));
  return {};
}

}  // namespace slipway::ci
