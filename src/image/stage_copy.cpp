// COPY and ADD.
#include "base/encode.h"
#include "base/text.h"
#include "image/detail/stage_runner.h"
#include "net/client.h"

namespace slipway::image::detail {

struct StageRunner::CopyPlan {
  struct File {  // a heredoc or a download
    std::string name, bytes;
    unsigned mode = 0644;
    std::optional<std::int64_t> mtime;
  };
  std::string destination, chown, chmod;
  bool link = false, add = false, unpack = true;
  std::vector<std::string> sources;
  SelectOptions select;
  Origin origin;
  Selection selection;
  std::vector<File> files;
  std::string content;  // key of all that is copied
};

namespace {

bool is_url(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }
bool is_git(std::string_view text) {
  return text.starts_with("git@") || text.starts_with("git://") || text.starts_with("ssh://") ||
         (is_url(text) && text.substr(0, text.find('#')).ends_with(".git"));
}

bool flag_on(const Instruction& i, std::string_view name) {
  auto value = i.flag(name);
  return value && *value != "false";
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
  if (auto value = i.flag("unpack")) plan.unpack = *value != "false";
  for (auto pattern : i.flags_named("exclude")) {
    TRY(auto text, expanded(i, pattern));
    plan.select.exclude.push_back(std::move(text));
  }
  auto args = i.args;
  auto last = args.back();
  args.pop_back();
  TRY(last, expanded(i, last));
  plan.destination = absolute(last);
  auto docs = i.heredocs.begin();
  for (const auto& arg : args) {
    if (!i.json && docs != i.heredocs.end() && arg.find("<<") != std::string::npos) {
      auto body = docs->content;
      if (docs->expand) {
        auto text = expand(body, lookup(), {.escape = file_->escape, .no_quotes = true});
        if (!text) return file_->wrong(i, fmt::format("heredoc {}: {}", docs->name, text.error().what()));
        body = *std::move(text);
      }
      plan.files.push_back({docs->name, std::move(body)});
      ++docs;
      continue;
    }
    TRY(auto source, expanded(i, arg));
    if (plan.add && is_git(source))
      return file_->wrong(i, fmt::format("ADD {}: Git repositories are not fetched by ADD here", source),
                          "clone it in a RUN step, or check it out into the context");
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
  if (name.empty() || name == "." || name == "..")
    return file_->wrong(i, fmt::format("ADD {}: the address ends without a file name", url));
  net::Client client;
  auto response = client.send(ctx_.within(Millis(600'000)), {.url = url, .limit = std::size_t{2} << 30});
  if (!response) return Fail(std::move(response).error().in(fmt::format("{}:{}: ADD {}", file_->name, i.line, url)));
  if (!response->ok())
    return fail(Kind::unavailable, "{}:{}: ADD {}: the server answers {}", file_->name, i.line, url, response->status);
  if (auto want = i.flag("checksum")) {
    TRY(auto text, expanded(i, *want));
    auto got = Digest::of(response->body);
    if (got.str() != text)
      return file_->wrong(i, fmt::format("ADD {}: its digest is {}, want {}", url, got.str(), text));
  }
  build_.input(fmt::format("url {} {}", url, sha256_hex(response->body)));
  plan.files.push_back({name, std::move(response->body), 0600, {}});
  return {};
}

// Everything below happens in the image's root: the names of --chown are its own.
Result<> StageRunner::place(const Ctx& ctx, const fs::path& root, const CopyPlan& plan) {
  PlaceOptions options{.owner = {}, .chmod = plan.chmod};
  if (!plan.chown.empty()) {
    TRY_IN(options.owner, "--chown", resolve_owner(root, plan.chown));
  }
  Placer placer(root);
  auto destination = clean_path(plan.destination);
  bool folder =
      plan.destination.ends_with('/') || plan.files.size() + plan.sources.size() > 1 || placer.is_folder(destination);
  for (const auto& file : plan.files) {
    if (folder) TRY_OK(placer.folder(destination, options.owner.value_or(Ownership{})));
    TRY_OK(
        placer.write(folder ? destination + "/" + file.name : destination, file.bytes, file.mode, options, file.mtime));
  }
  if (plan.sources.empty()) return {};
  auto selection = plan.selection;
  if (plan.add && plan.unpack) {
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
      TRY(auto into, placer.folder(destination, options.owner.value_or(Ownership{})));
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
    head += fmt::format("file {} {:o} {}\n", file.name, file.mode, sha256_hex(file.bytes));
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
    if (done || !done.error().is(Kind::invalid)) return done;
    return file_->wrong(i, done.error().what());
  });
  TRY_OK(step(i, step_name(i), head + "content " + plan.content, created_by, work));
  if (whole_known && !same_as && !plan.sources.empty()) TRY_OK(build_.shop().steps->put_content(quick, plan.content));
  return {};
}

}  // namespace slipway::image::detail
