// The generated request corpus: component `requests`, and the entry of this plugin.
#include <plumb/data_source.h>
#include <cstdio>

#include "gold_judge.h"
#include "request.h"

#include <plumb/plugin.h>

namespace requests {
namespace {

constexpr std::array<std::string_view, 4> kVerbs{"list", "name", "give me", "tell me"};

class RequestsSource final : public plumb::DataSource {
 public:
  struct Settings {
    std::string records = "prompts", split = "train";
    std::int64_t count = 1000, seed = 0;
    double two_turn = 0.3, label_noise = 0.1;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"generated requests in words, with answers of mixed quality"};
    p.add(&Settings::records, "records", "what each row is").choices({"prompts", "demonstrations", "preferences"});
    p.add(&Settings::split, "split", "disjoint parts of what can be asked for").choices({"train", "tuning", "heldout"});
    p.add(&Settings::count, "count", "rows").at_least(1).unit("rows");
    p.add(&Settings::seed, "seed", "another corpus of the same kind; independent of the run's seed").at_least(0);
    p.add(&Settings::two_turn, "two_turn", "fraction of conversations with a second turn").at_least(0).at_most(1);
    p.add(&Settings::label_noise, "label_noise", "fraction of preferences whose label is flipped")
        .at_least(0)
        .below(0.5);
    p.check([](const Settings& s) -> std::string {
      if (s.records == "preferences" || s.label_noise == Settings{}.label_noise) return {};
      return "label_noise has no effect on " + s.records + "; choose preferences, or leave it out";
    });
    return p;
  }
  RequestsSource(const Settings& settings, plumb::Host&)
      : settings_(settings),
        random_(
            plumb::Random(static_cast<std::uint64_t>(settings.seed)).derive(settings.split).derive(settings.records)) {}

  std::optional<plumb::Record> next() override {
    if (row_ == settings_.count) return std::nullopt;
    plumb::Random random = random_.derive(static_cast<std::uint64_t>(row_));
    char id[48];
    std::snprintf(id, sizeof id, "%s-%06lld", settings_.split.c_str(), static_cast<long long>(row_++));
    plumb::Prompt prompt{id, {}, {}};
    Request request = draw_request(random);
    prompt.messages.push_back({"user", write_request(request, kVerbs[random.below(kVerbs.size())])});
    if (random.uniform() < settings_.two_turn) follow_up(request, prompt, random);
    if (settings_.records == "prompts") return prompt;
    if (settings_.records == "preferences") return draw_preference(std::move(prompt), request, random);
    plumb::Demonstration demonstration{id, std::move(prompt.messages), {}};
    demonstration.messages.push_back({"assistant", draw_answer(request, random)});
    return demonstration;
  }

 private:
  // Draws until a request falls into the split: 2 of 10 parts held out, 1 for tuning, by what is asked for.
  [[nodiscard]] Request draw_request(plumb::Random& random) const {
    for (;;) {
      Request request;
      request.category = static_cast<int>(random.below(categories().size()));
      request.count = 1 + static_cast<int>(random.below(5));
      request.polite = random.uniform() < 0.5;
      const std::string_view forbidden =
          categories()[static_cast<std::size_t>(request.category)].items[random.below(8)];
      if (random.uniform() < 0.5) request.forbidden = std::string(forbidden);
      const std::uint64_t part = plumb::Random(1).derive(write_request(request, "")).bits_at(0) % 10;
      const std::string_view split = part < 2 ? "heldout" : part == 2 ? "tuning" : "train";
      if (split == settings_.split) return request;
    }
  }

  static void follow_up(Request& request, plumb::Prompt& prompt, plumb::Random& random) {
    prompt.messages.push_back({"assistant", draw_answer(request, random)});
    request.count = 1 + static_cast<int>(random.below(3));
    request.polite = random.uniform() < 0.5;
    prompt.messages.push_back({"user", write_follow_up(request)});
    request.earlier = parse_request(prompt.messages)->earlier;
  }

  // Two answers that gold tells apart; the label is flipped with the given probability.
  [[nodiscard]] plumb::Preference draw_preference(plumb::Prompt prompt, const Request& request,
                                                  plumb::Random& random) const {
    std::string better = draw_answer(request, random), worse = draw_answer(request, random);
    while (rate(request, better).total == rate(request, worse).total) worse = draw_answer(request, random);
    if (rate(request, better).total < rate(request, worse).total) std::swap(better, worse);
    if (random.uniform() < settings_.label_noise) std::swap(better, worse);
    const std::string id = prompt.id;
    return {id, std::move(prompt), std::move(better), std::move(worse), {}, {}, {}};
  }

  Settings settings_;
  plumb::Random random_;
  std::int64_t row_ = 0;
};

}  // namespace
}  // namespace requests

PLUMB_PLUGIN(registrar, "org.plumbline.requests", "1.0.0", "Apache-2.0",
             "a generated corpus of requests and its gold judge" PLUMB_STATUS("stable")) {
  registrar.add<requests::RequestsSource>("requests").yields({"prompts", "demonstrations", "preferences"});
  registrar.add<requests::GoldJudge>("gold").yields({"score", "preference"});
}
