// A data source whose own parameters name other datasets of the recipe: their prompts, with a mark at the end.
#include <plumb/data_source.h>
#include <plumb/json_rows.h>
#include <plumb/plugin.h>

#include <deque>

namespace {

class Copying final : public plumb::DataSource {
 public:
  struct Settings {
    std::string of, mark = "!";
    std::vector<std::string> more;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"the prompts of other datasets, marked"};
    p.add(&Settings::of, "of", "a dataset of prompts").accepts({"prompts"}).required();
    p.add(&Settings::more, "more", "further ones").accepts({"prompts"});
    p.add(&Settings::mark, "mark", "what is written behind each");
    return p;
  }

  Copying(const Settings& settings, plumb::Host&) : mark_(settings.mark) {
    read(settings.of);
    for (const std::string& folder : settings.more) read(folder);
  }

  [[nodiscard]] std::optional<plumb::Record> next() override {
    if (rows_.empty()) return std::nullopt;
    plumb::Record row = std::move(rows_.front());
    rows_.pop_front();
    return row;
  }

 private:
  void read(const std::string& folder) {
    plumb::JsonRows rows(folder + "/prompts.jsonl");
    while (const auto row = rows.next()) {
      const std::string text = row->at("prompt").as_list().front().at("content").as_string() + mark_;
      rows_.push_back(plumb::Prompt{"copy-" + std::to_string(rows_.size()), {{"user", text}}, {}});
    }
  }

  std::string mark_;
  std::deque<plumb::Prompt> rows_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.copying", "1.0.0", "Apache-2.0", "prompts of other datasets") {
  registrar.add<Copying>("copying").yields({"prompts"});
}
