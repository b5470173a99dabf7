#include "ci/run/kept_answers.h"

#include <algorithm>

#include "base/text.h"
#include "doc/json.h"
#include "doc/view.h"

namespace slipway::ci {
namespace {

constexpr std::size_t most = 8;

std::string print(const std::vector<KeptAnswer>& answers) {
  doc::List list;
  for (auto& answer : answers) {
    doc::Map one{{"result", answer.result}};
    if (answer.facts) one["facts"] = answer.facts->str();
    list.push_back(std::move(one));
  }
  return doc::print_json(list);
}

}  // namespace

std::vector<KeptAnswer> kept_answers(JobCache& cache, const std::string& key) {
  std::vector<KeptAnswer> out;
  auto text = cache.get(key);
  if (!text || !*text) return out;
  auto document = doc::parse_json(**text, key);
  if (!document) return out;
  for (auto item : doc::View(*document).items()) {
    auto facts = Digest::parse(item["facts"].text());
    out.push_back({facts ? std::optional(*facts) : std::nullopt, item["result"].text()});
  }
  return out;
}

Result<> keep_answer(JobCache& cache, const std::string& key, const KeptAnswer& answer) {
  auto answers = kept_answers(cache, key);
  std::erase_if(answers, [&](auto& known) { return known.facts == answer.facts; });
  answers.insert(answers.begin(), answer);
  if (answers.size() > most) answers.resize(most);
  return cache.put(key, print(answers));
}

InputWords parse_inputs(std::string_view text) {
  InputWords out;
  auto listed = replace_all(replace_all(std::string(text), " ", "\n"), ",", "\n");
  for (auto line : lines(listed)) {
    auto word = trim(line);
    if (word == "infer")
      out.infer = true;
    else if (word == "network")
      out.network = true;
    else if (!word.empty())
      out.patterns.emplace_back(word);
  }
  return out;
}

}  // namespace slipway::ci
