// A key that must not be seen: read from the environment, sent to a server, and struck out of every text that
// is kept or shown.
//
//   const Secret key("JUDGE_KEY", "openai-judge");   // the variable's name, from the recipe; empty: no key
//   log(key.strike(server_message));
//
// Thread contract: const methods are [any].
#pragma once

#include <string>

namespace server {

// What is wrong with a variable's name, or empty. It does not repeat the name: somebody may have put a key there.
std::string wrong_variable(const std::string& name);

class Secret {
 public:
  // `who` wants it. Error(recipe) when the variable is not set, or holds what cannot stand in a header.
  Secret(const std::string& variable, const std::string& who);

  [[nodiscard]] bool empty() const { return key_.empty(); }
  [[nodiscard]] std::string header() const { return "Bearer " + key_; }
  [[nodiscard]] std::string strike(std::string text) const;

 private:
  std::string key_;
};

}  // namespace server
