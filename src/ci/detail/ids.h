#pragma once
// Identifiers of jobs and steps: checked when given, made when not. Private to ci.
#include <set>
#include <string>
#include <string_view>

namespace slipway::ci {

class Ids {
 public:
  // "" or what is wrong with the identifier. Letters, digits, _ and -; not starting with a digit, - or __; unique
  // ignoring case; shorter than 100.
  std::string add(std::string_view id);
  bool contains(std::string_view id) const;
  // A fresh one from free text: "__actions/checkout" gives __actions_checkout, the next __actions_checkout_2.
  std::string make(std::string_view text);

 private:
  std::set<std::string> taken_;  // lower case
};

}  // namespace slipway::ci
