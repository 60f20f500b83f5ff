// Comparisons in the layouts of the Hugging Face hub, whose rows are made here.
#include "test_source.h"

using namespace plumb;
using namespace plumb::files::testing;

BOOST_AUTO_TEST_SUITE(comparisons)

BOOST_AUTO_TEST_CASE(shp_prefers_the_comment_that_its_label_names) {
  const File rows(
      R"({"post_id": "p1", "domain": "askculinary_train", "history": "How long?", "c_root_id_A": "a", "c_root_id_B": "b", "score_A": 3, "score_B": 12, "human_ref_A": "An hour.", "human_ref_B": "Two hours.", "labels": 0, "score_ratio": 4.0}
{"post_id": "p1", "domain": "askculinary_train", "history": "How long?", "c_root_id_A": "c", "c_root_id_B": "a", "score_A": 4, "score_B": 3, "human_ref_A": "A day.", "human_ref_B": "An hour.", "labels": 1, "score_ratio": 1.33}
{"post_id": "p2", "domain": "askcarguys_train", "history": "Why?", "c_root_id_A": "d", "c_root_id_B": "e", "score_A": 6, "score_B": 2, "human_ref_A": "Rust.", "human_ref_B": "Age.", "labels": 1, "score_ratio": 3.0}
)");
  const auto read = all<Preference>(*source("shp", rows.path()));
  BOOST_REQUIRE(read.size() == 3U);
  BOOST_TEST((read[0].id == "shp-p1/a/b" && read[0].prompt.id == "shp-p1"));
  BOOST_TEST((read[0].prompt.messages == Conversation{{"user", "How long?"}}));
  BOOST_TEST((read[0].chosen == "Two hours." && read[0].rejected == "An hour."));
  BOOST_TEST((read[1].chosen == "A day." && read[1].rejected == "An hour."));
  const auto sure = source("shp", rows.path(), {{"min_score_ratio", 2.0}});
  BOOST_TEST(all<Preference>(*sure).size() == 2U);
  BOOST_TEST(skipped(*sure, "score ratio below min_score_ratio; min_score_ratio: 1 keeps them") == 1U);
  const auto few = source("shp", rows.path(), {{"per_post", 1}});
  BOOST_TEST(all<Preference>(*few).size() == 2U);
  BOOST_TEST(skipped(*few, "the post has more pairs") == 1U);
  const File wrong(R"({"history": "h", "human_ref_A": "a", "human_ref_B": "b", "labels": 2})");
  BOOST_TEST(refusal(*source("shp", wrong.path())).find("`labels` is 1 (A is preferred) or 0") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(hellaswag_prefers_the_right_ending_to_a_wrong_one) {
  const File rows(
      R"({"ind": 4, "activity_label": "Removing ice from car", "ctx_a": "Then, the man writes over the snow.", "ctx_b": "then", "ctx": "Then, the man writes over the snow. then", "endings": ["one", "two", "three", "four"], "source_id": "s", "split": "train", "split_type": "indomain", "label": "3"}
{"ind": 5, "ctx": "A test row", "endings": ["one", "two"], "label": ""}
)");
  const auto from = source("hellaswag", rows.path());
  const auto read = all<Preference>(*from);
  BOOST_REQUIRE(read.size() == 1U);
  BOOST_TEST(read[0].prompt.id == "hellaswag-4");
  BOOST_TEST((read[0].prompt.messages == Conversation{{"user", "Then, the man writes over the snow. then"}}));
  BOOST_TEST(read[0].chosen == "four");
  BOOST_TEST((read[0].rejected == "one" || read[0].rejected == "two" || read[0].rejected == "three"));
  BOOST_TEST(skipped(*from, "no label, as in the test split") == 1U);
  BOOST_TEST(all<Preference>(*source("hellaswag", rows.path()))[0].rejected == read[0].rejected);

  const auto every = all<Preference>(*source("hellaswag", rows.path(), {{"wrong", "all"}}));
  BOOST_REQUIRE(every.size() == 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST(every[i].chosen == "four");
    BOOST_TEST(every[i].rejected == (std::vector<std::string>{"one", "two", "three"})[i]);
    BOOST_TEST(every[i].id == "hellaswag-4/" + std::to_string(i));
  }
  const File wrong(R"({"ctx": "c", "endings": ["a", "b"], "label": 2})");
  BOOST_TEST(refusal(*source("hellaswag", wrong.path())).find("`label` is not the number of an ending") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(summaries_prefer_the_chosen_one) {
  const File rows(
      R"({"info": {"id": "t3_1", "post": "A long post.", "title": "Title", "subreddit": "r", "site": null, "article": null}, "summaries": [{"text": " Short.", "policy": "sup1", "note": null}, {"text": " Shorter.", "policy": "ref", "note": "ok"}], "choice": 1, "worker": "w", "batch": "b", "split": "train", "extra": {"confidence": 7}}
{"info": {"id": "n1", "post": null, "title": null, "article": "An article."}, "summaries": [{"text": "A"}, {"text": "B"}], "choice": 0, "extra": {"confidence": 2}}
{"info": {"id": "t3_2", "post": "Another."}, "summaries": [{"text": "A"}, {"text": "B"}], "choice": 0, "extra": {"confidence": null}}
)");
  const auto read = all<Preference>(*source("summaries", rows.path()));
  BOOST_REQUIRE(read.size() == 3U);
  BOOST_TEST(read[0].prompt.id == "summary-t3_1");
  BOOST_TEST(
      (read[0].prompt.messages == Conversation{{"user", "Please summarize the following text:\n\nA long post."}}));
  BOOST_TEST((read[0].chosen == " Shorter." && read[0].rejected == " Short."));
  BOOST_TEST((read[1].chosen == "A" && read[1].rejected == "B"));
  const auto sure = source("summaries", rows.path(), {{"min_confidence", 5}, {"instruction", ""}});
  const auto kept = all<Preference>(*sure);
  BOOST_REQUIRE(kept.size() == 2U);
  BOOST_TEST(kept[0].prompt.messages[0].content == "A long post.");
  BOOST_TEST(kept[1].prompt.id == "summary-t3_2");
  BOOST_TEST(skipped(*sure, "confidence below min_confidence") == 1U);
  const File wrong(R"({"info": {"post": "p"}, "summaries": [{"text": "A"}], "choice": 0})");
  BOOST_TEST(refusal(*source("summaries", wrong.path())).find("a comparison has two `summaries`") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
