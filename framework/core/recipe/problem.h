// One thing wrong with a recipe, and how problems are shown: all of them at once, in the order of the file.
//
//   std::cerr << show_problems(problems, source);
//   recipe.yaml:12:7: stages.sft.learning_rte: unknown key; nearest: learning_rate
//      12 |       learning_rte: 1.0e-3
//         |       ^
//
// Thread contract: plain values and functions of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plumb/params.h"
#include "plumb/value.h"

namespace plumb {

struct Problem {
  // Line 0: not in the file. Its column then says which --set option it comes from, counted from 1; 0: none.
  Mark mark;
  std::string key;      // dotted, "stages.sft.learning_rate"; empty when it concerns no key
  std::string message;  // what was found and what is allowed
  std::string nearest;  // the existing name that comes nearest, or empty
  bool operator==(const Problem&) const = default;
};

// The text that problems point into. Lines are counted through the recipe and the files it is based on, so that a Mark
// says which file it belongs to.
struct RecipeText {
  std::string file;                    // as the user wrote it
  std::string text;                    // of the file
  std::vector<std::string> overrides;  // the --set options as written
  struct Base {
    std::string file, text;
    int lines_before = 0;  // line 1 of this file has the number lines_before + 1
  };
  std::vector<Base> bases = {};  // in the order in which they name each other

  struct Place {
    std::string_view file, text;
    Mark mark;  // within the file
  };
  [[nodiscard]] Place place(Mark mark) const;
  [[nodiscard]] int lines()
      const;  // of all files together, with one to spare after each: where an error stands at its end
};

// A problem of check_params under the dotted `prefix`.
Problem to_problem(const ParamIssue& issue, const std::string& prefix);

// In the order of the file, those of --set last; the same one is kept once.
void sort_problems(std::vector<Problem>& problems);

// "FILE:LINE:COLUMN: key: message; nearest: name" without a line break.
std::string show_problem(const Problem& problem, const RecipeText& text);
// Each problem with its source line and a caret, and the number of problems at the end.
std::string show_problems(const std::vector<Problem>& problems, const RecipeText& text);
// [{file, line, column, key, message, nearest}]; of a --set option: {set, key, …}.
Value describe_problems(const std::vector<Problem>& problems, const RecipeText& text);

}  // namespace plumb
