#include "framework/core/recipe/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "plumb/utf8.h"

namespace plumb {
namespace {

std::string_view source_line(std::string_view text, int line) {
  for (; line > 1; --line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// The part of a line that fits a terminal, and where the column falls in it; both in characters.
struct Window {
  std::string text;
  int column = 0;
};

Window window(std::string_view line, int column) {
  constexpr int width = 100;
  const int first = column > width - 10 ? column - width / 2 : 1;
  Window out{first > 1 ? "…" : "", column - first + (first > 1 ? 1 : 0)};
  int character = 0;
  for (char c : line) {
    if (!continues_character(c)) ++character;
    if (character < first) continue;
    if (character >= first + width) {
      out.text += "…";
      break;
    }
    out.text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

std::string place(const Problem& problem, const RecipeText& text) {
  if (problem.mark.line > 0) {
    const RecipeText::Place at = text.place(problem.mark);
    return fmt::format("{}:{}:{}", at.file, at.mark.line, at.mark.column);
  }
  const auto set = static_cast<std::size_t>(problem.mark.column);
  if (set >= 1 && set <= text.overrides.size()) return "--set " + text.overrides[set - 1];
  return text.file;
}

}  // namespace

RecipeText::Place RecipeText::place(Mark mark) const {
  for (auto base = bases.rbegin(); base != bases.rend(); ++base) {
    if (mark.line > base->lines_before) return {base->file, base->text, {mark.line - base->lines_before, mark.column}};
  }
  return {file, text, mark};
}

int RecipeText::lines() const {
  const std::string& last = bases.empty() ? text : bases.back().text;
  const int before = bases.empty() ? 0 : bases.back().lines_before;
  return before + static_cast<int>(std::count(last.begin(), last.end(), '\n')) + 2;
}

Problem to_problem(const ParamIssue& issue, const std::string& prefix) {
  std::string key = prefix;
  if (!issue.path.empty()) key += (key.empty() ? "" : ".") + issue.path;
  // check_params counts items as [2]; keys are shown as --set takes them.
  std::erase(key, ']');
  std::replace(key.begin(), key.end(), '[', '.');
  return {issue.mark, key, issue.message, issue.suggestion};
}

void sort_problems(std::vector<Problem>& problems) {
  const auto rank = [](const Problem& p) {
    // Options of the command line come after the whole file; what has no place at all comes first.
    const bool option = p.mark.line == 0 && p.mark.column > 0;
    return std::tuple(option, p.mark.line, p.mark.column);
  };
  std::stable_sort(problems.begin(), problems.end(),
                   [&](const Problem& a, const Problem& b) { return rank(a) < rank(b); });
  std::vector<Problem> kept;
  for (Problem& problem : problems) {
    if (std::find(kept.begin(), kept.end(), problem) == kept.end()) kept.push_back(std::move(problem));
  }
  problems = std::move(kept);
}

std::string show_problem(const Problem& problem, const RecipeText& text) {
  std::string out = place(problem, text) + ": ";
  if (!problem.key.empty()) out += problem.key + ": ";
  out += problem.message;
  if (!problem.nearest.empty()) out += "; nearest: " + problem.nearest;
  return out;
}

std::string show_problems(const std::vector<Problem>& problems, const RecipeText& text) {
  std::string out;
  for (const Problem& problem : problems) {
    out += show_problem(problem, text) + "\n";
    if (problem.mark.line <= 0) continue;
    const RecipeText::Place at = text.place(problem.mark);
    const Window shown = window(source_line(at.text, at.mark.line), at.mark.column);
    out += fmt::format("{:>5} | {}\n      | {}^\n", at.mark.line, shown.text,
                       std::string(static_cast<std::size_t>(std::max(0, shown.column)), ' '));
  }
  out += fmt::format("{}: {} problem{}\n", text.file, problems.size(), problems.size() == 1 ? "" : "s");
  return out;
}

Value describe_problems(const std::vector<Problem>& problems, const RecipeText& text) {
  Value::List out;
  for (const Problem& problem : problems) {
    Value item = Value::map();
    const auto set = static_cast<std::size_t>(problem.mark.column);
    if (problem.mark.line == 0 && set >= 1 && set <= text.overrides.size()) {
      item.set("set", text.overrides[set - 1]);
    } else {
      const RecipeText::Place at = text.place(problem.mark);
      item.set("file", at.file);
      item.set("line", at.mark.line);
      item.set("column", at.mark.column);
    }
    item.set("key", problem.key);
    item.set("message", problem.message);
    item.set("nearest", problem.nearest.empty() ? Value() : Value(problem.nearest));
    out.push_back(std::move(item));
  }
  return out;
}

}  // namespace plumb
