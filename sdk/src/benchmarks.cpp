#include "plumb/benchmarks.h"

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <functional>

#include "plumb/error.h"
#include "plumb/json_rows.h"

namespace plumb {
inline namespace v1 {
namespace {

// Rows of JSON lines or of one JSON list, also compressed.
void for_each_row(const std::string& file, const std::function<void(const Value&, const std::string& where)>& use) {
  JsonRows rows(file);
  while (const std::optional<Value> row = rows.next()) use(*row, rows.fields().where(*row));
}

const Value& field(const Value& row, const char* name, const std::string& where) {
  const Value* found = row.is_map() ? row.find(name) : nullptr;
  if (found == nullptr) throw Error(ErrorCode::data, where + ": no \"" + name + "\"");
  return *found;
}

std::string text_field(const Value& row, const char* name, const std::string& where) {
  const Value& value = field(row, name, where);
  if (value.is_string()) return value.as_string();
  if (value.type() == Value::Type::integer) return std::to_string(value.as_int());
  throw Error(ErrorCode::data, where + ": \"" + name + "\" is a " + value.type_name() + "; wanted text");
}

std::string optional_text(const Value& row, const char* name) {
  const Value* found = row.find(name);
  return found != nullptr && found->is_string() ? found->as_string() : std::string();
}

std::vector<std::string> texts(const Value& list, const std::string& where) {
  if (!list.is_list()) throw Error(ErrorCode::data, where + ": wanted a list of texts");
  std::vector<std::string> out;
  for (const Value& item : list.as_list()) out.push_back(item.as_string());
  return out;
}

// The number between `open` and `close` brackets at or after each opening, or nothing.
std::optional<double> bracketed(const std::string& text, const std::string& open, const std::string& close) {
  for (std::size_t at = text.find(open); at != std::string::npos; at = text.find(open, at + 1)) {
    std::size_t end = at + open.size();
    const std::size_t first = end;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
    if (end == first) continue;
    if (end < text.size() && text[end] == '.') {
      ++end;
      while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
    }
    if (text.compare(end, close.size(), close) == 0)
      return std::strtod(text.substr(first, end - first).c_str(), nullptr);
  }
  return std::nullopt;
}

}  // namespace

std::vector<MtBenchJudgment> read_mt_bench_judgments(const std::string& file) {
  std::vector<MtBenchJudgment> rows;
  for_each_row(file, [&](const Value& row, const std::string& where) {
    MtBenchJudgment judgment;
    judgment.question_id = text_field(row, "question_id", where);
    judgment.model = text_field(row, "model", where);
    const Value& judge = field(row, "judge", where);
    if (judge.is_list() && judge.as_list().size() == 2) {
      judgment.judge = judge.as_list()[0].as_string();
      judgment.judge_template = judge.as_list()[1].as_string();
    } else {
      judgment.judge = text_field(row, "judge", where);
    }
    judgment.user_prompt = optional_text(row, "user_prompt");
    judgment.judgment = optional_text(row, "judgment");
    judgment.score = field(row, "score", where).as_double();
    judgment.turn = static_cast<int>(field(row, "turn", where).as_int());
    if (judgment.turn != 1 && judgment.turn != 2) {
      throw Error(ErrorCode::data, where + ": turn " + std::to_string(judgment.turn) + "; MT-Bench has turns 1 and 2");
    }
    rows.push_back(std::move(judgment));
  });
  return rows;
}

std::map<std::string, MtBenchScore> mt_bench_scores(const std::vector<MtBenchJudgment>& judgments,
                                                    const std::map<std::string, std::string>& category_of_question) {
  std::map<std::string, std::map<std::string, const MtBenchJudgment*>> last;  // by model, then question, turn and judge
  for (const MtBenchJudgment& j : judgments) {
    last[j.model][j.question_id + "\n" + std::to_string(j.turn) + "\n" + j.judge] = &j;
  }
  std::map<std::string, MtBenchScore> scores;
  for (const auto& [model, by_key] : last) {
    MtBenchScore& score = scores[model];
    std::map<std::string, std::pair<double, std::size_t>> categories;
    for (const auto& [key, judgment] : by_key) {
      if (judgment->score < 0) {
        ++score.failed;
        continue;
      }
      (judgment->turn == 1 ? score.turn_1 : score.turn_2) += judgment->score;
      ++(judgment->turn == 1 ? score.rated_1 : score.rated_2);
      const auto category = category_of_question.find(judgment->question_id);
      if (category != category_of_question.end()) {
        categories[category->second].first += judgment->score;
        ++categories[category->second].second;
      }
    }
    const double one = static_cast<double>(score.rated_1), two = static_cast<double>(score.rated_2);
    score.average = one + two > 0 ? (score.turn_1 + score.turn_2) / (one + two) : std::nan("");
    score.turn_1 = one > 0 ? score.turn_1 / one : std::nan("");
    score.turn_2 = two > 0 ? score.turn_2 / two : std::nan("");
    for (const auto& [name, sum] : categories) score.categories[name] = sum.first / static_cast<double>(sum.second);
  }
  return scores;
}

std::optional<double> parse_rating(const std::string& judgment) {
  if (auto rating = bracketed(judgment, "[[", "]]")) return rating;
  return bracketed(judgment, "[", "]");
}

std::vector<MtBenchQuestion> read_mt_bench_questions(const std::string& file) {
  std::vector<MtBenchQuestion> questions;
  for_each_row(file, [&](const Value& row, const std::string& where) {
    MtBenchQuestion question{text_field(row, "question_id", where),
                             optional_text(row, "category"),
                             texts(field(row, "turns", where), where + ": turns"),
                             {}};
    if (question.turns.empty()) throw Error(ErrorCode::data, where + ": a question without turns");
    if (const Value* reference = row.find("reference")) question.reference = texts(*reference, where + ": reference");
    questions.push_back(std::move(question));
  });
  return questions;
}

std::map<std::string, std::vector<std::string>> read_mt_bench_answers(const std::string& file) {
  std::map<std::string, std::vector<std::string>> answers;
  for_each_row(file, [&](const Value& row, const std::string& where) {
    const Value& choices = field(row, "choices", where);
    if (!choices.is_list() || choices.as_list().empty()) throw Error(ErrorCode::data, where + ": no choices");
    answers[text_field(row, "question_id", where)] =
        texts(field(choices.as_list()[0], "turns", where), where + ": turns");
  });
  return answers;
}

std::vector<AlpacaAnnotation> read_alpaca_annotations(const std::string& file) {
  std::vector<AlpacaAnnotation> rows;
  for_each_row(file, [&](const Value& item, const std::string& where) {
    AlpacaAnnotation row{text_field(item, "instruction", where), optional_text(item, "output_1"),
                         optional_text(item, "output_2"),        optional_text(item, "generator_1"),
                         optional_text(item, "generator_2"),     optional_text(item, "annotator"),
                         optional_text(item, "dataset"),         std::nullopt};
    const Value& preference = field(item, "preference", where);
    if (!preference.is_null()) {
      const double value = preference.as_double();
      if (value != 0 && !(value >= 1 && value <= 2)) {
        throw Error(ErrorCode::data,
                    where + ": preference " + std::to_string(value) + "; wanted 0 or a number from 1 to 2");
      }
      row.preference = value;
    }
    rows.push_back(std::move(row));
  });
  return rows;
}

AlpacaWinRate alpaca_eval_win_rate(const std::vector<AlpacaAnnotation>& annotations) {
  AlpacaWinRate result;
  std::vector<double> preferences;
  for (const AlpacaAnnotation& row : annotations) {
    if (!row.preference) {
      ++result.failed;
      continue;
    }
    const double won = *row.preference == 0 ? 0.5 : *row.preference - 1;
    ++(won > 0.5 ? result.wins : won < 0.5 ? result.wins_base : result.draws);
    preferences.push_back(won);
  }
  result.rate = win_rate(preferences);
  return result;
}

std::vector<AlpacaOutput> read_alpaca_outputs(const std::string& file) {
  std::vector<AlpacaOutput> rows;
  for_each_row(file, [&](const Value& item, const std::string& where) {
    rows.push_back({text_field(item, "instruction", where), text_field(item, "output", where),
                    optional_text(item, "generator"), optional_text(item, "dataset")});
  });
  return rows;
}

}  // namespace v1
}  // namespace plumb
