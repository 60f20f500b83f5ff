// How kinds/*.cpp declare stage kinds: parameters first, then the rules between them.
//
//   Declared<TokenizerSettings> d{"train a byte-level BPE tokenizer"};
//   d.params.add(&TokenizerSettings::data, "data", "text to learn from").accepts({…}).required();
//   d.rule([](const TokenizerSettings& s) { return s.x < s.y ? "x: must not be below y" : ""; });
//
// A rule returns an empty string or "key: what is wrong"; the key decides where the recipe's reader sees it. Rules hold
// wherever the settings are read: in recipes, and when a stage body parses its parameters.
// Thread contract: declarations are built in one thread; a finished one may be read from any.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/catalogue/stage.h"
#include "plumb/params.h"

namespace plumb {

// Splits "key: message"; a text without a plain word before the first ':' concerns no key.
ParamIssue to_issue(const std::string& broken_rule, const Value& params);

template <class S>
class Declared {
 public:
  explicit Declared(std::string doc, std::string source = {}) : params(std::move(doc), std::move(source)) {}

  Params<S> params;

  void rule(std::function<std::string(const S&)> rule) { rules_.push_back(std::move(rule)); }

  [[nodiscard]] Params<S> with_rules() const {
    Params<S> out = params;
    for (const auto& rule : rules_) out.check(rule);
    return out;
  }

  // Splices another declaration in, flat, with its rules.
  template <class Inner>
  void include(Inner S::*member, const Declared<Inner>& inner) {
    params.include(member, inner.params);
    for (const auto& rule : inner.rules_) rules_.push_back([member, rule](const S& s) { return rule(s.*member); });
  }

  // The kind `name` with this declaration; output types as in StageKind.
  [[nodiscard]] StageKind kind(std::string name, std::string output, std::string output_from = {}) const {
    StageKind out;
    out.kind = std::move(name);
    out.doc = params.doc();
    out.source = params.source();
    out.output = std::move(output);
    out.output_from = std::move(output_from);
    out.params = params.infos();
    out.check = [copy = *this](const Value& value) {
      std::vector<ParamIssue> issues;
      const S settings = copy.params.parse(value);
      for (const auto& rule : copy.rules_) {
        if (const std::string broken = rule(settings); !broken.empty()) issues.push_back(to_issue(broken, value));
      }
      return issues;
    };
    return out;
  }

 private:
  template <class>
  friend class Declared;
  std::vector<std::function<std::string(const S&)>> rules_;
};

}  // namespace plumb
