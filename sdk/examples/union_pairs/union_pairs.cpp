// The pairs of several rounds as one set: each prompt once, with the answers and the pairs of every round.
#include <plumb/plugin.h>
#include <plumb/stage.h>

#include <algorithm>
#include <unordered_map>

namespace {

class UnionPairs final : public plumb::Stage {
 public:
  struct Settings {
    std::vector<std::string> pairs;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"the pairs of several rounds in one"};
    p.add(&Settings::pairs, "pairs", "the rounds, in the order in which their prompts come")
        .accepts({"pairs"})
        .required();
    return p;
  }
  UnionPairs(const Settings&, plumb::Host& host) : host_(host) {}

  void run(plumb::StageRun& run) override {
    std::vector<plumb::PairedGroup> all;
    std::unordered_map<std::string, std::size_t> places;  // by prompt
    std::int64_t read = 0, repeated = 0;
    for (plumb::PairedGroup& row : run.rows<plumb::PairedGroup>("pairs")) {
      read += static_cast<std::int64_t>(row.pairs.size());
      const auto [place, fresh] = places.try_emplace(row.group.prompt.id, all.size());
      if (fresh) {
        all.push_back(std::move(row));
      } else {
        repeated += add(all[place->second], row);
      }
    }
    std::int64_t pairs = 0;
    for (const plumb::PairedGroup& row : all) {
      pairs += static_cast<std::int64_t>(row.pairs.size());
      run.write(row);
      host_.progress("prompts", run.written(), all.size());
    }
    run.leave_out({repeated, read, "the same two answers were a pair of an earlier round", "pairs"});
    run.summarise("prompts", static_cast<std::int64_t>(all.size()));
    run.summarise("pairs", pairs);
  }

 private:
  // Moves the answers and pairs of a later round to those of an earlier one; returns the pairs that were there already.
  static std::int64_t add(plumb::PairedGroup& to, const plumb::PairedGroup& from) {
    std::vector<int> places;
    for (const plumb::Response& response : from.group.responses) places.push_back(place_of(to.group, response));
    std::int64_t repeated = 0;
    for (plumb::Pair pair : from.pairs) {
      pair.chosen_index = places[static_cast<std::size_t>(pair.chosen_index)];
      pair.rejected_index = places[static_cast<std::size_t>(pair.rejected_index)];
      const bool there = std::any_of(to.pairs.begin(), to.pairs.end(), [&](const plumb::Pair& known) {
        return known.chosen_index == pair.chosen_index && known.rejected_index == pair.rejected_index;
      });
      if (!there) to.pairs.push_back(pair);
      repeated += there ? 1 : 0;
    }
    return repeated;
  }

  // Of an equal text in the group, where it is added when there is none.
  static int place_of(plumb::ResponseGroup& group, const plumb::Response& response) {
    const auto same = std::find_if(group.responses.begin(), group.responses.end(),
                                   [&](const plumb::Response& known) { return known.text == response.text; });
    const auto place = static_cast<int>(same - group.responses.begin());
    if (same == group.responses.end()) group.responses.push_back(response);
    return place;
  }

  plumb::Host& host_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.union-pairs", "1.0.0", "Apache-2.0",
             "the pairs of several rounds in one" PLUMB_STATUS("stable")) {
  registrar.add<UnionPairs>("union-pairs").yields({"pairs"});
}
