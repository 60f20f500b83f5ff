// my-plugin: rates an answer by the share of its words that are not repeated; 0 when it is empty or too long.
#include <plumb/judge.h>
#include <plumb/plugin.h>

#include <set>
#include <sstream>

namespace {

class MyPlugin final : public plumb::Judge {
 public:
  struct Settings {
    std::int64_t longest = 50;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"share of an answer's words that are not repeated"};
    p.add(&Settings::longest, "longest", "longer answers score 0").at_least(1).unit("words");
    return p;
  }
  MyPlugin(const Settings& settings, plumb::Host&) : longest_(static_cast<std::size_t>(settings.longest)) {}

  // Called from several threads at once.
  [[nodiscard]] plumb::Judgement judge(const plumb::JudgeRequest& request) override {
    plumb::Judgement judgement;
    const double score = rate(request.answer);
    judgement.score = score;
    if (request.other) {
      const double other = rate(*request.other);
      judgement.preference = score > other ? 1.0 : score < other ? 0.0 : 0.5;
    }
    return judgement;
  }

 private:
  [[nodiscard]] double rate(const std::string& answer) const {
    std::istringstream in(answer);
    std::set<std::string> distinct;
    std::size_t count = 0;
    for (std::string word; in >> word; ++count) distinct.insert(word);
    if (count == 0 || count > longest_) return 0;
    return static_cast<double>(distinct.size()) / static_cast<double>(count);
  }

  std::size_t longest_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "rates answers by their repetitions" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin").yields({"score", "preference"});
}
