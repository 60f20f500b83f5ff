#include "tools/cli/verb.h"

namespace plumb::cli {

// In the order in which a user meets them.
const std::vector<Verb>& verbs() {
  static const std::vector<Verb> table{
      {"plan", "say what a run would do, what is cached and why something runs again", run_plan},
      {"validate", "check a recipe without running anything", run_validate},
      {"run", "run a recipe: what is cached is reused, what was interrupted goes on", run_run},
      {"sweep", "run every arm of a recipe's sweep; what they share runs once", run_sweep},
      {"compare", "put runs or the arms of a sweep side by side, with intervals", run_compare},
      {"show", "show what each stage of a run or each arm of a sweep produced", run_show},
      {"report", "write a run or a sweep as one HTML file", run_report},
      {"plugins", "list the plugins at hand, show what one provides", run_plugins},
      {"chat", "talk to a model", run_chat},
      {"generate", "one answer of a model to one prompt", run_generate},
      {"certify", "measure on a run's models what its numbers rest on", run_certify},
      {"merge", "fold an adapter into its base: one whole model folder, and what share survives", run_merge},
      {"tokenize", "turn texts into token ids", run_tokenize},
      {"stats", "a benchmark's numbers from its own files: AlpacaEval, MT-Bench", run_stats},
      {"completion", "let the shell complete what one types: bash, zsh, fish", run_completion},
  };
  return table;
}

}  // namespace plumb::cli
