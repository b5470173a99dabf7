// secret seal, unseal, edit, rotate, check: secrets in Git, as SOPS files. The plaintext is in memory, and for an
// editor in a file of a memory file system.
#include <linux/magic.h>
#include <signal.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/process.h"
#include "base/text.h"
#include "cli/findings.h"
#include "cli/lint_files.h"
#include "cli/sealing.h"
#include "doc/yaml.h"
#include "gitops/keys.h"

namespace slipway::cli {
namespace {

constexpr std::size_t largest = std::size_t{16} << 20;
constexpr std::string_view sealed_fields = "^(data|stringData)$";

Result<secret::SopsText> read_text(const fs::path& file) {
  TRY(auto text, read_file(file, largest));
  auto format = secret::sops_format(file.native(), text);
  return secret::SopsText{std::move(text), file.native(), format};
}

Result<> replace_file(const fs::path& file, std::string_view text) {
  auto mode = fs::status(file).permissions();
  return write_file(file, text, static_cast<unsigned>(mode) & 0777U, Durable::yes);
}

bool is_manifest(const secret::SopsText& text) {
  if (text.format != secret::SopsFormat::yaml && text.format != secret::SopsFormat::json) return false;
  auto documents = doc::parse_yaml_all(text.text);
  return documents && !documents->empty() && std::all_of(documents->begin(), documents->end(), [](const auto& d) {
           return !d.str_at({"kind"}).empty() && !d.str_at({"apiVersion"}).empty();
         });
}

// The newest key of the running Slipway: what it will open files with.
Result<std::string> server_recipient(const Ctx& ctx, const Arguments& arguments) {
  TRY(auto client, connect(ctx, arguments));
  TRY(auto there,
      client->get(ctx, {"v1", "Secret"}, {arguments.get("namespace", "argocd"), std::string(gitops::sops_keys_name)}));
  if (there) {
    TRY(auto identities, gitops::identities_of(*there));
    if (!identities.empty()) return identities.back().recipient();
  }
  return Fail(Error(Kind::not_found, "the running slipway has no key to seal for").with_hint("slipway secret new-key"));
}

Result<secret::SopsRules> rules_for(const Ctx& ctx, const Arguments& arguments, const secret::SopsText& text) {
  secret::SopsRules rules;
  TRY(auto found, configured_rules(text.source));
  if (found) rules = found->rules;
  if (arguments.has("age")) rules.age = arguments.all("age");
  if (arguments.has("encrypted-regex")) {
    rules = {.age = rules.age, .mac_only_encrypted = rules.mac_only_encrypted};
    rules.encrypted_regex = arguments.get("encrypted-regex");
  }
  bool none = rules.encrypted_regex.empty() && rules.unencrypted_regex.empty() && rules.encrypted_suffix.empty() &&
              rules.unencrypted_suffix.empty();
  if (none && is_manifest(text)) rules.encrypted_regex = sealed_fields;
  if (rules.age.empty()) {
    auto recipient = server_recipient(ctx, arguments);
    if (!recipient)
      return Fail(Error(Kind::invalid, fmt::format("{}: for whom? {}", text.source, recipient.error().what()))
                      .with_hint("--age RECIPIENT, or creation_rules in a .sops.yaml"));
    rules.age.push_back(*std::move(recipient));
  }
  return rules;
}

// Comments are not sealed: those beside sealed values are pointed out.
void note_comments(Io& io, const secret::SopsText& text) {
  if (text.format == secret::SopsFormat::json || text.format == secret::SopsFormat::binary) return;
  for (auto line : lines(text.text))
    if (trim(line).starts_with('#')) return io.note("comments stay readable in the sealed file");
}

Result<int> give(const Arguments& arguments, Io& io, const fs::path& file, const std::string& text) {
  if (!arguments.has("in-place")) {
    io.print(text);
    return 0;
  }
  TRY_OK(replace_file(file, text));
  io.said(fmt::format("{}: written", file.native()), doc::Map{{"file", file.native()}});
  return 0;
}

Result<int> seal(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto text, read_text(arguments.get("file")));
  TRY(auto rules, rules_for(ctx, arguments, text));
  TRY(auto sealed, secret::sops_seal(text, rules, ctx.clock->wall()));
  note_comments(io, text);
  return give(arguments, io, text.source, sealed);
}

Result<int> unseal(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto text, read_text(arguments.get("file")));
  TRY(auto identities, all_identities(ctx, arguments));
  TRY(auto opened, secret::sops_unseal(text, identities));
  return give(arguments, io, text.source, opened.text);
}

Result<int> rotate(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto identities, all_identities(ctx, arguments));
  secret::RecipientChange change{arguments.all("add-age"), arguments.all("rm-age")};
  doc::List done;
  std::vector<std::pair<fs::path, std::string>> results;
  for (const auto& name : arguments.all("file")) {
    TRY(auto text, read_text(name));
    TRY(auto rotated, secret::sops_rotate(text, identities, change, ctx.clock->wall()));
    results.emplace_back(name, std::move(rotated));
  }
  // All of them can be opened: only now is any written.
  for (const auto& [file, text] : results) {
    TRY_OK(replace_file(file, text));
    if (!io.json()) io.line(fmt::format("{}: has a new key", file.native()));
    done.emplace_back(file.native());
  }
  if (io.json()) io.document(doc::Map{{"rotated", std::move(done)}});
  return 0;
}

bool is_in_memory(const fs::path& folder) {
  struct statfs info{};
  return ::statfs(folder.c_str(), &info) == 0 && (info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC);
}

Result<fs::path> memory_folder() {
  for (const auto* folder : {"/dev/shm", "/run/user", "/tmp"})
    if (is_in_memory(folder)) return fs::path(folder);
  return fail(Kind::unavailable, "no file system in memory for the plaintext (/dev/shm), want one");
}

Result<> run_editor(const Ctx& ctx, const fs::path& file) {
  const char* editor = std::getenv("EDITOR");
  if (editor == nullptr || *editor == '\0')
    return Fail(Error(Kind::unavailable, "no editor is named").with_hint("EDITOR=vi slipway secret edit FILE"));
  TRY(auto child,
      Child::start({.argv = {"sh", "-c", std::string(editor) + " \"$1\"", "sh", file.native()}}, {0, 1, 2}));
  // The terminal is the editor's as long as it runs.
  auto former = ::signal(SIGTTOU, SIG_IGN);
  ::tcsetpgrp(0, child.pid());
  auto code = child.wait(ctx);
  ::tcsetpgrp(0, ::getpgrp());
  ::signal(SIGTTOU, former);
  if (!code) return Fail(std::move(code).error());
  if (*code != 0) return fail(Kind::invalid, "{} ended with {}: nothing is changed", editor, *code);
  return {};
}

Result<int> edit(const Ctx& ctx, const Arguments& arguments, Io& io) {
  fs::path file = arguments.get("file");
  TRY(auto text, read_text(file));
  TRY(auto identities, all_identities(ctx, arguments));
  TRY(auto opened, secret::sops_unseal(text, identities));
  TRY(auto place, memory_folder());
  TRY(auto folder, TempDir::make_in(place, "slipway-edit"));
  auto copy = folder.path() / file.filename();
  TRY_OK(write_file(copy, opened.text, 0600));
  TRY_OK(run_editor(ctx, copy));
  TRY(auto changed, read_file(copy, largest));
  if (changed == opened.text) {
    io.said(fmt::format("{}: unchanged", file.native()), doc::Map{{"file", file.native()}, {"changed", false}});
    return 0;
  }
  TRY(auto sealed, secret::sops_reseal({changed, file.native(), text.format}, text, identities, ctx.clock->wall()));
  TRY_OK(replace_file(file, sealed));
  io.said(fmt::format("{}: sealed again", file.native()), doc::Map{{"file", file.native()}, {"changed", true}});
  return 0;
}

path::Finding finding(std::string rule, path::Severity severity, path::Place place, std::string message) {
  path::Finding found;
  found.check = "secret", found.rule = std::move(rule), found.severity = severity, found.place = std::move(place);
  found.message = std::move(message), found.fails = severity == path::Severity::error;
  return found;
}

// Secrets whose values anybody can read.
void check_plain(const secret::SopsText& text, const std::string& shown, std::vector<path::Finding>& found) {
  if (text.format != secret::SopsFormat::yaml && text.format != secret::SopsFormat::json) return;
  auto documents = doc::parse_yaml_all(text.text, {.source = shown});
  if (!documents) return;  // for `slipway lint` to say
  for (const auto& document : *documents) {
    bool secret = document.str_at({"kind"}) == "Secret" && document.str_at({"apiVersion"}) == "v1";
    for (auto key : {"data", "stringData"}) {
      const auto* values = secret ? document.find(key) : nullptr;
      if (values == nullptr || !values->is_map() || values->if_map()->empty()) continue;
      found.push_back(
          finding("secret-in-the-clear", path::Severity::error,
                  {shown, static_cast<int>(values->mark().line), static_cast<int>(values->mark().column)},
                  fmt::format("Secret {} can be read by everybody who reads the repository, want it sealed: "
                              "slipway secret seal",
                              document.str_at({"metadata", "name"}))));
    }
  }
}

// Whether a file is sealed for whom the .sops.yaml wants now.
void check_recipients(const secret::SopsKeys& keys, const fs::path& file, const std::string& shown,
                      std::vector<path::Finding>& found) {
  auto rules = configured_rules(file);
  if (!rules) {
    found.push_back(finding("sops-rules", path::Severity::error, {shown, 1, 1}, rules.error().what()));
    return;
  }
  if (!*rules || (*rules)->rules.age.empty()) return;
  auto wanted = (*rules)->rules.age, have = keys.age;
  std::sort(wanted.begin(), wanted.end()), std::sort(have.begin(), have.end());
  if (wanted == have) return;
  found.push_back(finding("sops-recipients", path::Severity::warning, {shown, 1, 1},
                          fmt::format("is sealed for {} and {} wants {}: slipway secret rotate --add-age, --rm-age",
                                      join(have, ", "), (*rules)->config, join(wanted, ", "))));
}

struct Checked {
  std::size_t sealed = 0, opened = 0;
};
void check_file(const fs::path& file, const std::string& shown, const std::vector<secret::AgeIdentity>& identities,
                std::vector<path::Finding>& found, Checked& count) {
  auto text = read_text(file);
  if (!text) return;
  text->source = shown;
  if (!secret::is_sops(text->text)) return check_plain(*text, shown, found);
  ++count.sealed;
  auto keys = secret::sops_keys(*text);
  if (!keys) {
    found.push_back(finding("sops-file", path::Severity::error, {shown, 1, 1}, keys.error().what()));
    return;
  }
  check_recipients(*keys, file, shown, found);
  if (identities.empty()) return;
  auto opened = secret::sops_unseal(*text, identities);
  if (opened)
    ++count.opened;
  else
    found.push_back(finding(opened.error().is(Kind::denied) ? "sops-key" : "sops-file", path::Severity::error,
                            {shown, 1, 1}, opened.error().what()));
}

Result<int> check(const Ctx& ctx, const Arguments& arguments, Io& io) {
  TRY(auto identities, all_identities(ctx, arguments));
  std::vector<path::Finding> found;
  Checked count;
  auto roots = arguments.all("path");
  if (roots.empty()) roots.emplace_back(".");
  for (const auto& root : roots) {
    if (!path_exists(root)) return fail(Kind::not_found, "{}: no such file or folder", root);
    TRY_OK(walk_files(ctx, root, "", [&](const fs::path& file, const std::string& shown) {
      check_file(file, shown, identities, found, count);
    }));
  }
  if (!io.json())
    io.note(
        identities.empty()
            ? fmt::format("{} sealed files, not opened: no key here (--key-file, --server)", count.sealed)
            : fmt::format("{} sealed files, {} opened with {} keys", count.sealed, count.opened, identities.size()));
  return show(io, std::move(found), "");
}

}  // namespace

std::vector<Command> sealing_commands() {
  Positional file{"file", "YAML, JSON, .env or any other file"}, files{"file", "sealed files", true, true};
  std::vector<Option> in_place{{"--in-place,-i", "write the file itself, not standard output", true}};
  auto sealing = in_place;
  sealing.push_back({"--age", "recipient, age1...; else those of .sops.yaml, else the running slipway", false, true});
  sealing.push_back(
      {"--encrypted-regex", "keys whose values are sealed; else .sops.yaml, else data and stringData of manifests"});
  sealing.push_back({"--namespace", "where the running slipway's key is", false, false, "argocd"});
  std::vector<Command> commands{
      {"secret seal",
       "seals the values of a file for Git (SOPS with age)",
       "slipway secret seal -i overlays/production/db.yaml",
       with_connection(sealing),
       {file},
       seal},
      {"secret unseal",
       "prints what a sealed file says",
       "slipway secret unseal overlays/production/db.yaml",
       with_keys(in_place),
       {file},
       unseal},
      {"secret edit",
       "opens a sealed file in EDITOR and seals it again",
       "slipway secret edit overlays/production/db.yaml",
       with_keys({}),
       {file},
       edit},
      {"secret rotate",
       "gives sealed files a new key, and other recipients",
       "slipway secret rotate --add-age age1new --rm-age age1old db.yaml",
       with_keys(
           {{"--add-age", "a recipient to add", false, true}, {"--rm-age", "a recipient to take away", false, true}}),
       {files},
       rotate},
      {"secret check",
       "what cannot be opened, was changed, or lies in the clear",
       "slipway secret check overlays",
       with_keys({}),
       {{"path", "files or folders", false, true}},
       check},
  };
  for (auto& command : key_commands()) commands.push_back(std::move(command));
  return commands;
}

}  // namespace slipway::cli
