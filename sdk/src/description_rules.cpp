#include "plumb/description.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "plumb/rows.h"
#include "plumb/text.h"

namespace plumb {
inline namespace v1 {
namespace {

using Words = std::vector<std::string>;

struct KindWords {
  const char* kind;
  Words yields, needs;
};

const std::vector<KindWords>& kind_words() {
  static const Words rows{"prompts", "demonstrations", "preferences", "texts"};
  static const std::vector<KindWords> all = {
      {"data-source", rows, {}},
      {"selection-policy", {"pairs", "demonstrations"}, {"annotation"}},
      {"evaluator", {}, {"judge", "reward-model", "baseline", "one-answer", "second-turn"}},
      {"judge", {"score", "preference", "text"}, {"language-models"}},
      {"generator", {}, {"language-models", "server"}},
      {"model", {}, {}},
      {"tokenizer", {}, {}},
      {"reward-model", {}, {"language-models"}},
      {"stage", row_types(), {"language-models", "random"}},
  };
  return all;
}

bool among(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string listed(const Words& words) {
  return words.empty() ? "none" : joined(words);
}

std::string unknown(const std::string& list, const std::string& word, const Words& known,
                    const std::string& where = "here") {
  const std::string nearest = nearest_name(word, known);
  return list + ": `" + word + "` means nothing " + where + "; known: " + listed(known) +
         (nearest.empty() ? "" : "; did you mean `" + nearest + "`?");
}

std::string number(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

bool outside(const ParamInfo& info, double value) {
  if (info.min && (info.min_open ? value <= *info.min : value < *info.min)) return true;
  return info.max && (info.max_open ? value >= *info.max : value > *info.max);
}

std::string wrong_number(const ParamInfo& info, const Value& value) {
  if (value.is_list()) {
    for (const Value& item : value.as_list()) {
      if (std::string wrong = wrong_number(info, item); !wrong.empty()) return wrong;
    }
    return {};
  }
  if (value.type() != Value::Type::integer && value.type() != Value::Type::real) return {};
  if (!std::isfinite(value.as_double())) return "the default is not finite";
  return outside(info, value.as_double()) ? "the default " + number(value.as_double()) + " is out of range" : "";
}

std::string wrong_choice(const ParamInfo& info) {
  if (info.type == ParamType::choice && info.choices.empty()) return "there is nothing to choose from";
  if (info.choices.empty()) return {};
  const auto offered = [&](const Value& value) { return !value.is_string() || among(info.choices, value.as_string()); };
  if (info.type == ParamType::choice && !offered(info.default_value)) {
    return "the default " + info.default_value.as_string() + " is none of the choices";
  }
  return {};
}

std::string wrong_range(const ParamInfo& info) {
  if (!info.min || !info.max) return {};
  const bool some = *info.min < *info.max || (*info.min == *info.max && !info.min_open && !info.max_open);
  return some ? "" : "no value is above " + number(*info.min) + " and below " + number(*info.max);
}

std::string wrong_params(const std::vector<ParamInfo>& infos, const std::string& prefix) {
  std::set<std::string> names;
  for (const ParamInfo& info : infos) {
    const std::string who = "parameter " + prefix + info.name + ": ";
    const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    if (info.name.empty() || info.name[0] == '_' || (info.name[0] >= '0' && info.name[0] <= '9') ||
        !std::all_of(info.name.begin(), info.name.end(), good)) {
      return who + "a name has lower-case letters, digits and _, and begins with a letter";
    }
    if (prefix.empty() && info.name == "name") {
      return who + "`name` names the component itself in a recipe, so a parameter of that name could never be set";
    }
    if (!names.insert(info.name).second) return who + "declared twice";
    for (std::string wrong : {wrong_range(info), wrong_choice(info), wrong_number(info, info.default_value),
                              wrong_params(info.fields, prefix + info.name + ".")}) {
      if (!wrong.empty()) return wrong.starts_with("parameter ") ? wrong : who + wrong;
    }
  }
  return {};
}

Words split(const std::string& text) {
  Words out(1);
  for (const char c : text) {
    if (c == '|') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

std::string wrong_need(const ComponentInfo& info, const Words& known, const std::string& declared,
                       const std::string& where = "here") {
  const Need need = parse_need(declared);
  if (need.what == "environment") {
    const bool there = std::any_of(info.params.begin(), info.params.end(), [&](const ParamInfo& param) {
      return param.name == need.detail && param.type == ParamType::string;
    });
    return there ? "" : "needs: `" + declared + "` names no parameter that is a string";
  }
  if (!among(known, need.what)) return unknown("needs", need.what, known, where);
  const bool of_judge = need.what == "judge";
  if (!of_judge && !need.detail.empty()) return "needs: `" + declared + "`: only `judge` is followed by what it gives";
  static const Words given{"score", "preference", "text"};
  if (declared.find(':') == std::string::npos) return {};
  for (const std::string& word : split(need.detail)) {
    if (!among(given, word)) return unknown("needs judge", word, given);
  }
  return {};
}

// What an optimizer may say is what its class leaves open.
std::string wrong_optimizer(const ComponentInfo& info) {
  const BatchInfo& batch = info.batch;
  if (batch.by.empty()) return "its class is none of those that there are batches for (plumb/tensor/optimizer.h)";
  const std::string where = "to a class derived from " + batch.by;
  for (const std::string& type : info.takes) {
    if (!among(batch.takes, type)) return unknown("takes", type, batch.takes, where);
  }
  if (info.takes.empty()) return "takes: nothing, so that no stage could feed it; known: " + listed(batch.takes);
  for (const std::string& type : info.yields) {
    if (!among(batch.yields, type)) return unknown("yields", type, batch.yields, where);
  }
  if (info.yields.size() < batch.yields.size())
    return "yields: a class derived from " + batch.by + " makes " + listed(batch.yields);
  for (const std::string& need : info.needs) {
    if (std::string wrong = wrong_need(info, batch.needs, need, where); !wrong.empty()) return wrong;
  }
  return {};
}

// What is in a recipe's entry of a stage besides its parameters, and what comes out where there is a choice.
std::string wrong_stage(const ComponentInfo& info) {
  if (info.yields.empty())
    return "yields: a stage must say which type of artifact it makes; known: " + joined(row_types());
  const ParamInfo* input = nullptr;
  for (const ParamInfo& param : info.params) {
    if (param.name == "stage") return "parameter stage: in a recipe `stage` names the kind; choose another name";
    const bool names_stages = param.type == ParamType::stage_input || param.type == ParamType::stage_inputs;
    if (names_stages && input == nullptr) input = &param;
  }
  if (info.yields.size() == 1) return {};
  if (input == nullptr) return "yields: several types, and no input that decides which it is";
  if (input->accepts.empty())
    return "parameter " + input->name + ": it decides the type of the output, so it must say what it accepts";
  for (const std::string& type : input->accepts) {
    if (among(info.yields, type)) continue;
    return "parameter " + input->name + ": it decides the type of the output, and accepts " + type +
           ", which is not yielded";
  }
  return {};
}

}  // namespace

Need parse_need(const std::string& need) {
  const auto colon = need.find(':');
  if (colon == std::string::npos) return {need, {}};
  return {need.substr(0, colon), need.substr(colon + 1)};
}

std::string wrong_description(const ComponentInfo& info) {
  if (std::string wrong = wrong_params(info.params, ""); !wrong.empty()) return wrong;
  const std::string kind = info.kind.substr(0, info.kind.find('/'));
  if (kind == "optimizer") return wrong_optimizer(info);
  const auto words = std::find_if(kind_words().begin(), kind_words().end(),
                                  [&](const KindWords& known) { return kind == known.kind; });
  if (words == kind_words().end()) return {};
  for (const std::string& type : info.yields) {
    if (!among(words->yields, type)) return unknown("yields", type, words->yields);
  }
  if (!info.takes.empty()) return unknown("takes", info.takes.front(), {});  // what optimizers alone have
  for (const std::string& need : info.needs) {
    if (std::string wrong = wrong_need(info, words->needs, need); !wrong.empty()) return wrong;
  }
  return kind == "stage" ? wrong_stage(info) : "";
}

}  // namespace v1
}  // namespace plumb
