// Signed commits and tags, as projects and Flux's sources want them: keys and signatures are GnuPG's and OpenSSH's own.
#include "gitops/signatures.h"

#include "base/encode.h"
#include "doc/json.h"
#include "gitops/appset/generators.h"
#include "gitops/flux/sources.h"
#include "gitops/testing/signer.h"
#include "gitops/testing/world.h"

namespace slipway::gitops {
namespace {

// Keys of four people, which all tests share: making them takes a while.
struct People : Signers {
  std::string ada = key("ada"), bob = key("bob"), old = key("old", "30d"), gone = key("gone"), sub = key("sub");
  std::string below = subkey("sub"), no_longer = revoked("gone");
};
People& people() {
  static People made;
  return made;
}

struct SignedWorld : World {
  git::Repository repository = [&] {
    commit({{"a.yaml", config_map("a")}});
    return must(repositories.open({}, std::string(url)));
  }();

  void project(std::string_view spec) {
    auto text = fmt::format(
        "{{apiVersion: argoproj.io/v1alpha1, kind: AppProject, metadata: {{name: default, namespace: argocd}}, spec: "
        "{{sourceRepos: ['*'], destinations: [{{server: '*', namespace: '*'}}], {}}}}}",
        spec);
    must(person->apply(ctx(), must(doc::parse_yaml(text)), {.force = true}));
  }
  void keys(const std::vector<std::pair<std::string, std::string>>& entries) {
    auto map = kube::make_object({"v1", "ConfigMap"}, {"argocd", "argocd-gpg-keys-cm"});
    doc::Map data;
    for (const auto& [id, text] : entries) data.set(id, text);
    map["data"] = std::move(data);
    must(person->apply(ctx(), std::move(map), {.force = true}));
  }
  void everyones_keys() {
    auto& all = people();
    keys({{all.ada, all.exported("ada")},
          {all.bob, all.exported("bob")},
          {all.old, all.exported("old")},
          {all.gone, all.no_longer},
          {all.sub, all.exported("sub")}});
  }
  std::string conditions() { return conditions_of(look_once()); }
};

TEST(Signatures, AProjectsApplicationsDeployWhatItsKeysSigned) {
  auto& all = people();
  SignedWorld w;
  w.everyones_keys();
  w.project(fmt::format("signatureKeys: [{{keyID: {}}}, {{keyID: {}}}, {{keyID: {}}}, {{keyID: {}}}]", all.ada, all.old,
                        all.gone, all.below));
  w.application();
  auto first = must(w.repository.resolve("main")).value();
  auto failed = [](const std::string& revision, const std::string& why, const std::string& key) {
    return fmt::format(
        "ComparisonError: GIT/GPG: Failed verifying revision {} by 'Ada <ada@example.org>': {} (key_id={})", revision,
        why, key);
  };
  EXPECT_EQ(w.conditions(), fmt::format("ComparisonError: GIT/GPG: Failed verifying revision {} by 'ada "
                                        "<ada@example.org>': unsigned (key_id=)",
                                        first));
  EXPECT_FALSE(w.has("a"));
  struct Case {
    std::string by, why, key;
  };
  for (const auto& [by, why, key] : {Case{"bob", "signed with unallowed key", all.bob}, Case{all.below + "!", "", ""},
                                     Case{"", "unsigned", ""}, Case{"ada", "", ""}}) {
    auto id = all.commit(w.repository, by);
    EXPECT_EQ(w.conditions(), why.empty() ? "" : failed(id, why, key)) << by;
  }
  EXPECT_TRUE(w.has("a"));
  // What is not signed is not deployed, and what is there stays.
  auto id = all.commit(w.repository, "", "next", {{"a.yaml", config_map("a", "2")}});
  EXPECT_EQ(w.conditions(), failed(id, "unsigned", ""));
  EXPECT_EQ((*w.live({"v1", "ConfigMap"}, "a"))["data"]["v"].text(), "1");
  w.request();
  EXPECT_EQ(phase_of(w.look_once()), "Error");
  all.commit(w.repository, "ada");
  EXPECT_EQ(w.conditions(), "");
  // A key that is taken away vouches for nothing any more.
  w.keys({{all.bob, all.exported("bob")}});
  EXPECT_TRUE(w.conditions().contains("signed with key not in keyring (key_id=" + all.ada));
  w.keys({{all.bob, all.exported("ada")}, {"AAAABBBBCCCCDDDD", "no key"}});
  EXPECT_EQ(w.conditions(), "");
}

// Signed as it was when the key was good: nobody can sign with such keys now.
std::string signed_by(const git::Repository& repository, const std::string& payload, const std::string& armored) {
  std::string header, raw = payload;
  for (auto line : lines(armored)) header += fmt::format("{}{}\n", header.empty() ? "gpgsig " : " ", line);
  raw.insert(raw.find("\n\n") + 1, header);
  auto made = must(run_ok(Ctx(), {.argv = {"git", "-C", repository.path().string(), "-c", "safe.directory=*",
                                           "hash-object", "-w", "-t", "commit", "--stdin"},
                                  .input = raw}));
  auto to = repository;
  must(to.update_ref("refs/heads/main", std::string(trim(made)), std::nullopt, "test"));
  return std::string(trim(made));
}

TEST(Signatures, KeysThatAreGoneAndBrokenSignaturesAreTold) {
  auto& all = people();
  SignedWorld w;
  w.everyones_keys();
  w.project(fmt::format("signatureKeys: [{{keyID: {}}}, {{keyID: {}}}, {{keyID: {}}}, {{keyID: {}}}]", all.ada, all.old,
                        all.gone, all.sub));
  w.application();
  auto tip = must(w.repository.resolve("main")).value();
  auto payload = must(w.repository.signed_object(tip)).payload;
  auto at = [&](const std::string& name) { return all.signature(name, payload); };
  struct Case {
    std::string armored, want;
  };
  for (const auto& [armored, want] :
       {Case{at("old"), "signed with expired key (key_id=" + all.old},
        Case{at("gone"), "signed with revoked key (key_id="},
        Case{all.signature("ada", payload + "x"), "bad signature (key_id=" + all.ada},
        Case{"hello", "signed with no OpenPGP key"},
        Case{"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----",
             "bad signature: no OpenPGP signature"},
        Case{"-----BEGIN PGP SIGNATURE-----\n\n" + std::string(70'000, 'A') + "\n-----END PGP SIGNATURE-----",
             "bad signature: a signature of 70060 bytes is too large"},
        Case{at("sub"), "a subkey of the allowed key " + all.sub + ": want the subkey's own id there"}}) {
    signed_by(w.repository, payload, armored);
    auto conditions = w.conditions();
    EXPECT_TRUE(conditions.starts_with("ComparisonError: GIT/GPG: Failed verifying revision ")) << conditions;
    EXPECT_TRUE(conditions.contains(want)) << conditions << "\nwant " << want;
    EXPECT_FALSE(w.has("a"));
  }
  signed_by(w.repository, payload, at("ada"));
  EXPECT_EQ(w.conditions(), "");
  EXPECT_TRUE(w.has("a"));
}

TEST(Signatures, OfAnAnnotatedTagTheTagIsSigned) {
  auto& all = people();
  SignedWorld w;
  w.everyones_keys();
  w.project(fmt::format("signatureKeys: [{{keyID: {}}}]", all.ada));
  all.tag(w.repository, "ada", "v1.2.0");
  for (auto revision : {"v1.2.0", "1.x", "refs/tags/v1.2.0"}) {
    w.application(fmt::format("source: {{repoURL: {}, path: ., targetRevision: '{}'}}", World::url, revision));
    EXPECT_EQ(w.conditions(), "") << revision;
  }
  all.tag(w.repository, "bob", "v1.2.0");
  EXPECT_TRUE(
      w.conditions().contains("Failed verifying revision v1.2.0 by 'Ada <ada@example.org>': signed with "
                              "unallowed key (key_id=" +
                              all.bob));
  all.tag(w.repository, "", "v1.2.0");
  EXPECT_TRUE(w.conditions().contains("v1.2.0 by 'Ada <ada@example.org>': unsigned"));
  // By its commit's id, the commit counts.
  auto id = all.commit(w.repository, "ada");
  w.application(fmt::format("source: {{repoURL: {}, path: ., targetRevision: {}}}", World::url, id));
  EXPECT_EQ(w.conditions(), "");
}

TEST(Signatures, PoliciesSayOfWhichRepositoriesAndHowFar) {
  auto& all = people();
  SignedWorld w;
  w.everyones_keys();
  w.application();
  auto policy = [&](std::string_view repos, std::string_view mode, std::string_view more = "") {
    w.project(fmt::format("sourceIntegrity: {{git: {{policies: [{{repos: [{}], gpg: {{mode: {}, keys: [{}]}}}}{}]}}}}",
                          repos, mode, all.ada, more));
    return w.conditions();
  };
  EXPECT_EQ(policy("{url: 'http://other/*'}", "head"), "") << "nothing is said of it";
  EXPECT_EQ(policy("{url: 'http://*'}, {url: '!http://git/config'}", "head"), "");
  EXPECT_EQ(policy("{url: '*'}", "none"), "");
  EXPECT_TRUE(policy("{url: 'http://git/*'}", "head").contains("unsigned"));
  EXPECT_TRUE(policy("{url: '*'}", "head", ", {repos: [{url: '*'}], gpg: {mode: head, keys: []}}")
                  .contains("multiple (2) git source integrity policies found for repo URL: http://git/config"));
  // Up to a seal, and the seal.
  auto first = must(w.repository.resolve("main")).value();
  all.commit(w.repository, "ada");
  EXPECT_EQ(policy("{url: '*'}", "head"), "");
  EXPECT_TRUE(policy("{url: '*'}", "strict").contains("Failed verifying revision " + first));
  all.commit(w.repository, "", "not mine\n\nArgocd-gpg-seal: nobody");
  auto seal = all.commit(w.repository, "bob", "Trust\n\nArgocd-gpg-seal: reviewed");
  EXPECT_TRUE(policy("{url: '*'}", "strict").contains("Failed verifying revision " + seal)) << "only it is looked at";
  EXPECT_FALSE(policy("{url: '*'}", "strict").contains(first));
  all.commit(w.repository, "ada", "Trust\n\nargocd-gpg-seal: reviewed");
  EXPECT_EQ(policy("{url: '*'}", "strict"), "");
  all.commit(w.repository, "ada");
  EXPECT_EQ(policy("{url: '*'}", "strict"), "");
  all.commit(w.repository, "");
  all.commit(w.repository, "ada");
  EXPECT_TRUE(policy("{url: '*'}", "strict").contains("unsigned"));
}

TEST(Signatures, WhatIsNotUnderstoodIsNotDeployed) {
  for (auto spec : {"{sourceIntegrity: {oci: {}}}", "{sourceIntegrity: {oci: {a: b}}}",
                    "{sourceIntegrity: {git: {policies: [{repos: [], ssh: {}}]}}}",
                    "{sourceIntegrity: {git: {policies: [{gpg: {mode: deep}}]}}}",
                    "{sourceIntegrity: {git: {policies: [{gpg: {mode: head, minimum: 2}}]}}}",
                    "{sourceIntegrity: {git: {policies: [{repos: []}]}}}", "{signatureKeys: {a: b}}"}) {
    auto value = must(doc::parse_yaml(spec));
    EXPECT_TRUE(SignatureRules::read(doc::View(value)).error().is(Kind::invalid)) << spec;
  }
  auto value = must(doc::parse_yaml("{sourceIntegrity: {}, signatureKeys: []}"));
  EXPECT_TRUE(must(SignatureRules::read(doc::View(value))).none());
  SignedWorld w;
  w.application();
  w.project("sourceIntegrity: {git: {policies: [{repos: [{url: '*'}], gpg: {mode: deep, keys: []}}]}}");
  EXPECT_EQ(w.conditions(),
            "InvalidSpecError: project 'default': .spec.sourceIntegrity.git.policies[0].gpg.mode: got "
            "\"deep\", want none, head or strict");
}

TEST(Signatures, AnUnsignedCommitGeneratesNoApplications) {
  auto& all = people();
  SignedWorld w;
  w.everyones_keys();
  w.project(fmt::format("signatureKeys: [{{keyID: {}}}]", all.ada));
  all.commit(w.repository, "", "apps", {{"apps/one/a.yaml", config_map("a")}});
  auto generated = [&](std::string_view project) {
    auto spec = must(doc::parse_yaml(fmt::format(
        "{{generators: [{{git: {{repoURL: '{}', revision: main, directories: [{{path: 'apps/*'}}]}}}}], template: "
        "{{spec: {{project: '{}'}}}}}}",
        World::url, project)));
    auto renderer = must(appset::Renderer::from(doc::View(spec)));
    auto made = appset::generate(w.ctx(), {*w.client, w.repositories, "argocd"}, renderer, doc::View(spec));
    return made ? fmt::format("{}", made->size()) : made.error().what();
  };
  EXPECT_TRUE(generated("default").starts_with("http://git/config: GIT/GPG: Failed verifying revision "))
      << generated("default");
  EXPECT_EQ(generated("{{path.basename}}"), "1") << "whose project is not known before";
  all.commit(w.repository, "ada");
  EXPECT_EQ(generated("default"), "1");
}

// One GitRepository, looked at by hand.
struct FluxSource : SignedWorld {
  FluxSource() { must(person->create(ctx(), kube::make_object({"v1", "Namespace"}, {"", "flux-system"}), {})); }
  void secret(const std::vector<std::pair<std::string, std::string>>& entries) {
    auto object = kube::make_object({"v1", "Secret"}, {"flux-system", "keys"});
    doc::Map data;
    for (const auto& [name, text] : entries) data.set(name, to_base64(text));
    object["data"] = std::move(data);
    must(person->apply(ctx(), std::move(object), {.force = true}));
  }
  // "READY REASON: MESSAGE", and what SourceVerified says.
  std::pair<std::string, std::string> look(std::string_view verify, std::string_view ref = "branch: main") {
    auto text = fmt::format(
        "{{apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, metadata: {{name: config, "
        "namespace: flux-system}}, spec: {{url: '{}', interval: 1m, ref: {{{}}}, verify: {}}}}}",
        url, ref, verify);
    auto object = must(doc::parse_yaml(text));
    if (!status.is_null()) object["status"] = status;
    kube::Object source(std::move(object));
    auto looked = must(flux::look_at_source(ctx(), *client, repositories, source));
    status = looked.status;
    std::pair<std::string, std::string> said;
    for (const auto& one : doc::View(status)["conditions"].items()) {
      auto line = fmt::format("{} {}: {}", one["status"].text(), one["reason"].text(), one["message"].text());
      if (one["type"].text() == "Ready") said.first = line;
      if (one["type"].text() == "SourceVerified") said.second = line;
    }
    return said;
  }
  std::string revision() { return doc::View(status)["artifact"]["revision"].text(); }
  doc::Value status;
};

TEST(Signatures, OfAFluxSourceTheCommitIsVerified) {
  auto& all = people();
  FluxSource w;
  constexpr std::string_view head = "{mode: HEAD, secretRef: {name: keys}}";
  EXPECT_EQ(w.look(head).second, "False VerificationError: public keys secret error: Secret \"keys\" not found");
  w.secret({{"ada.asc", all.exported("ada")}, {"note", "no key"}});
  auto tip = must(w.repository.resolve("main")).value();
  auto [ready, verified] = w.look(head);
  EXPECT_EQ(verified, fmt::format("False InvalidCommitSignature: signature verification of commit '{}' failed: "
                                  "unsupported signature type: empty",
                                  tip));
  EXPECT_EQ(ready, verified);
  EXPECT_EQ(w.revision(), "");
  auto good = all.commit(w.repository, "ada");
  for (auto verify : {head, std::string_view("{mode: head, secretRef: {name: keys}}"),
                      std::string_view("{secretRef: {name: keys}}")}) {
    std::tie(ready, verified) = w.look(verify);
    EXPECT_TRUE(ready.starts_with("True Succeeded: stored artifact")) << ready;
    EXPECT_EQ(verified,
              fmt::format("True Succeeded: verified signature of\n\t- commit '{}' with key '{}'", good, all.ada));
    EXPECT_EQ(doc::View(w.status)["sourceVerificationMode"].text(), "HEAD");
  }
  auto id = all.commit(w.repository, "bob");
  EXPECT_EQ(
      w.look(head).second,
      fmt::format("False InvalidCommitSignature: signature verification of commit '{}' failed: unable to verify Git "
                  "commit: unable to verify payload with any of the given key rings: no matching key (signed with "
                  "key not in keyring, {})",
                  id, all.bob));
  EXPECT_EQ(w.revision(), "main@sha1:" + good) << "what was verified is still there";
  // A subkey is told as its key.
  w.secret({{"sub.asc", all.exported("sub")}});
  all.commit(w.repository, all.below + "!");
  EXPECT_TRUE(w.look(head).second.ends_with("with key '" + all.sub + "'"));
  w.secret({{"x.asc", "no key"}});
  EXPECT_TRUE(w.look(head).second.ends_with("unable to read armored key ring: x.asc: no OpenPGP public key in it"));
}

TEST(Signatures, SshKeysSignFluxSourcesToo) {
  auto& all = people();
  FluxSource w;
  constexpr std::string_view head = "{mode: HEAD, secretRef: {name: keys}}";
  auto mine = all.ssh_key("mine"), other = all.ssh_key("other");
  w.secret({{"mine.sshpub", other}});
  auto id = all.commit(w.repository, "ssh:mine");
  EXPECT_TRUE(
      w.look(head).second.contains("unable to verify payload with any of the given authorized keys: no matching "
                                   "key (signed with another key, SHA256:"));
  w.secret({{"mine.sshpub", other + mine}});
  EXPECT_TRUE(w.look(head).second.starts_with(
      fmt::format("True Succeeded: verified signature of\n\t- commit '{}' with key 'SHA256:", id)));
  w.secret({{"mine.sshpub", "no key"}});
  EXPECT_TRUE(w.look(head).second.contains("SSH signature: unable to parse authorized keys: mine.sshpub: line 1: "));
  w.secret({{"ada.asc", all.exported("ada")}});
  EXPECT_TRUE(
      w.look(head).second.ends_with("SSH signature detected but no SSH public keys found in secret (keys with "
                                    ".sshpub suffix)"));
  w.secret({{"mine.sshpub", mine}});
  all.commit(w.repository, "ada");
  EXPECT_TRUE(w.look(head).second.ends_with("no PGP public keys found in secret (keys with .asc suffix)"));
}

TEST(Signatures, OfAFluxSourceTheTagIsVerified) {
  auto& all = people();
  FluxSource w;
  w.secret({{"ada.asc", all.exported("ada")}});
  constexpr std::string_view tag = "{mode: Tag, secretRef: {name: keys}}",
                             both = "{mode: TagAndHEAD, secretRef: {name: keys}}";
  EXPECT_EQ(w.look(tag).second,
            "False InvalidVerificationMode: cannot verify tag object's signature if a tag reference is not specified");
  all.tag(w.repository, "ada", "v1.0.0");
  auto object = must(w.repository.annotated_tag("v1.0.0")).value();
  for (auto ref : {"tag: v1.0.0", "semver: 1.x", "name: refs/tags/v1.0.0"}) {
    EXPECT_EQ(w.look(tag, ref).second,
              fmt::format("True Succeeded: verified signature of\n\t- tag 'v1.0.0@{}' with key '{}'", object, all.ada));
    EXPECT_TRUE(w.look(both, ref).second.starts_with("False InvalidCommitSignature"));
  }
  auto commit = all.commit(w.repository, "ada");
  all.tag(w.repository, "ada", "v1.0.0");
  EXPECT_TRUE(
      w.look(both, "tag: v1.0.0").second.ends_with(fmt::format("\n\t- commit '{}' with key '{}'", commit, all.ada)));
  all.tag(w.repository, "bob", "v1.0.0");
  EXPECT_TRUE(w.look(tag, "tag: v1.0.0")
                  .second.starts_with("False InvalidTagSignature: signature verification of tag 'v1.0.0@"));
  all.tag(w.repository, "", "v1.0.0");
  EXPECT_TRUE(w.look(tag, "tag: v1.0.0").second.ends_with("since it is not signed"));
  must(w.repository.update_ref("refs/tags/light", commit, std::nullopt, "test"));
  EXPECT_EQ(w.look(tag, "tag: light").second,
            "False InvalidGitObject: cannot verify signature of tag 'light' since it is not signed");
  EXPECT_TRUE(w.look("{mode: Deep, secretRef: {name: keys}}").first.contains("want HEAD, Tag or TagAndHEAD"));
  EXPECT_TRUE(w.look("{mode: HEAD}").first.contains("want {name} of a Secret with keys"));
}

}  // namespace
}  // namespace slipway::gitops
