// Rules for what a component says of itself when it registers, checked where a plugin is described (plumb-describe),
// looked at (`plumb plugins list`, recipes) and loaded.
//
//   const std::string wrong = plumb::wrong_description(info);        // empty: nothing
//   const plumb::Need need = plumb::parse_need("judge:score|text");  // {"judge", "score|text"}
//
// What a component may need, by kind:
//   selection-policy  annotation                     prompts that come with the dataset's own preference
//   optimizer         reference, mismatched; reward-model, values (of one that takes prompts)
//   evaluator         judge, judge:WHAT, reward-model, baseline; one-answer (the stage's `samples` is 1)
//   reward-model,     language-models                `path` is a model's folder, which it opens through the host's
//   judge, generator                                 service of that name
//   generator         server                         another program's engine draws (plumb/served_generator.h)
//   stage             language-models, random        it draws (plumb/stage.h)
//   any               environment:PARAMETER          a parameter that names an environment variable to be set
// WHAT is score, preference or text, or several with `|` between them, any of which will do: the fields of Judgement
// (plumb/judge.h) that the evaluator reads. A judge registers those that it fills in: `.yields({"text"})`. A judge that
// yields nothing, or an evaluator that needs plain `judge`, is not compared.
// What an optimizer takes and yields follows from its class; `takes` may narrow it.
// A stage yields one of row_types() (plumb/rows.h), or several with an input parameter that accepts nothing else.
// Thread contract: functions of their arguments.
#pragma once

#include <string>

#include "plumb/registrar.h"

namespace plumb {
inline namespace v1 {

struct Need {
  std::string what, detail;
};
Need parse_need(const std::string& need);

// Why a description cannot hold, naming the parameter or the word, or empty. A kind that is not known here has only its
// parameters checked.
std::string wrong_description(const ComponentInfo& info);

}  // namespace v1
}  // namespace plumb
