// Keys of other tools (TRL and transformers, axolotl, LLaMA-Factory, OpenRLHF): what each is called here, or why there
// is none. A recipe that uses one is told so in place of a list of all that is allowed.
//
//   explain_unknown(issue, kind->params);        // of an unknown key; other issues stay as they are
//
// Thread contract: functions of their arguments.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "plumb/params.h"

namespace plumb {

struct ForeignKey {
  const char* key;
  const char* here;    // a parameter of some stage kind, dotted within it; "recipe.KEY" of the recipe itself; "": none
  const char* remark;  // what else there is to know; may be empty where `here` is not
};

std::span<const ForeignKey> foreign_keys();

// The stage kinds that declare a parameter, dotted within them, in the order of the catalogue.
std::vector<std::string> kinds_with(const std::string& param);

// Rewrites an issue of check_params that is about an unknown key when that key is another tool's, or a parameter of
// another kind of stage. `infos` are those of the whole stage, and the issue's path is dotted within it.
void explain_unknown(ParamIssue& issue, const std::vector<ParamInfo>& infos);

// The same as a message for `key`, dotted within the stage, and the name to take instead; both empty when nothing is
// known.
struct KeyHint {
  std::string message, nearest;
};
KeyHint hint_for(const std::string& key, const std::vector<ParamInfo>& infos);

}  // namespace plumb
