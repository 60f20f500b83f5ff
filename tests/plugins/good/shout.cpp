// A stage that writes prompts in capital letters and saves each row. TEST_SHOUT_DIES=N: the process is killed at row N.
// TEST_SHOUT_COLUMN=NAME: every row has the same text in a further column of that name.
#include <plumb/plugin.h>
#include <plumb/stage.h>

#include <csignal>
#include <cstdlib>
#include <string>

namespace {

class Shout final : public plumb::Stage {
 public:
  struct Settings {
    std::string prompts;
    std::int64_t marks = 1;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"prompts in capital letters"};
    p.add(&Settings::prompts, "prompts", "what is shouted").accepts({"prompts"}).required();
    p.add(&Settings::marks, "marks", "exclamation marks behind each").at_least(0).at_most(9);
    p.check([](const Settings& s) { return s.marks == 4 ? "marks: four are unlucky" : ""; });
    return p;
  }
  Shout(const Settings& settings, plumb::Host&) : marks_(static_cast<std::size_t>(settings.marks)) {}

  void run(plumb::StageRun& run) override {
    const char* dies = std::getenv("TEST_SHOUT_DIES");
    const char* column = std::getenv("TEST_SHOUT_COLUMN");
    const auto prompts = run.rows<plumb::Prompt>("prompts");
    run.skip(run.saved());
    for (std::size_t i = run.written(); i < prompts.size(); ++i) {
      if (dies != nullptr && std::to_string(i) == dies) std::raise(SIGKILL);
      plumb::Prompt prompt = prompts[i];
      for (char& c : prompt.messages.back().content) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
      prompt.messages.back().content += std::string(marks_, '!');
      if (column != nullptr) prompt.extra = plumb::Value::map({{column, "the same"}});
      run.write(prompt);
      run.checkpoint();
    }
    run.leave_out({0, static_cast<std::int64_t>(prompts.size()), "nothing"});
    run.summarise("shouted", static_cast<std::int64_t>(run.written()));
  }
  [[nodiscard]] plumb::StageNeeds estimate(const plumb::StageFacts& facts) const override {
    const auto rows = facts.rows.find("prompts");
    if (rows == facts.rows.end()) return {};
    return {{}, static_cast<std::uint64_t>(rows->second) * 100, 12.5};
  }

 private:
  std::size_t marks_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.shout", "1.0.0", "Apache-2.0", "prompts in capital letters") {
  registrar.add<Shout>("shout").yields({"prompts"});
}
