// Every name that the table of other tools' keys points to exists, and none of its own keys is one of ours there.
#include "framework/core/recipe/foreign_keys.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>

#include "framework/core/catalogue/stage.h"
#include "framework/core/recipe/overrides.h"

using namespace plumb;

namespace {

bool declares(const std::vector<ParamInfo>& infos, const std::string& name) {
  return std::any_of(infos.begin(), infos.end(), [&](const ParamInfo& info) { return info.name == name; });
}

const std::vector<ParamInfo>& params_of(const char* kind) {
  return find_stage_kind(kind)->params;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(foreign_keys_test)

BOOST_AUTO_TEST_CASE(what_it_points_to_exists) {
  std::set<std::string> keys;
  for (const ForeignKey& foreign : foreign_keys()) {
    BOOST_TEST_CONTEXT(foreign.key) {
      BOOST_TEST(keys.insert(foreign.key).second);
      const std::string here = foreign.here;
      const auto dot = here.find('.');
      const StageKind* kind = dot == std::string::npos ? nullptr : find_stage_kind(here.substr(0, dot));
      if (here.empty()) {
        BOOST_TEST(*foreign.remark != '\0');  // what is not there is answered with a reason
      } else if (here.starts_with("recipe.")) {
        BOOST_TEST(declares(recipe_params(), here.substr(7)));
      } else if (kind != nullptr) {
        BOOST_TEST(declares(kind->params, here.substr(dot + 1)));
      } else {
        BOOST_TEST(!kinds_with(here).empty());
      }
    }
  }
  BOOST_TEST(keys.size() >= 100u);
}

// A key that some kind of stage declares under the same name would never be explained there.
BOOST_AUTO_TEST_CASE(every_key_is_explained_in_every_kind_of_stage) {
  for (const ForeignKey& foreign : foreign_keys()) {
    BOOST_TEST(kinds_with(foreign.key).empty(), foreign.key);
    for (const StageKind& kind : stage_catalogue()) {
      ParamIssue issue{foreign.key, {}, "unknown key; allowed: a, b", "a"};
      explain_unknown(issue, kind.params);
      BOOST_TEST(issue.message.find("allowed: ") == std::string::npos, kind.kind << "." << foreign.key);
    }
  }
}

BOOST_AUTO_TEST_CASE(words_are_those_of_the_place) {
  const auto hint = [](const char* key, const char* kind) { return hint_for(key, params_of(kind)); };
  BOOST_TEST(hint("lr", "sft").message == "unknown key; it is called `learning_rate` here");
  BOOST_TEST(hint("lr", "sft").nearest == "learning_rate");
  BOOST_TEST(hint("lora_r", "train").nearest == "lora.r");
  BOOST_TEST(hint("lora.use_dora", "sft").message.starts_with("unknown key; there is none here: plain LoRA"));
  BOOST_TEST(hint("num_return_sequences", "sample").nearest == "k");
  BOOST_TEST(hint("num_return_sequences", "train").message ==
             "unknown key; it is `k` of the stage kind sample; answers to each prompt");
  BOOST_TEST(hint("max_samples", "sft").message == "unknown key; it is `limit` of an entry under `datasets:`");
  BOOST_TEST(hint("seed", "sft").message == "unknown key; it is `seed` of the recipe; one for the whole recipe");
  BOOST_TEST(hint("report_to", "sft").message.starts_with("unknown key; there is none here: metrics.jsonl"));
  BOOST_TEST(hint("lerning_rate", "sft").message == "");  // a slip of the pen, not another tool's
}

BOOST_AUTO_TEST_CASE(what_is_nearly_right_stays) {
  ParamIssue issue{"batch_siz", {}, "unknown key; allowed: batch_size", "batch_size"};
  explain_unknown(issue, params_of("sft"));
  BOOST_TEST(issue.suggestion == "batch_size");
  BOOST_TEST(issue.message == "unknown key; allowed: batch_size");
}

BOOST_AUTO_TEST_SUITE_END()
