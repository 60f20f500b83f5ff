// my-plugin: a stage that keeps the answers of at most so many words, as a recipe's `{stage: my-plugin, responses: …}`.
#include <plumb/plugin.h>
#include <plumb/stage.h>

#include <algorithm>
#include <sstream>

namespace {

class MyPlugin final : public plumb::Stage {
 public:
  struct Settings {
    std::string responses;
    std::int64_t max_words = 40;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"the answers of at most so many words"};
    p.add(&Settings::responses, "responses", "the answers, scored or not").accepts({"responses", "scored"}).required();
    p.add(&Settings::max_words, "max_words", "longer answers are left out").at_least(1).unit("words");
    return p;
  }
  MyPlugin(const Settings& settings, plumb::Host& host) : max_words_(settings.max_words), host_(host) {}

  void run(plumb::StageRun& run) override {
    const auto groups = run.rows<plumb::ResponseGroup>("responses");
    std::int64_t answers = 0, left_out = 0;
    for (plumb::ResponseGroup group : groups) {
      answers += static_cast<std::int64_t>(group.responses.size());
      left_out += static_cast<std::int64_t>(
          std::erase_if(group.responses, [&](const plumb::Response& r) { return words(r.text) > max_words_; }));
      run.write(group);
      host_.progress("prompts", run.written(), groups.size());
    }
    run.leave_out({left_out, answers, "more than " + std::to_string(max_words_) + " words", "answers"});
    run.summarise("answers", answers - left_out);
  }

 private:
  static std::int64_t words(const std::string& text) {
    std::istringstream in(text);
    std::int64_t count = 0;
    for (std::string word; in >> word;) ++count;
    return count;
  }

  std::int64_t max_words_;
  plumb::Host& host_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "the answers of at most so many words" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin").yields({"responses", "scored"});
}
