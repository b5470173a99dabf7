#pragma once
// People with keys, who commit to a test's repositories by git, GnuPG and ssh-keygen.
#include "base/process.h"
#include "base/testing/golden.h"
#include "base/text.h"
#include "git/repository.h"

namespace slipway::gitops {

class Signers {
 public:
  Signers() : home_(must(TempDir::make("gpg"))) {
    must(write_file(home_.path() / "gpg.conf", "no-auto-check-trustdb\n"));
  }
  ~Signers() { (void)run(Ctx(), command({"gpgconf", "--kill", "all"})); }
  Signers(const Signers&) = delete;
  Signers& operator=(const Signers&) = delete;

  // A key that signs from `since` ("20250301T000000") on. Gives its id.
  std::string key(const std::string& name, const std::string& expires = "never",
                  const std::string& since = "20250301T000000") {
    gpg({"--quick-gen-key", name + " <" + name + "@example.org>", "ed25519", "sign", expires}, since);
    for (auto text = gpg({"--list-keys", "--with-colons", name}); auto line : lines(text))
      if (line.starts_with("fpr:")) return std::string(line.substr(line.size() - 17, 16));
    return "";
  }
  // The public key as it is once it is revoked; here it still signs.
  std::string revoked(const std::string& name) {
    auto revocation = (home_.path() / "revocation").string();
    auto how = command({"gpg", "--no-tty", "--command-fd", "0", "--pinentry-mode", "loopback", "--passphrase", "",
                        "--output", revocation, "--gen-revoke", name});
    how.input = "y\n1\n\ny\n";
    must(run_ok(Ctx(), how));
    auto other = must(TempDir::make("gpg"));
    auto with = [&](std::vector<std::string> argv, const std::string& input) {
      argv.insert(argv.begin(), {"gpg", "--batch", "--quiet", "--no-autostart", "--homedir", other.path().string()});
      auto there = command(std::move(argv));
      there.input = input;
      return must(run_ok(Ctx(), there));
    };
    with({"--import"}, exported(name) + must(read_file(revocation)));
    return with({"--armor", "--export", name}, "");
  }
  std::string subkey(const std::string& name) {
    std::string primary, last;
    for (auto text = gpg({"--list-keys", "--with-colons", name}); auto line : lines(text))
      if (line.starts_with("fpr:") && primary.empty()) primary = line.substr(line.size() - 41, 40);
    gpg({"--quick-add-key", primary, "ed25519", "sign", "never"}, "20250302T000000");
    for (auto text = gpg({"--list-keys", "--with-colons", name}); auto line : lines(text))
      if (line.starts_with("fpr:")) last = line.substr(line.size() - 17, 16);
    return last;
  }
  // What its key said of this while it was good.
  std::string signature(const std::string& by, const std::string& payload) {
    return gpg({"--local-user", by, "--armor", "--detach-sign"}, "20250305T000000", payload);
  }
  std::string exported(const std::string& name) { return gpg({"--armor", "--export", name}); }
  // The public line of a key of ssh-keygen's.
  std::string ssh_key(const std::string& name) {
    must(run_ok(Ctx(), command({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", ssh_file(name)})));
    return must(read_file(ssh_file(name) + ".pub"));
  }

  // A commit on main of what main has, and `edits`; `by` "": nobody signs it, "ssh:NAME": such a key.
  std::string commit(const git::Repository& repository, const std::string& by, const std::string& message = "change",
                     std::vector<git::FileEdit> edits = {}) {
    auto to = repository;
    auto tip = must(to.resolve("refs/heads/main"));
    auto tree = must(to.write_tree(tip ? must(to.tree_of(*tip)) : git::Oid(), edits));
    std::vector<std::string> argv = git(repository, by);
    for (const auto& word : {"commit-tree", "-m"}) argv.emplace_back(word);
    argv.push_back(message);
    if (tip) argv.emplace_back("-p"), argv.push_back(*tip);
    if (!by.empty()) argv.emplace_back("-S");
    argv.push_back(tree);
    auto id = std::string(trim(must(run_ok(Ctx(), command(argv)))));
    must(to.update_ref("refs/heads/main", id, std::nullopt, "test"));
    return id;
  }
  // An annotated tag; what there was of that name goes.
  void tag(const git::Repository& repository, const std::string& by, const std::string& name) {
    auto argv = git(repository, by);
    for (const auto& word : {"tag", "-f", "-m", "release", by.empty() ? "-a" : "-s"}) argv.emplace_back(word);
    argv.push_back(name), argv.emplace_back("main");
    must(run_ok(Ctx(), command(argv)));
  }

 private:
  std::string ssh_file(const std::string& name) const { return (home_.path() / name).string(); }
  Command command(std::vector<std::string> argv) const {
    return {.argv = std::move(argv),
            .extra_env = {{"GNUPGHOME", home_.path().string()},
                          {"GIT_CONFIG_GLOBAL", "/dev/null"},
                          {"GIT_CONFIG_NOSYSTEM", "1"},
                          {"GIT_AUTHOR_NAME", "Ada"},
                          {"GIT_AUTHOR_EMAIL", "ada@example.org"},
                          {"GIT_COMMITTER_NAME", "Ada"},
                          {"GIT_COMMITTER_EMAIL", "ada@example.org"}}};
  }
  std::vector<std::string> git(const git::Repository& repository, const std::string& by) const {
    bool ssh = by.starts_with("ssh:");
    return {"git",
            "-C",
            repository.path().string(),
            "-c",
            "safe.directory=*",
            "-c",
            ssh ? "gpg.format=ssh" : "gpg.format=openpgp",
            "-c",
            "user.signingkey=" + (ssh ? ssh_file(by.substr(4)) + ".pub" : by)};
  }
  std::string gpg(std::vector<std::string> argv, const std::string& at = "", const std::string& input = "") const {
    std::vector<std::string> all{"gpg",      "--batch",      "--quiet", "--no-tty", "--pinentry-mode",
                                 "loopback", "--passphrase", ""};
    if (!at.empty()) all.emplace_back("--faked-system-time"), all.push_back(at + "!");
    all.insert(all.end(), argv.begin(), argv.end());
    auto how = command(all);
    how.input = input;
    return must(run_ok(Ctx(), how));
  }
  TempDir home_;
};

}  // namespace slipway::gitops
