// my-plugin: demonstrations from a text file, a question and its answer on each line with a tab between them.
#include <plumb/data_source.h>
#include <plumb/json_rows.h>
#include <plumb/plugin.h>

namespace {

class MyPlugin final : public plumb::DataSource {
 public:
  struct Settings {
    std::string path;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"a question and its answer on each line, with a tab between them"};
    p.add(&Settings::path, "path", "the file, relative to the recipe; .gz and .zst are read too").path().required();
    return p;
  }
  MyPlugin(const Settings& settings, plumb::Host&) : path_(settings.path), lines_(settings.path) {}

  [[nodiscard]] std::optional<plumb::Record> next() override {
    std::string line;
    do {
      if (!lines_.next(line)) return std::nullopt;
    } while (line.empty() && ++empty_ > 0);
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) {
      throw plumb::Error(plumb::ErrorCode::data, path_ + ":" + std::to_string(lines_.number()) +
                                                     ":1: found no tab, wanted a question, a tab and an answer");
    }
    plumb::Conversation messages{{"user", line.substr(0, tab)}, {"assistant", line.substr(tab + 1)}};
    const std::string id = plumb::content_id(messages);
    return plumb::Demonstration{id, std::move(messages), {}};
  }

  [[nodiscard]] std::map<std::string, std::size_t> skipped() const override { return {{"empty", empty_}}; }
  [[nodiscard]] std::vector<std::string> files() const override { return {path_}; }

 private:
  std::string path_;
  plumb::TextLines lines_;
  std::size_t empty_ = 0;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "demonstrations from lines with a tab" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin").yields({"demonstrations"});
}
