#include "tools/cli/verb.h"

namespace plumb::cli {

// In the order in which a user meets them.
const std::vector<Verb>& verbs() {
  static const std::vector<Verb> table{
      {"plan", "say what a run would do, what is cached and why something runs again", run_plan},
      {"validate", "check a recipe without running anything", run_validate},
      {"plugins", "list the plugins at hand, show what one provides", run_plugins},
      {"tokenize", "turn texts into token ids", run_tokenize},
  };
  return table;
}

}  // namespace plumb::cli
