// COPY and ADD.
#include "base/encode.h"
#include "base/text.h"
#include "image/detail/line.h"
#include "image/detail/stage_runner.h"
#include "net/client.h"

namespace slipway::image::detail {

struct StageRunner::CopyFile {  // a heredoc or a download
  std::string name, bytes;
  unsigned mode = 0644;
  bool unpack = false;
};
struct StageRunner::CopyPlan {
  std::string destination, chown, chmod;
  bool link = false, add = false, unpack = false, unpack_urls = false;
  std::vector<std::string> sources;
  SelectOptions select;
  Origin origin;
  Selection selection;
  std::vector<CopyFile> files;
  std::vector<Origin> repositories;  // of Git
  std::string content;               // key of all that is copied
};

namespace {

bool is_url(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }
bool flag_on(const Instruction& i, std::string_view name) {
  auto value = i.flag(name);
  return value && !iequals(*value, "false");
}

}  // namespace

Result<> StageRunner::copy_plan(const Instruction& i, CopyPlan& plan) {
  plan.add = i.name == "add";
  auto word = [&](std::string_view name, std::string& out) -> Result<> {
    if (auto value = i.flag(name)) {
      TRY(out, expanded(i, *value));
    }
    return {};
  };
  TRY_OK(word("chown", plan.chown));
  TRY_OK(word("chmod", plan.chmod));
  if (auto bad = apply_chmod(plan.chmod, 0, false); !bad) return file_->wrong(i, bad.error().what());
  plan.link = flag_on(i, "link");
  plan.select.parents = flag_on(i, "parents");
  plan.unpack = plan.add;
  if (i.flag("unpack")) plan.unpack = flag_on(i, "unpack");
  plan.unpack_urls = i.flag("unpack") && flag_on(i, "unpack");
  for (auto pattern : i.flags_named("exclude")) {
    TRY(auto text, expanded(i, pattern));
    plan.select.exclude.push_back(std::move(text));
  }
  auto args = i.args;
  auto last = args.back();
  args.pop_back();
  TRY(last, expanded(i, last));
  plan.destination = absolute(last);
  bool checked = i.flag("checksum").has_value();
  if (checked && args.size() != 1) return file_->wrong(i, "--checksum wants a single source");
  for (const auto& arg : args) {
    if (auto doc = i.json ? std::nullopt : heredoc_of(arg)) {
      auto found =
          std::find_if(i.heredocs.begin(), i.heredocs.end(), [&](const auto& d) { return d.name == doc->name; });
      if (found == i.heredocs.end()) return file_->wrong(i, fmt::format("heredoc {}: has no content", doc->name));
      auto body = body_of(*found);
      if (found->expand) {
        auto text = expand(body, lookup(), {.escape = '\\', .no_quotes = true});
        if (!text) return file_->wrong(i, fmt::format("heredoc {}: {}", found->name, text.error().what()));
        body = *std::move(text);
      }
      plan.files.push_back({found->name, std::move(body)});
      continue;
    }
    TRY(auto source, expanded(i, arg));
    auto git = parse_git_address(source);
    if (!git) return file_->wrong(i, git.error().what());
    bool remote = *git || is_url(source);
    if (remote && !plan.add)
      return file_->wrong(i, fmt::format("COPY takes no address: {}", source), fmt::format("ADD {} ...", source));
    if (checked && !remote) return file_->wrong(i, "--checksum is for addresses of files and Git repositories");
    if (*git) {
      TRY_OK(fetch_git(i, plan, **git));
      continue;
    }
    if (plan.add && is_url(source)) {
      TRY_OK(fetch(i, plan, source));
    } else {
      plan.sources.push_back(std::move(source));
    }
  }
  return {};
}

// ADD of an address. With --checksum the cache may answer without asking the server again.
Result<> StageRunner::fetch(const Instruction& i, CopyPlan& plan, const std::string& url) {
  auto parsed = net::parse_url(url);
  if (!parsed) return file_->wrong(i, parsed.error().what());
  auto name = percent_decode(parsed->path.substr(parsed->path.rfind('/') + 1)).value_or("");
  if (name.empty() || name == "." || name == "..") name = "__unnamed__";
  TRY_IN(auto download, fmt::format("{}:{}: ADD {}", file_->name, i.line, url), build_.download(ctx_, url));
  auto got = Digest::of(download->bytes);
  if (auto want = i.flag("checksum")) {
    TRY(auto text, expanded(i, *want));
    auto digest = Digest::parse(text);
    if (!digest) return file_->wrong(i, digest.error().what());
    if (digest->algorithm() == "sha512") {
      Hasher hasher(Hasher::Algorithm::sha512);
      hasher.update(download->bytes);
      got = hasher.finish();
    }
    if (got != *digest) return file_->wrong(i, fmt::format("ADD {}: its digest is {}, want {}", url, got.str(), text));
  }
  build_.input(fmt::format("url {} {}", url, sha256_hex(download->bytes)));
  build_.depends_on({url, std::string(got.algorithm()), std::string(got.hex())});
  plan.files.push_back({.name = name, .bytes = download->bytes, .mode = 0600, .unpack = plan.unpack_urls});
  return {};
}

Result<> StageRunner::fetch_git(const Instruction& i, CopyPlan& plan, const GitAddress& address) {
  auto wanted = address;
  if (auto flag = i.flag("keep-git-dir")) {
    bool keep = flag_on(i, "keep-git-dir");
    if (address.keep_git_dir && *address.keep_git_dir != keep)
      return file_->wrong(i, "--keep-git-dir says one thing, the address another");
    wanted.keep_git_dir = keep;
  }
  if (auto flag = i.flag("checksum")) {
    TRY(auto text, expanded(i, *flag));
    if (!address.checksum.empty() && address.checksum != text)
      return file_->wrong(i, "--checksum says one thing, the address another");
    wanted.checksum = text;
  }
  auto origin = build_.git_origin(ctx_, wanted, wanted.keep_git_dir.value_or(false));
  if (!origin) {
    const auto& e = origin.error();
    return e.is(Kind::cancelled) || e.is(Kind::timeout) ? Fail(e) : file_->wrong(i, e.what(), e.hint());
  }
  plan.repositories.push_back(*std::move(origin));
  return {};
}

// A download that is an archive becomes what it holds. False: it is none.
Result<bool> StageRunner::unpack_bytes(const Ctx& ctx, Placer& placer, const std::string& destination,
                                       const CopyFile& file, const PlaceOptions& options) {
  TRY(auto temp, TempDir::make_in(build_.steps_folder(), "add"));
  auto archive = temp.path() / "archive";
  TRY_OK(write_file(archive, file.bytes));
  TRY(bool is, oci::is_archive(archive));
  if (!is) return false;
  TRY(auto into, placer.folder(destination));
  oci::ArchiveOptions how;
  if (options.owner) how.uid = options.owner->uid, how.gid = options.owner->gid;
  TRY_OK(oci::unpack_archive(ctx, archive, fmt::format("/proc/self/fd/{}", into.get()), how));
  return true;
}

// Everything below happens in the image's root: the names of --chown are its own.
Result<> StageRunner::place(const Ctx& ctx, const fs::path& root, const CopyPlan& plan) {
  PlaceOptions options{.owner = {}, .chmod = plan.chmod};
  if (!plan.chown.empty()) {
    TRY_IN(options.owner, "--chown", resolve_owner(root, plan.chown));
  }
  Placer placer(root);
  placer.make_like(options);
  auto destination = clean_path(plan.destination);
  bool folder = plan.destination.ends_with('/') ||
                plan.files.size() + plan.sources.size() + plan.repositories.size() > 1 || placer.is_folder(destination);
  for (const auto& file : plan.files) {
    if (file.unpack) {
      TRY(bool done, unpack_bytes(ctx, placer, destination, file, options));
      if (done) continue;
    }
    if (folder) TRY_OK(placer.folder(destination));
    TRY_OK(placer.write(folder ? destination + "/" + file.name : destination, file.bytes, file.mode, options));
  }
  for (auto origin : plan.repositories) {
    TRY_OK(build_.show(ctx, state_, origin));
    TRY(auto all, select(ctx, origin.source, {""}, {.parents = false, .exclude = plan.select.exclude}));
    all.needs_folder = true;
    TRY_OK(placer.place(ctx, origin.source, all, plan.destination, options));
  }
  if (plan.sources.empty()) return {};
  auto selection = plan.selection;
  if (plan.unpack) {
    std::vector<Entry> rest;
    for (const auto& entry : selection.entries) {
      bool named = S_ISREG(entry.st.st_mode) && !entry.target.empty() && entry.target.find('/') == std::string::npos;
      auto file = plan.origin.source.root / entry.path;
      bool archive = false;
      // Only what was named itself: archives inside a copied folder stay as they are.
      bool from_folder = !selection.entries.empty() && selection.entries.front().target.empty();
      if (named && !from_folder) {
        TRY(archive, oci::is_archive(file));
      }
      if (!archive) {
        rest.push_back(entry);
        continue;
      }
      TRY(auto into, placer.folder(destination));
      oci::ArchiveOptions how;
      if (options.owner) how.uid = options.owner->uid, how.gid = options.owner->gid;
      TRY_OK(oci::unpack_archive(ctx, file, fmt::format("/proc/self/fd/{}", into.get()), how));
    }
    if (rest.empty() && !selection.entries.empty()) return {};
    selection.entries = std::move(rest);
  }
  return placer.place(ctx, plan.origin.source, selection, plan.destination, options);
}

Result<> StageRunner::copy(const Instruction& i) {
  CopyPlan plan;
  TRY_OK(copy_plan(i, plan));
  if (auto from = i.flag("from")) {
    auto origin = build_.origin(ctx_, *from, stage_.index, i);
    if (!origin) return Fail(std::move(origin).error());
    plan.origin = *std::move(origin);
  } else {
    plan.origin = build_.context();
  }
  return copy_files(i, plan);
}

Result<> StageRunner::copy_files(const Instruction& i, CopyPlan& plan) {
  // --link does not depend on what is below, so neither does its key.
  bool alone = plan.link;
  auto head =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n", plan.add ? "add" : "copy", alone ? "link" : state_.fs_key(),
                  plan.destination, plan.chown, plan.chmod, plan.unpack, build_.epoch(), plan.select.parents);
  for (const auto& file : plan.files)
    head += fmt::format("file {} {:o} {} {}\n", file.name, file.mode, file.unpack, sha256_hex(file.bytes));
  for (const auto& repository : plan.repositories) head += "git " + repository.key + "\n";
  auto created_by = std::string(trim(i.text));
  auto below = alone ? std::exchange(state_.layers, {}) : std::vector<BuildLayer>();
  Finally restore([&] {
    if (!alone) return;
    below.insert(below.end(), state_.layers.begin(), state_.layers.end());
    state_.layers = std::move(below);
  });
  auto quick = head + "quick " + plan.origin.key;
  for (const auto& source : plan.sources) quick += "\n" + source;
  for (const auto& pattern : plan.select.exclude) quick += "\n!" + pattern;
  quick = sha256_hex(quick);
  bool whole_known = !plan.origin.key.empty() || plan.sources.empty();
  auto choose = [&]() -> Result<> {
    TRY_OK(build_.show(ctx_, state_, plan.origin));
    auto selection = select(ctx_, plan.origin.source, plan.sources, plan.select);
    if (!selection) {
      const auto& e = selection.error();
      return e.is(Kind::cancelled) || e.is(Kind::timeout) ? Fail(e) : file_->wrong(i, e.what(), e.hint());
    }
    plan.selection = *std::move(selection);
    TRY(plan.content, content_key(ctx_, plan.origin.source, plan.selection));
    if (plan.selection.needs_folder) plan.content += " in a folder";
    return {};
  };
  // From a stage or an image: its content is known by its layers, so nothing need be mounted to see a hit.
  std::optional<std::string> same_as;
  if (whole_known && !is_no_cache() && !plan.sources.empty()) {
    TRY(same_as, build_.shop().steps->content(quick));
  }
  if (same_as) {
    plan.content = *same_as;
  } else if (!plan.sources.empty()) {
    TRY_OK(choose());
  }
  if (!plan.sources.empty() && plan.origin.key.empty()) build_.input(fmt::format("files {} {}", i.line, plan.content));
  auto work = on_root([&](const Ctx& ctx, const fs::path& root) -> Result<> {
    if (same_as) TRY_OK(choose());
    auto done = place(ctx, root, plan);
    if (done || (!done.error().is(Kind::invalid) && !done.error().is(Kind::corrupt))) return done;
    return file_->wrong(i, done.error().what());
  });
  TRY_OK(step(i, step_name(i), head + "content " + plan.content, created_by, work));
  if (whole_known && !plan.sources.empty()) {
    build_.remember_content(quick, plan.content);
    if (!same_as) TRY_OK(build_.shop().steps->put_content(quick, plan.content));
  }
  return {};
}

Result<> StageRunner::copy_everything(const Instruction& i, Origin origin) {
  CopyPlan plan;
  plan.destination = "/";
  plan.sources = {"/"};
  plan.origin = std::move(origin);
  return copy_files(i, plan);
}

}  // namespace slipway::image::detail
