// A key that must not be seen: read from the environment, sent to the judge's server, and struck out of every text that
// is kept or shown.
//
//   const Secret key("JUDGE_KEY");          // the variable's name, from the recipe; empty: no key
//   log(key.strike(server_message));
//
// Thread contract: const methods are [any].
#pragma once

#include <string>

namespace openai {

// What is wrong with a variable's name, or empty. It does not repeat the name: somebody may have put a key there.
std::string wrong_variable(const std::string& name);

class Secret {
 public:
  // Error(recipe) when the variable is not set, or holds what cannot stand in a header.
  explicit Secret(const std::string& variable);

  [[nodiscard]] bool empty() const { return key_.empty(); }
  [[nodiscard]] std::string header() const { return "Bearer " + key_; }
  [[nodiscard]] std::string strike(std::string text) const;

 private:
  std::string key_;
};

}  // namespace openai
