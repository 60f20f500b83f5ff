// Stanford Human Preferences (stanfordnlp/SHP): a post of a forum, two comments on it, and which one readers preferred.
// Columns: post_id, history (the post), human_ref_A, human_ref_B, labels (1: A is preferred, 0: B), score_A, score_B,
// score_ratio, c_root_id_A, c_root_id_B.
#include <algorithm>
#include <map>

#include "file_source.h"

namespace plumb::files {
namespace {

class Shp final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
    double min_score_ratio = 1;
    std::int64_t per_post = 0;
  };
  static Params<Settings> params() {
    Params<Settings> p{"Stanford Human Preferences", "stanfordnlp/SHP, arXiv:2110.08420"};
    p.include(&Settings::files, file_params());
    p.add(&Settings::min_score_ratio, "min_score_ratio",
          "leave out pairs whose better comment has fewer than this many times the other's score; its authors advise 2")
        .at_least(1);
    p.add(&Settings::per_post, "per_post", "the first pairs of each post; 0: all. Its authors advise 5")
        .at_least(0)
        .unit("pairs");
    return p;
  }
  Shp(const Settings& settings, Host& host) : FileSource(settings.files, host), settings_(settings) {
    cure("score ratio below min_score_ratio", "min_score_ratio: 1 keeps them");
    cure("the post has more pairs", "per_post: 0 keeps them");
  }

 private:
  void read(const Value& row, const JsonFields& json) override {
    const std::int64_t label = json.integer(row, "labels");
    if (label != 0 && label != 1) json.fail(json.need(row, "labels"), "`labels` is 1 (A is preferred) or 0 (B is)");
    if (json.find(row, "score_ratio") != nullptr && json.number(row, "score_ratio") < settings_.min_score_ratio)
      return leave_out("score ratio below min_score_ratio");
    const std::string post = row_id(json, row, {"post_id"});
    if (settings_.per_post > 0 && pairs_of_[post] >= settings_.per_post) return leave_out("the post has more pairs");
    Preference out;
    if (!post.empty()) out.prompt.id = "shp-" + post;
    const std::string a = row_id(json, row, {"c_root_id_A"}), b = row_id(json, row, {"c_root_id_B"});
    if (!post.empty() && !a.empty() && !b.empty()) out.id = out.prompt.id + "/" + a + "/" + b;
    out.prompt.messages = {{"user", json.text(row, "history")}};
    out.chosen = json.text(row, label == 1 ? "human_ref_A" : "human_ref_B");
    out.rejected = json.text(row, label == 1 ? "human_ref_B" : "human_ref_A");
    if (emit(std::move(out))) ++pairs_of_[post];
  }

  Settings settings_;
  std::map<std::string, std::int64_t> pairs_of_;
};

}  // namespace

void register_shp(Registrar& registrar, const std::string& name) {
  registrar.add<Shp>(name).yields({"preferences"});
}

}  // namespace plumb::files
